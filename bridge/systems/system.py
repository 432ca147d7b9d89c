"""What a whole system is: a transmitter that encodes a source, a receiver that reconstructs it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.air.transmission import Reception, Transmission
from phy.units import EsN0
from semantic.networks.pixels import Picture

__all__ = ["Reconstruction", "Source", "System"]


@dataclass(frozen=True)
class Source:
    """A picture, a sentence, a vector, or several of these; its arrays are its own copies, and read-only.

    Attributes
    ----------
    name:
        Name in results; of a file whose name is not UTF-8 with its other bytes in hexadecimal.
    image:
        ``[height, width, 3]``, ``uint8``.
    text:
        The sentence.
    embedding:
        The vector, ``[count]``, ``float32``.
    captions:
        Reference captions of the picture: what texts about it are measured by.
    scene:
        What is known of a drawn picture (`semantic.scenes`), to count what is right.
    folder:
        Where `bridge.systems.memory.recall` keeps what transmitters work out; None keeps it in ``memory``
        only.
    memory:
        What transmitters have worked out about this source and may need again, by name of the worker;
        it lives as long as the source.
    origin:
        Reads the image again, for those who cannot hold all; None where it has no file.

    Examples
    --------
    >>> source = Source("grey", np.full((16, 24, 3), 128, np.uint8))
    >>> source.size
    (16, 24)
    >>> source.picture[0, 0] = 0
    Traceback (most recent call last):
    ValueError: assignment destination is read-only
    """

    name: str
    image: Picture | None = None
    text: str | None = None
    embedding: NDArray[np.float32] | None = None
    captions: tuple[str, ...] = ()
    scene: Any = None
    folder: Path | None = None
    memory: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    origin: Callable[[], Picture] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        readable = self.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        object.__setattr__(self, "name", readable)
        for name in ("image", "embedding"):
            array = getattr(self, name)
            if array is not None:
                own = np.array(array)
                own.flags.writeable = False
                object.__setattr__(self, name, own)

    @property
    def picture(self) -> Picture:
        """The image.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.image is None:
            raise ValueError(f"source {self.name!r} has no picture")
        return self.image

    @property
    def vector(self) -> NDArray[np.float32]:
        """The embedding.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.embedding is None:
            raise ValueError(f"source {self.name!r} has no vector")
        return self.embedding

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture; ValueError if there is none."""
        height, width = self.picture.shape[:2]
        return height, width

    @property
    def digest(self) -> str:
        """SHA-256 of the content (not of the name), 16 hexadecimal digits."""
        content = hashlib.sha256((self.text or "").encode())
        for array in (self.image, self.embedding):
            if array is not None:
                content.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return content.hexdigest()[:16]


@dataclass(frozen=True)
class Reconstruction:
    """What a receiver makes of one reception.

    Attributes
    ----------
    image, text, embedding:
        The picture ``[height, width, 3]``, ``uint8``, the sentence, and the vector ``[count]``,
        ``float32``; None for what was not sent.
    failed:
        A payload did not arrive intact, whatever was then made of it.
    remark:
        What was wrong; empty if nothing.
    samples:
        What came by on the way and is worth keeping: texts as received, before correction.

    Examples
    --------
    >>> made = Reconstruction(text="a d0g", failed=True, remark="check sum wrong")
    >>> made.image is None, made.failed
    (True, True)
    """

    image: Picture | None = None
    text: str | None = None
    embedding: NDArray[np.float32] | None = None
    failed: bool = False
    remark: str = ""
    samples: dict[str, str] = field(default_factory=dict)


class System(Protocol):
    """A whole system: whatever has these attributes and methods, `bridge.systems.pixels.text` for one.

    Examples
    --------
    >>> from bridge.air.transmission import transmit
    >>> from bridge.systems.catalog import build_systems
    >>> from phy.channels.flat import AWGN
    >>> from phy.random import Stream
    >>> system: System
    >>> (system,) = build_systems("text-ldpc", AWGN(), "1/2-qpsk")
    >>> transmission = system.encode(Source("dog", text="A dog runs."), None, EsN0(4.0))
    >>> (reception,) = transmit(transmission, EsN0(4.0), [Stream(1)])
    >>> system.decode(reception).text
    'A dog runs.'
    """

    @property
    def name(self) -> str:
        """Name with all that tells it from other systems, as it stands in results."""

    @property
    def family(self) -> str:
        """Systems of one family differ only in their scheme; their envelope is drawn under this name."""

    @property
    def modality(self) -> str:
        """``image``, ``text`` or ``embedding``: the kind of source that the system takes."""

    @property
    def delivers(self) -> tuple[str, ...]:
        """Kinds of what the receiver makes: ``image``, ``text``, ``embedding``."""

    @property
    def adapts(self) -> bool:
        """Whether ``encode`` looks at the SNR."""

    @property
    def policy(self) -> str:
        """What is shown for a payload that failed."""

    def check(self, channel_uses: int) -> None:
        """Raise ValueError if ``channel_uses`` are too few for any payload, without encoding anything."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Transmit ``source`` in at most ``channel_uses``, or in as few as the scheme needs if None.

        Raises
        ------
        phy.units.BudgetExceeded
            If it does not fit; its row is then a failure, with what the policy shows. Whatever else is
            raised is an error, and no row.
        """

    def decode(self, reception: Reception) -> Reconstruction:
        """Reconstruct from what arrived in one trial, and from nothing else."""
