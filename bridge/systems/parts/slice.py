"""The main object of a picture on a link of its own: found, cut out, made small, written, sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from bridge.air.analog import Analog
from bridge.air.carriage import Carriage, Digital
from bridge.air.schemes import parse_schemes
from bridge.air.transmission import Part, Reception, SymbolPart
from bridge.payloads import PictureSlice, SlicePayload
from bridge.payloads.packed import protect, vote, written
from bridge.systems.context import Context
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.cutting import Cut
from bridge.systems.parts.prompts import Prompt
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.system import Source
from semantic.models.segmentation import main_object
from semantic.networks.pixels import Picture

__all__ = ["SLICES", "SliceLink"]

SLICES = ("raw", "analog", *CODECS)
"""Ways of writing a slice."""

Box = tuple[int, int, int, int]


class SliceLink:
    """The main object as a square, and where it is, if anybody asks.

    A file that did not arrive whole, and values whose scale did not, are no picture: the receiver then has no
    image prompt. Raw pixels and values are shown as they arrive.

    Parameters
    ----------
    context:
        Channel, decoding, and the segmenter.
    form:
        An image codec, ``raw`` bit planes, or ``analog`` values.
    scheme:
        Of all forms but ``analog``.
    cut:
        How the object becomes a square, and of what side at most.
    quality:
        Of the codec where no number of channel uses is given; None is the middle one.
    placed:
        Whether the object's box is sent, and the receiver given a picture to start from: grey, with the
        object in its place.

    Raises
    ------
    ValueError
        If there is no such form or scheme.

    Examples
    --------
    >>> from bridge.models import load_models, parse_models
    >>> from phy.channels.flat import AWGN
    >>> models = load_models(parse_models("segmenter=tiny-scene-segmenter"))
    >>> source = Source("grey", np.full((64, 96, 3), 128, np.uint8))
    >>> link = SliceLink(Context(AWGN(), models=models), "raw", "1/2-qpsk", Cut(side=24))
    >>> square, box = link.cut_out(source)
    >>> square.shape, box  # no object: the picture's centre
    ((24, 24, 3), (16, 24, 48, 72))
    """

    def __init__(
        self,
        context: Context,
        form: str,
        scheme: str,
        cut: Cut,
        quality: int | None = None,
        placed: bool = False,
    ) -> None:
        if form not in SLICES:
            raise ValueError(f"slice must be one of none, {', '.join(SLICES)}, got {form!r}")
        self.context, self.form, self.cut, self.quality, self.placed = context, form, cut, quality, placed
        self.link: Carriage = (
            Analog(context.channel, decoding=context.decoding)
            if form == "analog"
            else Digital(context.channel, parse_schemes(scheme), context.decoding)
        )

    def cut_out(self, source: Source) -> tuple[Picture, Box]:
        """The square that is sent, and the object's box; the segmenter is asked once a source."""
        models, picture = self.context.models, source.picture

        def segment() -> Arrays:
            found = main_object(models.segmenter.labels([picture])[0])
            top, left, bottom, right = found.box
            return {"box": np.array(found.box), "mask": found.mask[top:bottom, left:right]}

        found = recall(source, f"main-object-and-mask:{models.identity('segmenter')}", segment)
        top, left, bottom, right = (int(edge) for edge in found["box"])
        return self.cut.out(picture[top:bottom, left:right], found["mask"]), (top, left, bottom, right)

    def parts(
        self, source: Source, channel_uses: int | None = None
    ) -> tuple[tuple[Part | SymbolPart, ...], int]:
        """Lay the slice on links, a codec's file as good as ``channel_uses`` allow.

        Returns
        -------
        tuple of Part or SymbolPart, int
            And the number of real values among them, which the receiver has to know.

        Raises
        ------
        ValueError
            If it does not fit.
        """
        square, (top, left, bottom, right) = self.cut_out(source)
        fields = self._fields(source.size)
        box = (top, left, bottom - top - 1, right - left - 1) if fields else ()
        place = protect(written(box, fields), self.link.header_repeats)
        packed = self._payload(channel_uses, place.numel()).pack(PictureSlice(square))
        whole = replace(
            packed, bits=torch.cat([place, packed.bits]), header_bits=place.numel() + packed.header_bits
        )
        count = 0 if packed.values is None else packed.values.numel()
        return self.link.parts("slice", whole, channel_uses), count

    def collect(self, reception: Reception) -> Prompt:
        """The slice as it arrived, as an image prompt, and a picture to start from; neither if it is lost."""
        arrived = self.link.collect("slice", reception, reception.count or 0)
        fields = self._fields(reception.size)
        place, bits = vote(arrived.bits, fields, self.link.header_repeats)
        unpacked = self._payload(None, 0).unpack(replace(arrived, bits=bits))
        if unpacked.lost or (self.form in CODECS and arrived.intact is False):
            return Prompt({}, remark=f"no image prompt: {unpacked.remark}")
        square = unpacked.value.pixels
        told = {"images": [square]}
        if fields:
            told["start"] = [self.cut.back(square, _box(place, reception.size), reception.size)]
        return Prompt(told, remark=unpacked.remark)

    def _fields(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Bits of top, left, height - 1 and width - 1 of a box in a picture of this size, if sent."""
        return 2 * tuple((side - 1).bit_length() for side in size) if self.placed else ()

    def _payload(self, channel_uses: int | None, spent: int) -> SlicePayload:
        """How the square is written in ``channel_uses``, of whose bits so many are spent."""
        repeats, shape = self.link.header_repeats, (self.cut.side, self.cut.side)
        if self.form == "raw":
            return SlicePayload(shape, "raw", placed=False, repeats=repeats)
        if self.form == "analog":
            return SlicePayload(shape, "analog", placed=False, repeats=repeats)
        codec = CODECS[self.form]()
        if channel_uses is None or not isinstance(self.link, Digital):
            middle = codec.qualities[len(codec.qualities) // 2]
            quality = middle if self.quality is None else self.quality
            return SlicePayload(shape, codec, quality=quality, placed=False, repeats=repeats)
        room = self.link.room(channel_uses) - spent
        return SlicePayload(shape, codec, budget_bits=room, placed=False, repeats=repeats)


def _box(place: Sequence[int], size: tuple[int, int]) -> Box:
    """The box read, or what of it lies in a picture of this size."""
    top, left = min(place[0], size[0] - 1), min(place[1], size[1] - 1)
    return top, left, min(top + place[2] + 1, size[0]), min(left + place[3] + 1, size[1])
