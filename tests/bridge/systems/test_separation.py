"""The separation baseline: budgets are filled, every symbol is counted, failures are shown as agreed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import torch

from bridge.air.schemes import SCHEME_SETS, Scheme, parse_schemes
from bridge.air.transmission import transmit
from bridge.systems.catalog import build_systems
from bridge.systems.pixels.bounds import Bound
from bridge.systems.pixels.separation import POLICIES, Separation
from bridge.systems.system import Source
from phy.channels.channel import SymbolReception
from phy.channels.flat import AWGN, Rayleigh
from phy.coding.decoding import Decoding
from phy.random import Stream
from phy.source.bpg.bpg import BPG
from phy.source.pictures.pillow import JPEG
from phy.units import EsN0


@dataclass
class CountingChannel:
    """Counts what passes through it, and leaves everything else to AWGN."""

    symbols: int = 0
    energy: float = 0.0
    name: str = field(default="awgn")

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        self.symbols += symbols.numel()
        self.energy += float(symbols.abs().square().sum())
        return AWGN()(symbols, snr, streams)


@pytest.fixture(scope="module")
def source() -> Source:
    from semantic.samples.pictures import sample_pictures

    name, image = sample_pictures(size=128)[0]
    return Source(name, image=image)


def streams(count: int = 1) -> list[Stream]:
    return Stream(1, "test").batch(range(count))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "uses", "schemes"),
    [
        ("jpeg-ldpc", 3001, "1/2-qpsk,1/2-qam16,2/3-qam64"),
        ("jpeg-ldpc", 4096, "witt"),
        ("jpeg-uncoded", 3001, "1/2-qpsk,1/2-qam16"),
        ("jpeg-polar", 3001, "1/2-qpsk"),
        ("jpeg-conv", 3001, "1/2-qpsk"),
        ("jpeg-turbo", 2801, "1/2-qpsk"),
    ],
)
def test_ledger_equals_the_symbols_sent(source: Source, name: str, uses: int, schemes: str) -> None:
    channel = CountingChannel()
    for system in build_systems(name, channel, schemes):
        before = channel.symbols
        transmission = system.encode(source, uses, EsN0(10.0))
        transmit(transmission, EsN0(10.0), streams(2))
        ledger = transmission.ledger
        assert ledger.channel_uses == uses
        assert channel.symbols - before == 2 * ledger.channel_uses
        (entry,) = ledger.entries
        information = entry.source_bits + entry.header_bits + entry.filler_bits + entry.crc_bits
        # A rate is a promise: neither more information than it allows, nor more than a block's rounding less.
        assert information <= float(system.scheme.rate) * entry.coded_bits + 1e-9
        assert information > float(system.scheme.rate) * entry.coded_bits - 64
        assert entry.coded_bits == uses * system.scheme.bits_per_symbol


def test_text_ledger_equals_the_symbols_sent() -> None:
    channel = CountingChannel()
    sentence = Source("s", text="A man in a red jacket rides a bicycle along the beach.")
    for system in build_systems("text-ldpc", channel, "1/3-qpsk,1/2-qam16") + build_systems(
        "text-uncoded", channel, "1/2-qpsk"
    ):
        before = channel.symbols
        transmission = system.encode(sentence, None, EsN0(10.0))
        transmit(transmission, EsN0(10.0), streams())
        assert channel.symbols - before == transmission.ledger.channel_uses
        (entry,) = transmission.ledger.entries
        assert entry.source_bits == 8 * len(sentence.text or "")
        assert entry.header_bits == (24 if "uncoded" in system.name else 8)


@pytest.mark.parametrize("name", ["jpeg-ldpc", "jpeg-uncoded"])
def test_unit_power_on_the_air(name: str) -> None:
    """A flat picture leaves most of its block to zeros, which must not sit on the inner points of the QAM."""
    flat = Source("flat", image=np.full((64, 64, 3), 90, np.uint8))
    channel = CountingChannel()
    (system,) = build_systems(name, channel, "1/2-qam16")
    transmission = system.encode(flat, 20_000, EsN0(0.0))
    assert transmission.ledger.entries[0].filler_bits > 10_000
    transmit(transmission, EsN0(0.0), streams())
    # The energy of a 16-QAM point has mean 1 and variance 0.32.
    assert abs(channel.energy / channel.symbols - 1) < 4 * np.sqrt(0.32 / channel.symbols)


@pytest.mark.parametrize("codec", [JPEG(), BPG(preset="ultrafast")], ids=["jpeg", "bpg"])
def test_without_errors_the_picture_is_the_codecs(source: Source, codec: JPEG | BPG) -> None:
    scheme = Scheme(Fraction(1, 2), "qam16", block_bits=6144)
    system = Separation("x", codec, scheme, AWGN(), Decoding())
    transmission = system.encode(source, 8000, EsN0(30.0))
    made = system.decode(transmit(transmission, EsN0(30.0), streams())[0])
    assert not made.failed
    expected = codec.decode(codec.encode(source.image, int(transmission.notes["quality"])), (128, 128))
    assert transmission.notes["scale"] == "1"
    np.testing.assert_array_equal(made.image, expected)


@pytest.mark.parametrize(("policy", "colour"), [("grey", (128, 128, 128)), ("mean", (124, 116, 104))])
def test_failure_policy(source: Source, policy: str, colour: tuple[int, int, int]) -> None:
    (system,) = build_systems("jpeg-ldpc", AWGN(), "1/2-qam16", policy=policy)
    made = system.decode(transmit(system.encode(source, 3000, EsN0(0.0)), EsN0(-5.0), streams())[0])
    assert made.failed and made.remark
    assert made.image is not None and made.image.shape == (128, 128, 3)
    assert (made.image == np.array(colour, dtype=np.uint8)).all()


def test_best_effort_decodes_a_damaged_file(source: Source) -> None:
    (system,) = build_systems("bpg-uncoded", AWGN(), "1-qpsk", policy="best-effort")
    transmission = system.encode(source, 6000, EsN0(7.0))
    flat = POLICIES["best-effort"]((128, 128))
    receptions = transmit(transmission, EsN0(8.5), streams(12))
    made = [system.decode(reception) for reception in receptions]
    assert all(m.image is not None and m.image.shape == (128, 128, 3) for m in made)
    assert any(m.failed and not np.array_equal(m.image, flat) for m in made)
    (strict,) = build_systems("bpg-uncoded", AWGN(), "1-qpsk", policy="mean")
    shown = [strict.decode(reception) for reception in receptions]
    assert all(np.array_equal(m.image, flat) for m in shown if m.failed)


def test_too_small_a_budget_scales_the_picture_down(source: Source) -> None:
    (system,) = build_systems("jpeg-ldpc", AWGN(), "1/2-qpsk")
    transmission = system.encode(source, 3000, EsN0(20.0))
    assert Fraction(str(transmission.notes["scale"])) < 1
    made = system.decode(transmit(transmission, EsN0(20.0), streams())[0])
    assert not made.failed
    assert made.image is not None and made.image.shape == (128, 128, 3)
    from semantic.metrics.image import psnr

    assert psnr(source.image, made.image) > psnr(source.image, POLICIES["mean"]((128, 128))) + 2


def test_impossible_budgets_are_named(source: Source) -> None:
    (system,) = build_systems("jpeg-ldpc", AWGN(), "1/2-qpsk")
    with pytest.raises(ValueError, match="5"):
        system.check(5)
    with pytest.raises(ValueError, match="bytes"):
        system.encode(source, 200, EsN0(0.0))


def test_a_bound_is_an_error_free_codec_at_capacity(source: Source) -> None:
    bound = Bound("jpeg-capacity", JPEG(), "capacity")
    transmission = bound.encode(source, 4096, EsN0(0.0))  # one bit a use: 512 bytes
    (entry,) = transmission.ledger.entries
    assert entry.coded_bits == 4096 and entry.channel_uses == 4096
    assert entry.source_bits <= 4096
    finite = Bound("jpeg-finite-length", JPEG(), "finite-length").encode(source, 4096, EsN0(0.0))
    # Polyanskiy et al. at n = 4096, 0 dB, 1e-3: 0.941 bits a use
    assert finite.ledger.entries[0].coded_bits == pytest.approx(0.941 * 4096, abs=12)


def test_systems_meet_the_same_channel(source: Source) -> None:
    """Two systems under the same streams see the same fades."""
    gains = []

    @dataclass
    class Spy:
        name: str = "rayleigh-block"

        def __call__(
            self, symbols: torch.Tensor, snr: EsN0, own: Sequence[Stream], real: bool = False
        ) -> SymbolReception:
            reception = Rayleigh("block")(symbols, snr, own)
            gains.append(reception.gain[:, 0])
            return reception

    for scheme in ("1/2-qpsk", "1/2-qam16"):
        (system,) = build_systems("jpeg-ldpc", Spy(), scheme)
        transmit(system.encode(source, 3000, EsN0(5.0)), EsN0(5.0), streams(5))
    torch.testing.assert_close(gains[0], gains[1], rtol=0, atol=0)


def test_scheme_sets() -> None:
    assert [scheme.name for scheme in SCHEME_SETS["witt"]] == [
        "1/3-qpsk",
        "1/2-qpsk",
        "2/3-qpsk",
        "1/2-qam16",
        "2/3-qam16",
        "1/2-qam64",
    ]
    (scheme,) = parse_schemes("1/2-16qam@6144")
    assert scheme.name == "1/2-qam16" and scheme.block_bits == 6144
    with pytest.raises(ValueError, match="5/4"):
        parse_schemes("5/4-qpsk")
    with pytest.raises(ValueError, match="nonsense"):
        parse_schemes("nonsense")


def test_unknown_systems_are_named() -> None:
    with pytest.raises(ValueError, match="bpg-magic"):
        build_systems("bpg-magic", AWGN())
    with pytest.raises(ValueError, match="rayleigh"):
        build_systems("bpg-capacity", Rayleigh())
