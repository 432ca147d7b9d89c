"""What systems with models have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bridge.air.transmission import Reception, Transmission
from bridge.systems.context import Context
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0

__all__ = ["SemanticSystem"]


class SemanticSystem(ABC):
    """A picture in; a picture and words out, unless a system says otherwise. All that arrives is read.

    Attributes
    ----------
    context:
        What all systems of a comparison share.
    name:
        In results, and of the family: schemes are options of the one system, not systems of their own.
    modality, delivers, adapts, policy:
        As in `bridge.systems.system.System`.
    roles:
        Models that the options ask for (`bridge.models.ROLES`).
    """

    context: Context
    name: str
    modality: str = "image"
    delivers: tuple[str, ...] = ("image", "text")
    adapts: bool = False
    policy: str = "best-effort"
    roles: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The name."""
        return self.name

    def check(self, channel_uses: int) -> None:
        """Raise ValueError if there is no channel use; what the models' answers take shows when encoding."""
        if channel_uses < 1:
            raise ValueError(f"{self.name} needs at least one channel use, got {channel_uses}")

    @abstractmethod
    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """See `bridge.systems.system.System.encode`."""

    @abstractmethod
    def decode(self, reception: Reception) -> Reconstruction:
        """See `bridge.systems.system.System.decode`."""
