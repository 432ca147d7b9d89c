"""Payloads to carry, a channel that counts, and what is held against closed forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from bridge.air.analog import Analog
from bridge.air.carriage import Carriage
from bridge.air.transmission import Transmission, transmit
from bridge.payloads import Arrived, EmbeddingPayload, Packed, PictureSlice, SlicePayload, TextPayload
from phy.channels.channel import Channel, SymbolReception
from phy.channels.flat import AWGN
from phy.quantization import parse_quantizer
from phy.random import Stream
from phy.source.pictures.pillow import JPEG
from phy.source.text.coders import parse_text_coder
from phy.units import EsN0

SIGMAS = 4.5  # two-sided probability 7e-6 of a false alarm, for each of some dozen checks


@dataclass(frozen=True)
class Counting:
    """A channel that counts the symbols of one row."""

    inner: Channel = field(default_factory=AWGN)
    sent: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        self.sent.append(symbols.shape[-1])
        return self.inner(symbols, snr, streams, real)


def gaussian(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(count)).float()


def unit_power(count: int, seed: int = 0) -> torch.Tensor:
    values = gaussian(count, seed)
    return values / values.square().mean().sqrt()


def deliver(
    carriage: Carriage, packed: Packed, snr: float, trials: int = 1, uses: int | None = None
) -> list[Arrived]:
    """What arrives of a packed payload, trial by trial."""
    transmission = Transmission(carriage.parts("it", packed, uses))
    receptions = transmit(transmission, EsN0(snr), Stream(1, "test").batch(range(trials)))
    count = 0 if packed.values is None else packed.values.numel()
    return [carriage.collect("it", reception, count) for reception in receptions]


def squared_errors(analog: Analog, sent: torch.Tensor, snr: float, trials: int = 1) -> np.ndarray:
    """Squared error of each value, ``[trials, count]``, with scale 1 agreed on."""
    payload = EmbeddingPayload(sent.numel(), side=(0.0, 1.0))
    arrived = deliver(analog, payload.pack(sent), snr, trials)
    return np.stack([((payload.unpack(each).value - sent) ** 2).double().numpy() for each in arrived])


def check_mean(errors: np.ndarray, expected: float, widest_db: float) -> None:
    """The mean of independent rows is the expected one, known at least as tightly as ``widest_db``."""
    deviation = errors.std(ddof=1) / math.sqrt(errors.size)
    assert abs(errors.mean() - expected) < SIGMAS * deviation
    assert 10 * math.log10(1 + SIGMAS * deviation / expected) < widest_db


def by_symbol(errors: np.ndarray) -> np.ndarray:
    """Errors of the two values of a symbol share its gain; their means are independent."""
    return errors.reshape(-1, 2).mean(axis=1)


def picture() -> PictureSlice:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return PictureSlice(pixels, mask=np.ones((16, 16), bool))


def vector_of(name: str) -> Packed:
    return EmbeddingPayload(300, parse_quantizer(name)).pack(gaussian(300))


PACKED = {
    "vector": lambda: vector_of("lloyd-max:4"),
    "subvectors": lambda: vector_of("pq:2x6"),
    "floats": lambda: vector_of("fp16"),
    "text": lambda: TextPayload(parse_text_coder("huffman")).pack("A dog runs along the beach."),
    "raw": lambda: SlicePayload((16, 16), "raw", masked=True).pack(picture()),
    "file": lambda: SlicePayload((16, 16), JPEG(), budget_bits=9000).pack(picture()),
    "values": lambda: EmbeddingPayload(301).pack(gaussian(301)),
    "pixels": lambda: SlicePayload((16, 16), "analog", masked=True).pack(picture()),
}
