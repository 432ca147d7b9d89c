"""Pictures to sentences: LLaVA, BLIP and one of our own behind one method, ``caption``.

Decoding of LLaVA and BLIP is greedy and deterministic: penalties, sampling and beams that a checkpoint may
ask for are switched off, so that a sentence depends on the picture, the prompt and the limits alone, and not
on its batch.

References
----------
H. Liu, C. Li, Q. Wu, Y. J. Lee: Visual instruction tuning. NeurIPS 2023 (LLaVA).
F. Li et al.: LLaVA-NeXT-Interleave. arXiv 2407.07895 (the SigLIP and Qwen1.5 checkpoints).
J. Li, D. Li, C. Xiong, S. Hoi: BLIP: Bootstrapping language-image pre-training. ICML 2022.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from semantic.networks.meaning import MeaningCaptioner, looked_at
from semantic.zoo.complete import load_whole
from semantic.zoo.presets import import_transformers, uses_safetensors
from semantic.zoo.weights import WeightsMissing

__all__ = ["BLIP", "QUERY", "Captioner", "LLaVA", "PhotoCaptioner", "load_captioner"]

QUERY = "Relay a brief, clear account of the picture shown."
"""The fixed query of Multi-SC (arXiv 2503.19386, section III-B), without the picture's placeholder."""

_PLACEHOLDER = "<image>"


class Captioner(ABC):
    """A model that says what pictures show; made by `LLaVA.from_pretrained` and its like.

    Parameters
    ----------
    model, processor:
        Objects of transformers: the class that ``library_class`` names, and its processor, whose image
        processor works on PIL pictures.
    """

    name: ClassVar[str]
    library_class: ClassVar[str]

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Load a checkpoint.

        Parameters
        ----------
        folder:
            Local directory in the hub's layout (`semantic.zoo.presets.resolve` finds a preset's).
        device, dtype:
            Where the model is to live, and in what precision, whatever the checkpoint's.

        Raises
        ------
        WeightsMissing
            If the folder holds no model.
        semantic.zoo.complete.WrongWeights
            If it lacks tensors of the model, or has others.
        ImportError
            If transformers is missing or hindered; names the cure.
        """
        safetensors = uses_safetensors(folder)
        transformers = import_transformers()
        # With torchvision installed the default would be its backend, whose pixels differ by up to 0.015.
        processor = transformers.AutoProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
        library_class = getattr(transformers, cls.library_class)
        model = load_whole(library_class, folder, dtype=dtype, use_safetensors=safetensors)
        return cls(model.to(device).eval(), processor)

    def caption(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        prompt: str | None = None,
        *,
        max_tokens: int = 64,
        batch_size: int = 8,
    ) -> list[str]:
        """Describe each picture.

        Parameters
        ----------
        pictures:
            Each ``[H, W, 3]``, ``uint8``, RGB; sizes may differ.
        prompt:
            What to answer or to go on from, see the class; None is the class's own.
        max_tokens:
            Most tokens of the model that are added to the prompt; there is at least one.
        batch_size:
            Pictures that go through the model at once; it changes memory and speed only.

        Returns
        -------
        list[str]
            A text for each picture, in order.

        Raises
        ------
        ValueError
            If a picture has another shape or type.
        """
        images = [_image(picture) for picture in pictures]
        limits = {"min_new_tokens": 1, "max_new_tokens": max_tokens}
        texts: list[str] = []
        for start in range(0, len(images), batch_size):
            texts += self._describe(images[start : start + batch_size], prompt, limits)
        return texts

    @abstractmethod
    def _describe(self, images: list[Image.Image], prompt: str | None, limits: dict[str, int]) -> list[str]:
        """Texts of one batch."""

    def _inputs(self, batch: Any) -> dict[str, torch.Tensor]:
        """Tensors that the model takes, on its device; pixels in its precision."""
        names = ("pixel_values", "input_ids", "attention_mask")
        found = {name: batch[name].to(self.model.device) for name in names if name in batch}
        return found | {"pixel_values": found["pixel_values"].to(self.model.dtype)}

    def _decode(self, tokens: torch.Tensor) -> list[str]:
        texts = self.processor.batch_decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [text.strip() for text in texts]


class LLaVA(Captioner):
    """LLaVA-1.5 and LLaVA-interleave: a vision tower, a projector and a language model that answers a query.

    The prompt is a query, `QUERY` by default. It is put into the checkpoint's chat template, or into
    ``USER: <image>``, a new line, and ``... ASSISTANT:`` if it has none. The answer comes without it.
    """

    name = "llava"
    library_class = "LlavaForConditionalGeneration"

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        _make_greedy(model)
        # Answers of a batch grow to the right, so what fills up a shorter prompt stands on the left.
        processor.tokenizer.padding_side = "left"

    @torch.no_grad()
    def _describe(self, images: list[Image.Image], prompt: str | None, limits: dict[str, int]) -> list[str]:
        texts = [self._turn(QUERY if prompt is None else prompt)] * len(images)
        inputs = self._inputs(self.processor(images=images, text=texts, padding=True, return_tensors="pt"))
        tokens = self.model.generate(**inputs, **limits)
        return self._decode(tokens[:, inputs["input_ids"].shape[1] :])

    def _turn(self, query: str) -> str:
        if _PLACEHOLDER in query:
            raise ValueError(f"a query goes without {_PLACEHOLDER}, which is put before it, got {query!r}")
        if self.processor.chat_template is None:
            return f"USER: {_PLACEHOLDER}\n{query} ASSISTANT:"
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": query}]}
        return str(self.processor.apply_chat_template([turn], add_generation_prompt=True))


class BLIP(Captioner):
    """BLIP: a vision transformer and a text decoder that looks at it.

    The prompt is what the text begins with, such as ``a photo of``, and the text contains it; by default the
    model begins by itself. It follows no instructions.
    """

    name = "blip"
    library_class = "BlipForConditionalGeneration"

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        _make_greedy(model.text_decoder)

    @torch.no_grad()
    def _describe(self, images: list[Image.Image], prompt: str | None, limits: dict[str, int]) -> list[str]:
        text = {} if prompt is None else {"text": [prompt] * len(images)}
        inputs = self._inputs(self.processor(images=images, return_tensors="pt", **text))
        return self._decode(self.model.generate(**inputs, **limits))


class PhotoCaptioner(Captioner):
    """Our captioner of photographs (`semantic.networks.meaning`): captions in lower case, by five beams.

    It was taught nothing but captions, and answers every prompt by one. It says colours where it is sure of
    them.
    """

    name = "photo"
    library_class = MeaningCaptioner.__name__

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Load what ``semphy train photo-captioner`` has made; see `Captioner.from_pretrained`."""
        model = MeaningCaptioner.from_pretrained(folder, device=device, dtype=dtype)
        file = Path(folder) / "tokenizer.json"
        if not file.is_file():
            raise WeightsMissing(f"the folder {str(folder)!r} has no tokenizer.json")
        tokenizer = import_transformers().PreTrainedTokenizerFast(tokenizer_file=str(file))
        return cls(model, SimpleNamespace(tokenizer=tokenizer))

    @torch.no_grad()
    def _describe(self, images: list[Image.Image], prompt: str | None, limits: dict[str, int]) -> list[str]:
        place = self.model.projection.weight
        features = self.model.features(looked_at(images).to(place.device, place.dtype))
        said = self.model.say(*self.model.read(features), longest=limits["max_new_tokens"])
        return [self.spell(pieces) for pieces in said]

    def spell(self, pieces: list[int]) -> str:
        """Words of the language model's pieces."""
        found = self.processor.tokenizer.convert_ids_to_tokens(pieces)
        return "".join(found).replace("\u2581", " ").strip()


_CAPTIONERS: dict[str, type[Captioner]] = {
    "llava": LLaVA,
    "blip": BLIP,
    MeaningCaptioner.__name__: PhotoCaptioner,
}


def load_captioner(
    folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Captioner:
    """Load the captioner that a folder holds, by the ``model_type``, or our class, in its ``config.json``.

    Parameters
    ----------
    folder, device, dtype:
        As for `Captioner.from_pretrained`.

    Raises
    ------
    WeightsMissing
        If the folder holds no model.
    ValueError
        If it holds a model of another type.

    Examples
    --------
    >>> from semantic import resolve, scenes
    >>> (sample,) = scenes.load(1, seed=7, difficulty="medium")
    >>> told = load_captioner(resolve("tiny-blip")).caption([sample.pixels])
    >>> told == [sample.captions[0]]  # of the canonical form, and no fact is wrong
    True
    """
    file = Path(folder) / "config.json"
    if not file.is_file():
        raise WeightsMissing(
            f"no captioner lies in {folder}: there is no config.json; "
            f"published ones come with: semphy fetch models:blip-base"
        )
    config = json.loads(file.read_text(encoding="utf-8"))
    kind = config.get("model_type") or next(iter(config.get("architectures", ())), None)
    if kind not in _CAPTIONERS:
        raise ValueError(f"{folder} holds a model of type {kind!r}; captioners are {', '.join(_CAPTIONERS)}")
    return _CAPTIONERS[kind].from_pretrained(folder, device=device, dtype=dtype)


def _make_greedy(model: Any) -> None:
    """Replace a checkpoint's manner of decoding by the greedy one; its special tokens stay."""
    old = model.generation_config
    stop = old.eos_token_id[0] if isinstance(old.eos_token_id, list) else old.eos_token_id
    model.generation_config = type(old)(
        do_sample=False,
        num_beams=1,
        bos_token_id=old.bos_token_id,
        eos_token_id=old.eos_token_id,
        pad_token_id=stop if old.pad_token_id is None else old.pad_token_id,
    )


def _image(picture: NDArray[np.uint8]) -> Image.Image:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [height, width, 3], got {picture.dtype} {list(picture.shape)}")
    return Image.fromarray(picture)
