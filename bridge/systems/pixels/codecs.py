"""Image codecs by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from phy.source.bpg.bpg import BPG
from phy.source.pictures.codec import ImageCodec
from phy.source.pictures.pillow import AVIF, HEIF, JPEG, JPEG2000, WebP

__all__ = ["CODECS"]

CODECS: dict[str, Callable[[], ImageCodec]] = {
    "bpg": partial(BPG, chroma="444"),
    "bpg-420": partial(BPG, chroma="420"),
    "bpg-422": partial(BPG, chroma="422"),
    "bpg-gray": partial(BPG, chroma="gray"),
    "jpeg": JPEG,
    "jpeg2000": JPEG2000,
    "webp": WebP,
    "avif": AVIF,
    "heif": HEIF,
}
"""Image codecs by name."""
