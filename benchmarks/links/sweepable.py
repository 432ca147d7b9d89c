"""What a sweep needs of a link, the package's own or a researcher's."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.settings.errors import InputError
from phy.lazily import torch
from phy.random import Stream

__all__ = ["Decided", "Sweepable", "check_link"]


class Decided(Protocol):
    """What a link delivers: the bits that were decided, and whatever else it has to tell.

    A link that takes more channel uses for some rows than for others, as HARQ does, also has
    ``channel_uses``, ``[batch]``; they are counted.
    """

    @property
    def bits(self) -> torch.Tensor:
        """Decided information bits, ``[batch, k]``, ``torch.uint8``."""


class Sweepable(Protocol):
    """Anything that carries rows of bits at an SNR, so that its errors can be counted.

    `DigitalLink`, `HarqLink` and `IterativeLink` of `phy.links` are such links, and so is any object of five
    members.

    Examples
    --------
    >>> from phy import AWGN, DigitalLink, Modulation, Uncoded
    >>> link: Sweepable = DigitalLink(Uncoded(1000), Modulation("qpsk"), AWGN())
    >>> link.k, link.channel_uses
    (1000, 500)
    """

    @property
    def name(self) -> str:
        """Its parts, for people."""

    @property
    def k(self) -> int:
        """Information bits a row."""

    @property
    def channel_uses(self) -> int:
        """Complex channel uses a row; of a link that repeats, those of one transmission."""

    def describe(self) -> dict[str, Any]:
        """Everything that its counts depend on, apart from the SNR and the seed, as JSON can hold it.

        Links that share ``channel`` in it meet the same channel at the same SNR.
        """

    def __call__(self, bits: torch.Tensor, snr: Any, streams: Sequence[Stream], /) -> Decided:
        """Send bits ``[batch, k]`` at an Es/N0, with one stream a row for fading and noise.

        The SNR is a `phy.units.EsN0`; of a sweep over probabilities a `phy.units.EventProbability`.
        """


_MEMBERS = ("name", "k", "channel_uses", "describe", "__call__")


def check_link(link: object, place: str = "") -> Sweepable:
    """Return an object that is a link.

    Parameters
    ----------
    link:
        The object.
    place:
        Where it is from; its class unless given.

    Raises
    ------
    InputError
        If it lacks a member of `Sweepable`; names it.
    """
    place = place or type(link).__qualname__
    lacking = [name for name in _MEMBERS if inspect.getattr_static(link, name, None) is None]
    if lacking or isinstance(link, type):
        raise InputError(
            f"{place} is no link, it lacks {', '.join(lacking) or 'an instance'}: a link has name, k, "
            "channel_uses, describe() and __call__(bits, snr, streams)"
        )
    for name in ("k", "channel_uses"):
        value = getattr(link, name)
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name} of {place} must be a positive whole number, got {value!r}")
    return link  # type: ignore[return-value]
