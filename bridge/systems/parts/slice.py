"""The main object of a picture on a link of its own: found, cut out, made small, written, sent."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bridge.air.analog import Analog
from bridge.air.carriage import Carriage, Digital
from bridge.air.schemes import parse_schemes
from bridge.air.transmission import Part, Reception, SymbolPart
from bridge.payloads import PictureSlice, SlicePayload
from bridge.systems.context import Context
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.prompts import Prompt
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.system import Source
from semantic.models.segmentation import main_object

__all__ = ["SLICES", "SliceLink"]

SLICES = ("raw", "analog", *CODECS)
"""Ways of writing a slice."""


class SliceLink:
    """The box of the main object, with its place in the picture.

    Parameters
    ----------
    context:
        Channel, decoding, and the segmenter.
    form:
        An image codec, ``raw`` bit planes, or ``analog`` values.
    scheme:
        Of all forms but ``analog``.
    side:
        The longer side is scaled down to so many pixels before coding (Lanczos).
    quality:
        Of the codec where no number of channel uses is given; None is the middle one.

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
    >>> piece = SliceLink(Context(AWGN(), models=models), "raw", "1/2-qpsk", side=24).cut(source)
    >>> piece.box  # no object: the centre, its longer side scaled down from 48 to 24 pixels
    (16, 24, 32, 48)
    """

    def __init__(
        self, context: Context, form: str, scheme: str, side: int, quality: int | None = None
    ) -> None:
        if form not in SLICES:
            raise ValueError(f"slice must be one of none, {', '.join(SLICES)}, got {form!r}")
        self.context, self.form, self.side, self.quality = context, form, side, quality
        self.link: Carriage = (
            Analog(context.channel, decoding=context.decoding)
            if form == "analog"
            else Digital(context.channel, parse_schemes(scheme), context.decoding)
        )

    def cut(self, source: Source) -> PictureSlice:
        """The slice that is sent; the segmenter is asked once a source."""
        models, picture = self.context.models, source.picture

        def segment() -> Arrays:
            found = main_object(models.segmenter.labels([picture])[0])
            return {"box": np.array(found.box)}

        key = f"main-object:{models.identity('segmenter')}"
        top, left, bottom, right = (int(edge) for edge in recall(source, key, segment)["box"])
        piece = Image.fromarray(picture[top:bottom, left:right])
        piece.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        return PictureSlice(np.asarray(piece), top, left)

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
        packed = self._payload(source.size, channel_uses).pack(self.cut(source))
        count = 0 if packed.values is None else packed.values.numel()
        return self.link.parts("slice", packed, channel_uses), count

    def collect(self, reception: Reception) -> Prompt:
        """The slice as it arrived, grey where no picture can be read, as an image prompt."""
        arrived = self.link.collect("slice", reception, reception.count or 0)
        unpacked = self._payload(reception.size, None).unpack(arrived)
        return Prompt({"images": [unpacked.value.pixels]}, remark=unpacked.remark)

    def _payload(self, size: tuple[int, int], channel_uses: int | None) -> SlicePayload:
        repeats = self.link.header_repeats
        if self.form == "raw":
            return SlicePayload(size, "raw", repeats=repeats)
        if self.form == "analog":
            return SlicePayload(size, "analog", repeats=repeats)
        codec = CODECS[self.form]()
        if channel_uses is None or not isinstance(self.link, Digital):
            middle = codec.qualities[len(codec.qualities) // 2]
            quality = middle if self.quality is None else self.quality
            return SlicePayload(size, codec, quality=quality, repeats=repeats)
        return SlicePayload(size, codec, budget_bits=self.link.room(channel_uses), repeats=repeats)
