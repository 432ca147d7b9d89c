"""Deep JSCC of photographs, trained through our analog link.

`nested` trains one network for all SNRs from -4 to 20 dB and CBRs from 1/48 to 1/6; `bourtsoulatze` the 2019
network for one CBR and one SNR; `adaptive` the network of 2021 for one CBR and a range of SNRs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bridge.training.analog import through
from bridge.training.photographs.pictures import Photographs
from bridge.training.trainer import Recipe
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.networks.jscc import ADJSCC, JSCC, DeepJSCC2019, NestedJSCC

__all__ = ["adaptive", "bourtsoulatze", "nested"]


def _loss(
    model: JSCC,
    step: int,
    *,
    data: Photographs,
    batch: int,
    seed: int,
    snr_db: tuple[float, float],
    channels: tuple[int, int] | None,
    device: str,
) -> torch.Tensor:
    """Logarithm of the mean squared error of all crops: they are to each other as parts of one picture."""
    draw = np.random.default_rng([seed, step, 1])
    low, high = snr_db
    level = low + (high - low) * (1 - math.sqrt(draw.random()))  # low ones more often: they are harder
    count = None
    if channels is not None:
        count = 2 * round(math.exp(draw.uniform(math.log(channels[0]), math.log(channels[1]))) / 2)
    crops = data.crops(batch, seed, step).to(device)
    told = torch.full((batch,), level, device=device)
    values = model.encode(crops, told, count)
    streams = Stream(seed, "train", step).batch(range(batch))
    made = model.decode(through(values, AWGN(), level, streams), crops.shape[2:], told)
    return ((made - crops).square().mean() + 1e-5).log()


def _save(model: JSCC, folder: Path) -> None:
    model.save_pretrained(folder, torch.float16)


def nested(
    folders: Sequence[Path],
    *,
    seed: int = 1,
    batch: int = 8,
    side: int = 128,
    width: int = 192,
    depth: int = 3,
    limit: int | None = None,
    device: str = "cpu",
) -> Recipe:
    """One network for all SNRs and rates (`semantic.networks.jscc.NestedJSCC`)."""
    data = Photographs(folders, side, limit)

    def make() -> NestedJSCC:
        model = NestedJSCC(width=width, depth=depth)
        model.fit_linear(data.crops(min(320, 8 * len(data.pictures)), seed, -1 % 2**32))
        return model

    loss = partial(
        _loss, data=data, batch=batch, seed=seed, snr_db=(-4.0, 20.0), channels=(32, 256), device=device
    )
    return Recipe("tiny-jscc", make, loss, _save, rate=1e-3, warm_up=50)


def bourtsoulatze(
    folders: Sequence[Path],
    c: int,
    *,
    snr_db: float = 10.0,
    seed: int = 1,
    batch: int = 16,
    side: int = 64,
    limit: int | None = None,
    device: str = "cpu",
) -> Recipe:
    """The network of Bourtsoulatze et al. (2019) with ``c`` filters, CBR c / 96, at one SNR."""
    data = Photographs(folders, side, limit)
    loss = partial(
        _loss, data=data, batch=batch, seed=seed, snr_db=(snr_db, snr_db), channels=None, device=device
    )
    name = f"jscc-2019-c{c}"
    return Recipe(name, partial(DeepJSCC2019, c), loss, _save, rate=1e-3)


def adaptive(
    folders: Sequence[Path],
    c: int,
    *,
    snr_db: tuple[float, float],
    seed: int = 1,
    batch: int = 16,
    side: int = 64,
    width: int = 256,
    limit: int | None = None,
    device: str = "cpu",
) -> Recipe:
    """ADJSCC of Xu et al. (2021) with ``c`` latent channels, CBR c / 96, told any SNR between two."""
    data = Photographs(folders, side, limit)
    loss = partial(_loss, data=data, batch=batch, seed=seed, snr_db=snr_db, channels=None, device=device)
    return Recipe("jscc", partial(ADJSCC, c, width), loss, _save, rate=1e-4)
