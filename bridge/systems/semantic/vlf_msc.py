"""VLF-MSC: one vision-language feature over the air, words and a picture made from it.

::

    picture -> BLIP-2 -> feature [N, d] -> projection -> 2k values -> I/Q at unit power ------+
                                                     (or quantiser -> bits -> code, QAM)      |
                                                                                           channel
                    +-> language model -> text                                                |
    feature [N, d] -+                             <- projection back <- 2k values, rms 1 -----+
                    +-> bridge, diffusion -> picture

On the air: the 2k values on k symbols; or, quantised, their bits with check sums and parity. The projection
fixes k. Values are scaled to root mean square 1 before they are sent, as symbols of unit power are anyway,
and the receiver takes them at that scale times an agreed constant, so no scale is sent. Agreed, too: the
size of the picture.

What the paper does not say is a choice here: the projection (`semantic.models.projection`), the quantised
variant, and that both receivers read the same feature.

References
----------
Ahn, Seo and Kang, "VLF-MSC: Vision-Language Feature-Based Multimodal Semantic Communication System", arXiv
2511.10074.
"""

from __future__ import annotations

import torch

from bridge.air.transmission import Reception, Transmission
from bridge.systems.context import Context
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.painting import canvas, fitted
from bridge.systems.parts.values import VectorLink
from bridge.systems.system import Reconstruction, Source, image_of
from phy.units import EsN0

__all__ = ["VlfMsc"]


class VlfMsc:
    """BLIP-2's feature, projected to a fixed number of channel uses.

    Parameters
    ----------
    context:
        Channel, decoding, and models (feature, projection, feature-image).
    quantizer:
        None sends values as they are; else a name such as ``lloyd-max:4`` or ``fp32``.
    scheme:
        Of the quantised values: a scheme, or one a bit plane joined by ``|``.
    scale:
        What received values are multiplied by. 1 suits a projection that was trained through the channel;
        one that was only adapted (`semantic.models.projection.FeatureProjection.adapt`) wants the root mean
        square of its values over example features.
    steps, guidance:
        Denoising steps, and guidance of the feature.
    max_tokens:
        Length of the text.
    """

    modality = "image"
    delivers: tuple[str, ...] = ("image", "text")
    adapts = False
    policy = "best-effort"
    roles: tuple[str, ...] = ("feature", "projection", "feature-image")

    def __init__(
        self,
        context: Context,
        *,
        quantizer: str | None = None,
        scheme: str = "1/2-qpsk",
        scale: float = 1.0,
        steps: int = 25,
        guidance: float = 7.5,
        max_tokens: int = 40,
        name: str = "vlf-msc",
    ) -> None:
        if not scale > 0:
            raise ValueError(f"scale of received values must be above 0, got {scale}")
        self.context, self.scale, self.max_tokens = context, scale, max_tokens
        self.steps, self.guidance = steps, guidance
        self.link = VectorLink(context, quantizer, scheme)
        self.name = self.family = name

    def check(self, channel_uses: int) -> None:
        """Accept any number: what the feature takes shows when encoding."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the projected feature.

        Raises
        ------
        ValueError
            If it takes more than ``channel_uses``.
        """
        values = self._values(source)
        parts = self.link.parts("feature", values, channel_uses)
        return Transmission(parts, image_of(source).shape[:2], values.numel())

    def _values(self, source: Source) -> torch.Tensor:
        """Projected feature ``[2k]``."""
        models = self.context.models
        key = f"feature:{models.identity('feature')}"

        def look() -> Arrays:
            return {"feature": models.feature.encode([image_of(source)])[0].numpy()}

        @torch.no_grad()
        def project() -> Arrays:
            feature = torch.from_numpy(recall(source, key, look)["feature"])
            return {"values": models.projection.encode(feature[None].to(models.device))[0].cpu().numpy()}

        projected = recall(source, f"{key}:projection:{models.identity('projection')}", project)
        return torch.from_numpy(projected["values"])

    @torch.no_grad()
    def decode(self, reception: Reception) -> Reconstruction:
        """Make text and picture of the feature that arrived."""
        models = self.context.models
        values, remark = self.link.collect("feature", reception)
        feature = models.projection.decode(self.scale * values[None].to(models.device)).cpu()
        (text,) = models.feature.to_text(feature, max_tokens=self.max_tokens)
        (picture,) = models.feature_image.decode(
            feature,
            seeds=[self.context.seed],
            steps=self.steps,
            guidance=self.guidance,
            size=canvas(reception.shape, models.feature_image.diffusion.size),
        )
        failed = any(arrived.intact is False for arrived in reception.arrived.values())
        picture = fitted(picture, reception.shape)
        return Reconstruction(picture, text, failed=failed, remark=remark, samples={"received": text})
