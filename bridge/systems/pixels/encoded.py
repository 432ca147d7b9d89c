"""Files that codecs make of pictures, kept on disk from one run to the next.

So one more SNR, scheme or trial of a comparison encodes little anew. A file is known by the pixels, the
codec with its settings and the versions of its libraries, scale and quality. It lies beside the machine code
of this state of the sources (`phy.compiling.cache_folder`), which does not tell one state of a codec of one's
own from another: its files live as long as the picture. ``semphy cache`` shows what there is, and clears it.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import diskcache

from bridge.systems.system import Source
from phy.compiling import cache_folder
from phy.source.pictures.budget import Encodings
from phy.source.pictures.codec import ImageCodec
from semantic.zoo.digests import digest_of

__all__ = ["LARGEST", "encodings_of"]

LARGEST = 2**30
"""Bytes kept; what was not used for the longest time goes first."""

_BROKEN = (OSError, sqlite3.Error, diskcache.Timeout, EOFError)  # a full disk, a file that somebody cut


def encodings_of(codec: ImageCodec, source: Source) -> Encodings:
    """Return the memory of this picture's encodings, shared by all systems with an equal codec."""
    own = not type(codec).__module__.startswith("phy.")
    return source.memory.setdefault(codec.name, (Encodings if own else _Kept)(codec, source.picture))


class _Kept(Encodings):
    @cached_property
    def _digest(self) -> str:
        shape = " ".join(map(str, self.image.shape))
        return digest_of(f"{self.codec!r} {self.codec.version} {shape}", self.image.tobytes())

    def _make(self, scale_index: int, quality: int) -> bytes:
        place = cache_folder()
        cache = None if place is None else _open(place / "encoded")
        if cache is None:
            return super()._make(scale_index, quality)
        key, found = f"{self._digest} {scale_index} {quality}", None
        with suppress(*_BROKEN):
            found = cache.get(key)
        if not isinstance(found, bytes):
            found = super()._make(scale_index, quality)
            with suppress(*_BROKEN):
                cache.set(key, found)
        return found


@lru_cache(maxsize=1)
def _open(folder: Path) -> Any:
    """The files in a folder; None where nothing can be kept."""
    try:
        return diskcache.Cache(folder, size_limit=LARGEST, eviction_policy="least-recently-used")
    except _BROKEN:
        return None
