"""Deep JSCC: a picture as learned symbols, without bits.

::

    picture -> encoder (-- SNR) -> values -> I/Q at unit power -> channel
            -> values of mean square 1/2 -> decoder (-- SNR) -> picture

On the air: k symbols, two values of the network's latent each, and nothing else. The size of the picture is
agreed, so the number of latent channels follows from the length of the transmission; a scale is not needed,
because the decoder was trained at unit power; both ends know the SNR, if the network asks for it.

References
----------
Bourtsoulatze, Burth Kurka and Gündüz, "Deep Joint Source-Channel Coding for Wireless Image Transmission",
IEEE Trans. Cogn. Commun. Netw. 5(3), 2019 (arXiv 1809.01733); other networks in `semantic.networks.jscc`.
"""

from __future__ import annotations

from functools import cached_property

import torch

from bridge.air.transmission import Reception, Transmission
from bridge.systems.context import Context, to_pixels, to_unit
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.values import learned, values_of, within
from bridge.systems.system import Reconstruction, Source, image_of
from phy.units import EsN0
from semantic.zoo.pretrained import read_config

__all__ = ["DeepJSCC"]


class DeepJSCC:
    """A joint source-channel network over an analog link.

    Parameters
    ----------
    context:
        Channel, and the model (jscc).
    channels:
        Latent channels to send, of a nested network. None sends as many as fit into the channel uses given,
        and all of them if none are given.
    """

    modality = "image"
    delivers: tuple[str, ...] = ("image",)
    policy = "best-effort"
    roles: tuple[str, ...] = ("jscc",)

    def __init__(self, context: Context, *, channels: int | None = None, name: str = "deep-jscc") -> None:
        self.context, self.channels = context, channels
        self.name = self.family = name

    @cached_property
    def adapts(self) -> bool:
        """Whether the network asks for the SNR; its settings say so, and its weights stay where they are."""
        config = read_config(self.context.models.folder("jscc"))
        return bool(config.get("snr_adaptive", config.get("architectures") == ["NestedJSCC"]))

    def check(self, channel_uses: int) -> None:
        """Accept any number: what fits depends on the picture and shows when encoding."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the latent, or as much of a nested one as ``channel_uses`` carry.

        Raises
        ------
        ValueError
            If not even the least that the network sends fits.
        """
        models, picture = self.context.models, image_of(source)
        network, shape = models.jscc, picture.shape[:2]
        channels = self.channels
        if channels is None and channel_uses is not None:
            channels = network.channels_within(shape, channel_uses)
        within(self.name, network.channel_uses(shape, channels), channel_uses)
        level = snr.db if network.snr_adaptive else None

        @torch.no_grad()
        def code() -> Arrays:
            values = network.encode(to_unit(picture).to(models.device), self._told(level), channels)
            return {"values": values[0].cpu().numpy()}

        key = f"jscc:{models.identity('jscc')}:{channels}:{level!r}"
        values = torch.from_numpy(recall(source, key, code)["values"])
        return Transmission((learned("picture", values, self.context.channel),), shape)

    @torch.no_grad()
    def decode(self, reception: Reception) -> Reconstruction:
        """Decode the values that arrived."""
        if reception.shape is None:
            raise ValueError("a picture was sent without an agreed size")
        network, heard = self.context.models.jscc, reception.symbols["picture"]
        device = self.context.models.device
        if network.weighs:
            values = torch.view_as_real(heard.symbols).reshape(1, -1).to(device)
            noise = heard.no.repeat_interleave(2)[None].to(device)
            # The sender's SNR: that of a channel of mean power 1.
            told = self._told(float(10 * torch.log10((1 / heard.no.double()).mean())))
            made = network.decode(values, reception.shape, told, noise)
        else:
            weighed, level = values_of(heard)
            told = self._told(level if network.snr_adaptive else None)
            made = network.decode(weighed[None].to(device), reception.shape, told)
        return Reconstruction(to_pixels(made))

    def _told(self, level: float | None) -> torch.Tensor | None:
        """The SNR as the network takes it, ``[1]``."""
        return None if level is None else torch.tensor([level], device=self.context.models.device)
