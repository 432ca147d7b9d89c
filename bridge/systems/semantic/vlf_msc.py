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

from dataclasses import KW_ONLY, dataclass

import torch

from bridge.air.transmission import Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.memory import recall_values
from bridge.systems.parts.painting import paint
from bridge.systems.parts.values import VectorLink
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0

__all__ = ["VlfMsc"]


@dataclass(eq=False)
class VlfMsc(SemanticSystem):
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

    context: Context
    _: KW_ONLY
    quantizer: str | None = None
    scheme: str = "1/2-qpsk"
    scale: float = 1.0
    steps: int = 25
    guidance: float = 7.5
    max_tokens: int = 40
    name: str = "vlf-msc"

    roles = ("feature", "projection", "feature-image")

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale of received values must be above 0, got {self.scale}")
        self.link = VectorLink(self.context, self.quantizer, self.scheme)

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the projected feature ``[2k]``.

        Raises
        ------
        ValueError
            If it takes more than ``channel_uses``.
        """
        models = self.context.models
        key = f"feature:{models.identity('feature')}"

        def project() -> torch.Tensor:
            feature = recall_values(source, key, lambda: models.feature.encode([source.picture])[0])
            return models.projection.encode(feature[None].to(models.device))[0]

        values = recall_values(source, f"{key}:projection:{models.identity('projection')}", project)
        return Transmission(self.link.parts("feature", values, channel_uses), source.size, values.numel())

    @torch.no_grad()
    def decode(self, reception: Reception) -> Reconstruction:
        """Make text and picture of the feature that arrived."""
        models = self.context.models
        values, remark = self.link.collect("feature", reception)
        feature = models.projection.decode(self.scale * values[None].to(models.device)).cpu()
        (text,) = models.feature.to_text(feature, max_tokens=self.max_tokens)
        how = {"steps": self.steps, "guidance": self.guidance}
        picture = paint(models.feature_image, reception.size, self.context.seed, features=feature, **how)
        samples = {"received": text}
        return Reconstruction(picture, text, failed=reception.failed, remark=remark, samples=samples)
