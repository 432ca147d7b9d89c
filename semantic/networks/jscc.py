"""Deep joint source-channel coding of pictures: a picture becomes channel values and values become a picture.

::

    picture -> encode -> values [2k] -> (I/Q pairs, power, channel: elsewhere) -> values -> decode -> picture

No network here knows a channel. ``encode`` gives 2k real values of any power; whoever sends them pairs
neighbours to k complex symbols, scales each picture to unit mean power and hands ``decode`` what arrives
(equalised) at that scale: every real then has variance 1/2 plus noise. Gradients flow through both.

Values are ordered by latent channel, then row, then column, so that the first channels are a prefix.

`DeepJSCC2019` and `ADJSCC` are the field's reference networks; `NestedJSCC` is ours.
"""

from __future__ import annotations

from pathlib import Path

import torch

from semantic.networks.jscc_codec import JSCC
from semantic.networks.jscc_convolutional import ADJSCC, AF, GDN, DeepJSCC2019
from semantic.networks.jscc_nested import NestedJSCC
from semantic.zoo.pretrained import read_config

__all__ = ["ADJSCC", "AF", "GDN", "JSCC", "DeepJSCC2019", "NestedJSCC", "load_jscc"]


def load_jscc(
    folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> DeepJSCC2019 | ADJSCC | NestedJSCC:
    """Read whichever of the networks above lies in ``folder``.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If the folder lacks ``config.json`` or ``model.safetensors``.
    ValueError
        If it holds something else.

    Examples
    --------
    >>> from semantic import resolve
    >>> network = load_jscc(resolve("tiny-jscc"))
    >>> picture, snr_db = torch.rand(1, 3, 64, 64), torch.tensor([10.0])
    >>> values = network.encode(picture, snr_db)
    >>> network.decode(values, picture.shape[2:], snr_db).shape
    torch.Size([1, 3, 64, 64])
    """
    name = read_config(folder).get("architectures", [None])[0]
    if name == "DeepJSCC2019":
        return DeepJSCC2019.from_pretrained(folder, device=device, dtype=dtype)
    if name == "ADJSCC":
        return ADJSCC.from_pretrained(folder, device=device, dtype=dtype)
    if name == "NestedJSCC":
        return NestedJSCC.from_pretrained(folder, device=device, dtype=dtype)
    raise ValueError(f"{str(folder)!r} holds a {name}; networks here: DeepJSCC2019, ADJSCC, NestedJSCC")
