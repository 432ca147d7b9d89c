"""One vector of a picture: CLIP's image tower, read from a local folder.

::

    picture -> resize, crop, normalise -> ViT -> class token -> projection -> embedding [D]

IP-Adapter and Kandinsky paint from it, a channel may carry it, and metrics compare it. `checkpoint` is how
this and other models in the hub's layout are read.

References
----------
A. Radford et al.: Learning transferable visual models from natural language supervision. ICML 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image

from semantic.networks.pixels import Picture
from semantic.zoo.complete import load_whole
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.presets import import_transformers

__all__ = ["ImageEncoder", "checkpoint", "fetch_hint"]


_TEXT_SIDE = r"text_model\.|text_projection\.|logit_scale$"  # of a whole CLIP


@contextmanager
def checkpoint(folder: str | Path, preset: str) -> Iterator[str]:
    """Read a local folder in the hub's layout; whatever it lacks is said in one way.

    Parameters
    ----------
    folder:
        The directory.
    preset:
        Name in `semantic.zoo.presets` of such a model, for the error.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If there is no such folder, or a library finds a file missing in it.
    ImportError
        If transformers is not installed; names the cure.
    """
    if not Path(folder).is_dir():
        raise WeightsMissing(f"there is no folder {str(folder)!r}; {fetch_hint(preset)}")
    import_transformers()
    try:
        yield str(folder)
    except OSError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise WeightsMissing(f"{str(folder)!r} is not complete: {reason}; {fetch_hint(preset)}") from error


def fetch_hint(preset: str) -> str:
    """Name the command that gets a published model, for the end of an error."""
    return f"a published model comes with: semphy fetch models:{preset}"


class ImageEncoder:
    """CLIP's image tower with its projection: a picture becomes one vector of D numbers.

    Pictures are encoded one by one, so that an embedding does not depend on its neighbours.

    Attributes
    ----------
    name:
        For results, such as ``clip-vit-large-patch14``.
    """

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self.model = model
        self.processor = processor
        self.name = name

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        name: str | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read a ``CLIPVisionModelWithProjection``, or the image tower of a whole ``CLIPModel``.

        Parameters
        ----------
        folder:
            Local directory. Without a processor in it pictures are prepared as CLIP's: bicubic to the
            model's size, centre crop, CLIP's mean and deviation.
        name:
            Name for results; the folder's by default.
        device, dtype:
            Of the model.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If the folder or a file in it is missing.
        """
        with checkpoint(folder, "clip-vit-l14") as path:
            from transformers import AutoImageProcessor, CLIPImageProcessorPil, CLIPVisionModelWithProjection

            model = load_whole(
                CLIPVisionModelWithProjection, path, beside=_TEXT_SIDE, dtype=dtype, use_safetensors=True
            )
            if any((Path(path) / f"{kind}_config.json").is_file() for kind in ("processor", "preprocessor")):
                processor = AutoImageProcessor.from_pretrained(path, backend="pil", local_files_only=True)
            else:
                side = model.config.image_size
                crop = {"height": side, "width": side}
                processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=crop)
        return cls(model.to(device).eval(), processor, name or Path(folder).resolve().name)

    @property
    def width(self) -> int:
        """Numbers in an embedding, D."""
        return int(self.model.config.projection_dim)

    @torch.no_grad()
    def embed(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Embeddings ``[B, D]``, ``torch.float32``, on the CPU; not normalised."""
        vectors = [
            self._encode(self.processor(Image.fromarray(picture), return_tensors="pt").pixel_values)
            for picture in pictures
        ]
        return torch.cat(vectors) if vectors else torch.zeros(0, self.width)

    @torch.no_grad()
    def embed_nothing(self) -> torch.Tensor:
        """Embedding ``[D]`` of normalised pixels of 0: no picture, in Kandinsky's guidance."""
        side = self.model.config.image_size
        return self._encode(torch.zeros(1, 3, side, side))[0]

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        vector = self.model(pixels.to(self.model.device, self.model.dtype)).image_embeds
        return torch.as_tensor(vector).float().cpu()
