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

from dataclasses import KW_ONLY, dataclass

import torch

from bridge.air.transmission import ArrivedSymbols, Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.memory import recall_values
from bridge.systems.parts.values import learned, values_of, within
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0
from semantic.networks.pixels import to_picture, to_tensor
from semantic.zoo.pretrained import read_config

__all__ = ["DeepJSCC"]


@dataclass(eq=False)
class DeepJSCC(SemanticSystem):
    """A joint source-channel network over an analog link.

    Parameters
    ----------
    context:
        Channel, and the model (jscc).
    channels:
        Latent channels to send, of a nested network. None sends as many as fit into the channel uses given,
        and all of them if none are given.

    Examples
    --------
    >>> import numpy as np
    >>> from bridge.models import load_models, parse_models
    >>> from phy.channels.flat import AWGN
    >>> system = DeepJSCC(Context(AWGN(), models=load_models(parse_models("tiny"))))
    >>> source = Source("grey", np.full((64, 64, 3), 128, np.uint8))
    >>> system.encode(source, 520, EsN0(10.0)).ledger.channel_uses  # 64 channels of 4 x 4 values
    512
    """

    context: Context
    _: KW_ONLY
    channels: int | None = None
    name: str = "deep-jscc"

    delivers = ("image",)
    roles = ("jscc",)

    def __post_init__(self) -> None:
        # The network's settings say whether it asks for the SNR; its weights stay where they are.
        config = read_config(self.context.models.folder("jscc"))
        self.adapts = bool(config.get("snr_adaptive", config.get("architectures") == ["NestedJSCC"]))

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the latent, or as much of a nested one as ``channel_uses`` carry.

        Raises
        ------
        BudgetExceeded
            If not even the least that the network sends fits.
        """
        models, network, channels = self.context.models, self.context.models.jscc, self.channels
        if channels is None and channel_uses is not None:
            within(self.name, network.least_channel_uses(source.size), channel_uses)
            channels = network.channels_within(source.size, channel_uses)
        within(self.name, network.channel_uses(source.size, channels), channel_uses)
        level = snr.db if network.snr_adaptive else None

        def code() -> torch.Tensor:
            pixels = to_tensor(source.picture).to(models.device)
            return network.encode(pixels, self._told(level), channels)[0]

        values = recall_values(source, f"jscc:{models.identity('jscc')}:{channels}:{level!r}", code)
        return Transmission((learned("picture", values, self.context.channel),), source.size)

    @torch.no_grad()
    def decode(self, reception: Reception) -> Reconstruction:
        """Decode the values that arrived."""
        heard, network, device = reception.symbols["picture"], self.context.models.jscc, self._device
        if network.weighs:
            values = torch.view_as_real(heard.symbols).reshape(1, -1).to(device)
            noise = heard.no.repeat_interleave(2)[None].to(device)
            made = network.decode(values, reception.size, self._told(_mean_level(heard)), noise)
        else:
            weighed, level = values_of(heard)
            told = self._told(level if network.snr_adaptive else None)
            made = network.decode(weighed[None].to(device), reception.size, told)
        return Reconstruction(to_picture(made))

    @property
    def _device(self) -> str:
        return self.context.models.device

    def _told(self, level: float | None) -> torch.Tensor | None:
        """The SNR as the network takes it, ``[1]``."""
        return None if level is None else torch.tensor([level], device=self._device)


def _mean_level(heard: ArrivedSymbols) -> float:
    """The sender's SNR in decibels: that of a channel of mean power 1."""
    return float(10 * torch.log10((1 / heard.no.double()).mean()))
