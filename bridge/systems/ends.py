"""The two ends of a system as a comparison calls them: nothing that they do or return is taken on trust.

::

    source -> copy -> encode -> a Transmission? -> (transmit) -> decode -> what the system delivers? -> made
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.air.transmission import Reception, Transmission
from bridge.systems.system import Reconstruction, Source, System
from phy.units import EsN0

__all__ = ["decode_by", "encode_by"]


def encode_by(system: System, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
    """Let a system transmit a copy of a source, whatever it writes into which harms nobody else.

    Parameters
    ----------
    system, source, channel_uses, snr:
        See `bridge.systems.system.System.encode`.

    Raises
    ------
    ValueError
        If what comes back is no transmission, or as the system raises it.
    """
    sent = system.encode(replace(source), channel_uses, snr)
    if not isinstance(sent, Transmission):
        raise ValueError(f"{system.name} returned {type(sent).__name__} from encode, not a Transmission")
    return sent


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
