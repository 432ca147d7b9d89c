"""The two ends of a system as a comparison calls them: nothing that they do or return is taken on trust.

::

    source -> copy -> encode -> a Transmission of its budget? -> (transmit) -> decode -> as it says? -> made
          (does not fit)  ------------------ policy ------------------------------------------> made
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.air.transmission import Reception, Transmission
from bridge.systems.pixels.separation import POLICIES
from bridge.systems.system import Reconstruction, Source, System
from phy.units import EsN0

__all__ = ["decode_by", "encode_by", "unsent"]


def encode_by(system: System, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
    """Let a system transmit a copy of a source, whatever it writes into which harms nobody else.

    Parameters
    ----------
    system, source, channel_uses, snr:
        See `bridge.systems.system.System.encode`.

    Raises
    ------
    phy.units.BudgetExceeded
        As the system raises it: the source does not fit.
    ValueError
        If what comes back is no transmission, takes more channel uses than were given, or others than it
        accounts for; or as the system raises it.
    """
    sent = system.encode(replace(source), channel_uses, snr)
    if not isinstance(sent, Transmission):
        raise ValueError(f"{system.name} returned {type(sent).__name__} from encode, not a Transmission")
    uses = sent.channel_uses
    if channel_uses is not None and uses > channel_uses:
        raise ValueError(f"{system.name} sends {uses:,} of at most {channel_uses:,} channel uses")
    if uses != sent.ledger.channel_uses:
        raise ValueError(
            f"{system.name} sends {uses:,} channel uses and accounts for {sent.ledger.channel_uses:,}"
        )
    return sent


def unsent(system: System, source: Source, reason: str) -> Reconstruction:
    """What a receiver shows of a source that did not fit into its channel uses: it heard nothing at all.

    Parameters
    ----------
    system:
        Its policy says which picture; where that is none of `POLICIES`, the mean colour.
    source:
        What was to be sent; the receiver knows its size.
    reason:
        For the remark.

    Returns
    -------
    Reconstruction
        A picture of the policy, an empty text, a vector of zeros: whatever the system delivers.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> mine = SimpleNamespace(delivers=("image", "text"), policy="grey")
    >>> made = unsent(mine, Source("x", np.zeros((16, 16, 3), np.uint8)), "too long")
    >>> made.image[0, 0].tolist(), made.text, made.failed
    ([128, 128, 128], '', True)
    """
    made: dict[str, Any] = {}
    if "image" in system.delivers:
        made["image"] = POLICIES.get(system.policy, POLICIES["mean"])(source.size)
    if "text" in system.delivers:
        made["text"] = ""
    if "embedding" in system.delivers:
        made["embedding"] = np.zeros_like(source.vector)
    return Reconstruction(**made, failed=True, remark=f"not sent: {reason}")


def decode_by(system: System, source: Source, reception: Reception) -> Reconstruction:
    """Let a system reconstruct, and check what it returns against the source's form.

    Parameters
    ----------
    system, reception:
        See `bridge.systems.system.System.decode`.
    source:
        What was sent; the system does not see it.

    Returns
    -------
    Reconstruction
        With everything that the system says it delivers: a picture ``[height, width, 3]`` of ``uint8`` and of
        the size sent, a vector ``[count]`` of finite numbers and of the length sent, text that is Unicode.

    Raises
    ------
    ValueError
        If anything else comes back, naming both; or as the system raises it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> mine = SimpleNamespace(name="mine", modality="embedding", delivers=("embedding",))
    >>> mine.decode = lambda reception: Reconstruction(embedding=np.zeros(3))
    >>> decode_by(mine, Source("x", embedding=np.ones(3, np.float32)), Reception({}))
    Traceback (most recent call last):
    ValueError: mine returned a vector [3] of float64, expected [3] of float32
    """
    made = system.decode(reception)
    if not isinstance(made, Reconstruction):
        raise ValueError(f"{system.name} returned {type(made).__name__} from decode, not a Reconstruction")
    for kind in system.delivers:
        if getattr(made, kind) is None:
            raise ValueError(f"{system.name} returned no {kind}, which it says it delivers")
    if made.image is not None:
        size = source.size if system.modality == "image" else np.shape(made.image)[:2]
        _check_array(system, "a picture", made.image, np.dtype(np.uint8), (*size, 3))
    if made.embedding is not None:
        vector, sent = made.embedding, source.embedding if system.modality == "embedding" else None
        count = np.size(vector) if sent is None else sent.size
        _check_array(system, "a vector", vector, np.dtype(np.float32), (count,))
        if not np.isfinite(vector).all():
            wrong = int(count - np.isfinite(vector).sum())
            raise ValueError(f"{system.name} returned a vector of which {wrong} of {count} are not finite")
    for what, text in (("text", made.text or ""), ("remark", made.remark), *made.samples.items()):
        _check_text(system, what, text)
    return made


def _check_array(
    system: System, what: str, array: object, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{system.name} returned {what} {_kind(array)}, expected {list(shape)} of {dtype}")


def _check_text(system: System, what: str, text: object) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{system.name} returned a {what} that is {_kind(text)}, expected text")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{system.name} returned a {what} that is no Unicode, it has surrogates: {text!r}")


def _kind(value: object) -> str:
    """Shape and type of an array, type of anything else."""
    if isinstance(value, np.ndarray):
        return f"{list(value.shape)} of {value.dtype}"
    return f"of type {type(value).__name__}"
