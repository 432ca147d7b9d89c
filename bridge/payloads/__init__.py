"""Values and how they are written for a channel: what is sent, and what is made of whatever arrives.

``pack`` gives the bits of a value, and the real numbers that an analog payload sends as they are.
``unpack`` never raises on what arrives: a damaged payload is a value too, with a remark that says what was
wrong with it. A payload object holds what both ends have agreed on, and never a value.
"""

from bridge.payloads.embedding import EmbeddingPayload
from bridge.payloads.image import ImagePayload
from bridge.payloads.packed import Arrived, Packed, Payload, Unpacked
from bridge.payloads.slice import PictureSlice, SlicePayload
from bridge.payloads.text import TextPayload

__all__ = [
    "Arrived",
    "EmbeddingPayload",
    "ImagePayload",
    "Packed",
    "Payload",
    "PictureSlice",
    "SlicePayload",
    "TextPayload",
    "Unpacked",
]
