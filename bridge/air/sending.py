"""One call from values to what a receiver makes of them: `send`, and `send_together` for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bridge.air.carriage import Carriage, Digital, Multiplex
from bridge.air.ledger import Ledger
from bridge.air.transmission import LINKS, Transmission, transmit
from bridge.payloads.packed import Packed, Payload, Unpacked
from phy.random import Stream
from phy.units import EsN0

__all__ = ["Delivery", "Item", "send", "send_together"]

T = TypeVar("T")


@dataclass(frozen=True)
class Item(Generic[T]):
    """A value with the payload that writes it and the carriage that brings it.

    Attributes
    ----------
    payload, value:
        See `bridge.payloads`.
    link:
        See `bridge.air.carriage`; None in a common transport block.
    name:
        In the ledger; different from those of the other items, and without a slash.
    share:
        Part of a common budget of channel uses; None where there is no budget.

    Examples
    --------
    >>> from bridge.payloads import TextPayload
    >>> Item(TextPayload(), "A dog runs.", name="caption", share=0.25).name
    'caption'
    """

    payload: Payload[T]
    value: T
    link: Carriage | None = None
    name: str = "payload"
    share: float | None = None


@dataclass(frozen=True)
class Delivery(Generic[T]):
    """What the receiver has made of one payload.

    Attributes
    ----------
    received:
        One a trial.
    intact:
        Verdict of the check sums, one a trial; None without any.
    ledger:
        What this payload cost.
    """

    received: tuple[Unpacked[T], ...]
    intact: tuple[bool | None, ...]
    ledger: Ledger

    @property
    def values(self) -> list[T]:
        """The received values, one a trial."""
        return [unpacked.value for unpacked in self.received]


def send(
    payload: Payload[T],
    value: T,
    link: Carriage,
    snr: EsN0,
    *,
    seed: int = 1,
    trials: int = 1,
    channel_uses: int | None = None,
) -> Delivery[T]:
    """Send one value at one SNR.

    Parameters
    ----------
    payload, value, link:
        How it is written, what, and how it travels.
    snr:
        Es/N0 a channel use.
    seed, trials:
        Root of fading and noise, and how often; trial ``i`` meets the same channel whatever is sent.
    channel_uses:
        Limit, or what a carriage that fills its channel uses fills.

    Raises
    ------
    ValueError
        If the payload cannot express the value, or the carriage cannot carry it.

    Examples
    --------
    >>> from bridge.air.carriage import Digital
    >>> from bridge.payloads import TextPayload
    >>> from bridge.air.schemes import parse_schemes
    >>> from phy.channels.flat import AWGN
    >>> link = Digital(AWGN(), parse_schemes("1/2-qpsk"))
    >>> send(TextPayload(), "A dog runs.", link, EsN0(5.0)).values
    ['A dog runs.']
    """
    only = Item(payload, value, link)
    return send_together([only], snr, seed=seed, trials=trials, channel_uses=channel_uses)[only.name]


def send_together(
    items: Sequence[Item[Any]],
    snr: EsN0,
    *,
    seed: int = 1,
    trials: int = 1,
    channel_uses: int | None = None,
    multiplexed: Digital | None = None,
    links: str = LINKS[0],
) -> dict[str, Delivery[Any]]:
    """Send several values, each on its own channel uses or all in one transport block.

    Parameters
    ----------
    items:
        The values, in the order of sending.
    snr, seed, trials:
        As for `send`.
    channel_uses:
        Common budget: an item gets its ``share`` of it, equal ones without.
    multiplexed:
        The carriage of a common transport block; None sends each item over its own ``link``.
    links:
        ``sequential``: all items pass one channel one after the other, and share its fading. ``orthogonal``:
        each meets fading and noise of its own (`bridge.air.transmission.LINKS`).

    Returns
    -------
    dict of str to Delivery
        By name.

    Raises
    ------
    ValueError
        If there is no trial, two items have one name, one has no link of its own, or something does not
        fit.

    Examples
    --------
    >>> from bridge.air.carriage import Digital
    >>> from bridge.air.schemes import parse_schemes
    >>> from bridge.payloads import TextPayload
    >>> from phy.channels.flat import AWGN
    >>> link = Digital(AWGN(), parse_schemes("1/2-qpsk"))
    >>> items = [Item(TextPayload(), "A dog runs.", name="a"), Item(TextPayload(), "A cat sits.", name="b")]
    >>> arrived = send_together(items, EsN0(5.0), multiplexed=link)
    >>> arrived["b"].values, arrived["a"].ledger.channel_uses == arrived["b"].ledger.channel_uses
    (['A cat sits.'], True)
    """
    names = [item.name for item in items]
    if not items or len(set(names)) < len(names) or any("/" in name for name in names):
        raise ValueError(f"items, at least one, need different names without a slash; got {names}")
    if trials < 1:
        raise ValueError(f"at least one trial is needed, got {trials}")
    packed = [item.payload.pack(item.value) for item in items]
    if multiplexed is None:
        budgets = _budgets(items, channel_uses)
        parts = [
            _link(item).parts(item.name, each, budget)
            for item, each, budget in zip(items, packed, budgets, strict=True)
        ]
        transmission = Transmission(tuple(part for group in parts for part in group), links=links)
    else:
        own = list(zip(names, packed, strict=True))
        transmission = Transmission(Multiplex(multiplexed).parts(own, channel_uses), links=links)
    receptions = transmit(transmission, snr, Stream(seed, "send").batch(range(trials)))
    arrived = []
    for reception in receptions:
        if multiplexed is not None:
            sizes = [each.bits.numel() for each in packed]
            arrived.append(Multiplex(multiplexed).collect(names, sizes, reception))
        else:
            arrived.append(
                {
                    item.name: _link(item).collect(item.name, reception, _values(each))
                    for item, each in zip(items, packed, strict=True)
                }
            )
    return {
        item.name: Delivery(
            tuple(item.payload.unpack(trial[item.name]) for trial in arrived),
            tuple(trial[item.name].intact for trial in arrived),
            transmission.ledger.of_payload(item.name),
        )
        for item in items
    }


def _link(item: Item[Any]) -> Carriage:
    if item.link is None:
        raise ValueError(f"item {item.name!r} has no link of its own: name one, or send multiplexed")
    return item.link


def _values(packed: Packed) -> int:
    return 0 if packed.values is None else packed.values.numel()


def _budgets(items: Sequence[Item[Any]], channel_uses: int | None) -> list[int | None]:
    if channel_uses is None:
        return [None] * len(items)
    shares = [1 / len(items) if item.share is None else item.share for item in items]
    if min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise ValueError(f"shares of a budget are positive and at most 1 together, got {shares}")
    return [int(channel_uses * share + 1e-9) for share in shares]
