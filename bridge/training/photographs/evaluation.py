"""How good the models of photographs are: segmenters on masks, joint source-channel networks by PSNR."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from bridge.training.analog import weighed
from bridge.training.figures import Baseline, Figure, Mean
from bridge.training.photographs.masked import read_mask
from bridge.training.segmentation import Labels, agreement, box_in_the_middle, mask_figures
from phy.channels.channel import Channel
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.metrics.image import psnr
from semantic.models.segmentation import VOC_CLASSES, main_object
from semantic.networks.jscc import JSCC, NestedJSCC
from semantic.networks.pixels import Picture, to_picture, to_tensor
from semantic.samples.downloads import DATA_SETS
from semantic.samples.pictures import read_picture

__all__ = [
    "ChannelAt",
    "Masked",
    "jscc_figures",
    "linear_code",
    "masked_photographs",
    "segmenter_figures",
    "untrained",
]


class Masked(NamedTuple):
    """Files of a photograph and of its mask."""

    picture: Path
    mask: Path


def masked_photographs(folder: Path, count: int) -> list[Masked]:
    """Find photographs with masks, and read each once, so that what cannot be read shows at once.

    Parameters
    ----------
    folder:
        With ``JPEGImages`` and ``SegmentationClass``. Where it has all photographs of Pascal VOC 2012 that
        were set apart from training (``voc2012:eval``), these alone are taken.
    count:
        Take only the first so many, by name.

    Raises
    ------
    ValueError
        If there are no masks, none of them shows an object, or a file cannot be used; names it.
    """
    listed = DATA_SETS["voc2012"].parts["eval"].names
    there = {mask.stem: mask for mask in folder.glob("SegmentationClass/*.png")}
    names = listed if there.keys() >= set(listed) else sorted(there)
    pairs = [Masked(folder / "JPEGImages" / f"{name}.jpg", there[name]) for name in names[:count]]
    found = [main_object(read_mask(mask, read_picture(picture).shape)).found for picture, mask in pairs]
    if not any(found):
        raise ValueError(f"{folder} has no masks with objects: SegmentationClass/NAME.png is what is read")
    return pairs


def segmenter_figures(found_by: Labels, photographs: Sequence[Masked]) -> Iterator[Figure]:
    """Hold a segmenter of Pascal VOC's classes against masks.

    Parameters
    ----------
    found_by:
        The segmenter.
    photographs:
        Of `masked_photographs`.
    """
    found, middle = [], []
    for file, mask in photographs:
        picture = read_picture(file)
        truth = read_mask(mask, picture.shape)
        (said,) = found_by.labels([picture])
        found.append(agreement(said, truth, len(VOC_CLASSES)))
        middle.append(agreement(box_in_the_middle(truth), truth, len(VOC_CLASSES)))
    yield from mask_figures(found, middle)


class ChannelAt(NamedTuple):
    """How values travel: channel, and Es/N0 in decibels."""

    channel: Channel
    snr_db: float

    def __str__(self) -> str:
        """Return ``4dB`` on AWGN, ``rayleigh,4dB`` elsewhere."""
        level = f"{self.snr_db:g}dB"
        return level if isinstance(self.channel, AWGN) else f"{self.channel.name},{level}"


def jscc_figures(
    network: JSCC,
    baselines: Mapping[str, JSCC],
    pictures: Sequence[Picture],
    conditions: Sequence[ChannelAt],
    seed: int,
    *,
    cbr: float | None = None,
) -> Iterator[Figure]:
    """PSNR of pictures after joint source-channel coding.

    Parameters
    ----------
    network:
        The network.
    baselines:
        Others by name, on the same channel uses and noise: one figure each.
    pictures:
        Each ``[H, W, 3]``.
    conditions:
        Channels and SNRs, one figure each.
    seed:
        Of fading and noise.
    cbr:
        Complex channel uses over 3 H W; None is all that the network sends.
    """
    uses = [_channel_uses(network, picture, cbr) for picture in pictures]
    for condition in conditions:
        ours = _psnrs(network, pictures, uses, condition, seed)
        for name, other in baselines.items():
            theirs = Baseline(name, _psnrs(other, pictures, uses, condition, seed))
            yield Figure("psnr", str(condition), ours, theirs, unit="dB")


def _channel_uses(network: JSCC, picture: Picture, cbr: float | None) -> int:
    """What the network takes of the channel uses that are allowed."""
    shape = picture.shape[:2]
    allowed = None if cbr is None else network.channels_within(shape, round(cbr * picture.size))
    return network.channel_uses(shape, allowed)


def _psnrs(
    network: JSCC, pictures: Sequence[Picture], uses: Sequence[int], condition: ChannelAt, seed: int
) -> Mean:
    streams = Stream(seed, "evaluation").batch(range(len(pictures)))
    sent = zip(pictures, uses, streams, strict=True)
    return Mean(
        tuple(psnr(each, _sent(network, each, count, condition, stream)) for each, count, stream in sent)
    )


@torch.no_grad()
def _sent(network: JSCC, picture: Picture, uses: int, condition: ChannelAt, stream: Stream) -> Picture:
    shape, told = picture.shape[:2], torch.tensor([condition.snr_db])
    values = network.encode(to_tensor(picture), told, network.channels_within(shape, uses))
    heard, noise = weighed(values, *condition, [stream])
    return to_picture(network.decode(heard, shape, told, noise if network.weighs else None))


def untrained(network: NestedJSCC) -> NestedJSCC:
    """Copy a network as it was before training: the linear code and Wiener's two filters.

    What its blocks add starts at zero, and the code is not trained.
    """
    before = copy.deepcopy(network)
    for parameter in before.windows.head.parameters():
        nn.init.zeros_(parameter)
    return before


class _AsTheyAre(nn.Module):
    """Leaves planes as Wiener's filter over frequencies left them."""

    def forward(self, planes: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        """Return the planes."""
        return planes


def linear_code(network: NestedJSCC) -> NestedJSCC:
    """Copy a network without its windows: the linear code with Wiener's filter over frequencies alone."""
    before = copy.deepcopy(network)
    before.windows = _AsTheyAre()  # type: ignore[assignment]
    return before
