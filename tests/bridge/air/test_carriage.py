"""Carriages against closed forms, and against symbols counted at the channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from bridge.air.analog import HEADER_SCHEME, Analog
from bridge.air.carriage import Carriage, Digital, Fill, Multiplex
from bridge.air.ledger import Entry, Ledger
from bridge.air.names import parse_carriage
from bridge.air.schemes import Scheme, parse_schemes
from bridge.air.transmission import Part, Transmission, transmit
from bridge.payloads import Arrived, EmbeddingPayload, Packed, PictureSlice, SlicePayload, TextPayload
from bridge.payloads.moments import write_moments
from phy.channels.channel import Channel, SymbolReception
from phy.channels.flat import AWGN, Rayleigh
from phy.channels.names import parse_channel
from phy.coding.transport.block import TransportBlock
from phy.links.digital import DigitalLink
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


# -- values on I and Q --------------------------------------------------------------------------------------


@pytest.mark.parametrize("snr", [-5.0, 3.0, 20.0])
def test_output_snr_is_the_channels_on_awgn(snr: float) -> None:
    errors = squared_errors(Analog(AWGN()), unit_power(500_000), snr)
    check_mean(errors, EsN0(snr).no, 0.05)
    assert abs(-10 * math.log10(errors.mean()) - snr) < 0.05


@pytest.mark.parametrize("snr", [-5.0, 3.0, 12.0])
def test_mmse_on_awgn_gains_what_theory_says(snr: float) -> None:
    """The error of the linear estimate is N0 / (1 + N0): output SNR 1 + SNR."""
    errors = squared_errors(Analog(AWGN(), mmse=True), unit_power(600_000), snr)
    check_mean(errors, 1 / (1 + EsN0(snr).linear), 0.05)
    gain = -10 * math.log10(errors.mean()) - snr
    assert gain == pytest.approx(10 * math.log10(1 + EsN0(snr).no), abs=0.05)


@pytest.mark.parametrize("repetition", [2, 3, 5])
def test_repetition_gains_its_decibels_on_awgn(repetition: int) -> None:
    errors = squared_errors(Analog(AWGN(), repetition), unit_power(500_000), 1.0)
    check_mean(errors, EsN0(1.0).no / repetition, 0.05)
    assert -10 * math.log10(errors.mean()) == pytest.approx(1.0 + 10 * math.log10(repetition), abs=0.05)


@pytest.mark.parametrize("snr", [-3.0, 5.0, 15.0])
def test_mmse_on_fast_rayleigh_fading(snr: float) -> None:
    """E[1 / (1 + g s)] over g ~ Exp(1) is exp(1/s) E1(1/s) / s."""
    s = EsN0(snr).linear
    expected = math.exp(1 / s) * special.exp1(1 / s) / s
    by_quadrature = integrate.quad(lambda g: math.exp(-g) / (1 + g * s), 0, math.inf)[0]
    assert expected == pytest.approx(by_quadrature, rel=1e-7)
    errors = squared_errors(Analog(Rayleigh()), unit_power(1_000_000), snr)
    check_mean(by_symbol(errors), expected, 0.07)


def test_mmse_on_fast_rayleigh_fading_with_repetition() -> None:
    """Maximum-ratio combining of three independent gains: g ~ Gamma(3), as the rounds fade apart."""
    s = EsN0(2.0).linear
    expected = integrate.quad(lambda g: stats.gamma(3).pdf(g) / (1 + g * s), 0, math.inf)[0]
    errors = squared_errors(Analog(Rayleigh(), 3), unit_power(500_000), 2.0)
    check_mean(by_symbol(errors), expected, 0.05)


@pytest.mark.parametrize(
    ("channel", "shrinks"), [("awgn", False), ("rayleigh", True), ("rician:k_db=3", True), ("tdl-a", True)]
)
def test_values_are_shrunk_wherever_gains_fade(channel: str, shrinks: bool) -> None:
    sent, values = unit_power(40), {}
    for options in ("", ":mmse"):
        carriage = parse_carriage(f"analog{options}", parse_channel(channel))[1]
        payload = EmbeddingPayload(40, side=(0.0, 1.0))
        (arrived,) = deliver(carriage, payload.pack(sent), 3.0)
        values[options] = arrived.values
    assert torch.equal(values[""], values[":mmse"]) == shrinks


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_only_zero_forcing_over_fading_warns(channel: str) -> None:
    for options in ("", ":mmse", *([":zf"] if channel == "awgn" else [])):
        assert parse_carriage(f"analog{options}", parse_channel(channel))[1].name == f"analog{options}"
    if channel == "rayleigh":
        with pytest.raises(UserWarning, match="analog:zf over rayleigh equalises by zero forcing"):
            parse_carriage("analog:zf", parse_channel(channel))


def test_zero_forcing_on_fast_rayleigh_fading() -> None:
    """The error of a symbol is N0 |w|^2 / |h|^2 with two unit exponentials: P(at most t N0) = t / (1 + t).

    Its mean does not exist, so the whole distribution is compared, by Kolmogorov and Smirnov.
    """
    with pytest.warns(UserWarning, match="mean squared error diverges"):
        forcing = Analog(Rayleigh(), mmse=False)
    errors = by_symbol(squared_errors(forcing, unit_power(400_000), 4.0)) / EsN0(4.0).no
    assert stats.kstest(errors, lambda t: t / (1 + t)).pvalue > 1e-4
    # The median of n draws has deviation 1 / (2 f(1) sqrt(n)) with the density f(1) = 1/4.
    assert np.median(errors) == pytest.approx(1.0, abs=SIGMAS * 2 / math.sqrt(errors.size))


def test_noise_said_is_noise_met() -> None:
    """Squared errors over the variances that the receiver is told have mean 1, gain by gain."""
    sent = unit_power(300_000)
    payload = EmbeddingPayload(sent.numel(), side=(0.0, 1.0))
    with pytest.warns(UserWarning, match="zero forcing"):
        forcing = Analog(Rayleigh(), 2, mmse=False)
    (arrived,) = deliver(forcing, payload.pack(sent), 6.0)
    assert arrived.values is not None and arrived.noise is not None
    ratio = ((arrived.values - sent) ** 2 / arrived.noise).double().numpy()
    assert ratio.mean() == pytest.approx(1.0, abs=SIGMAS * math.sqrt(2 / ratio.size))
    quiet = arrived.noise < arrived.noise.median()
    half = ratio[quiet.numpy()]
    assert half.mean() == pytest.approx(1.0, abs=SIGMAS * math.sqrt(2 / half.size))


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("mmse", [False, True])
def test_odd_numbers_leave_half_a_symbol_alone(count: int, mmse: bool) -> None:
    """``count`` values share the power of (count + 1) / 2 symbols, which is more than half of one each."""
    trials = 6000 // count
    noise = EsN0(0.0).no * count / (count + 1)
    errors = squared_errors(Analog(AWGN(), mmse=mmse), unit_power(count), 0.0, trials)
    expected = noise / (1 + noise) if mmse else noise
    check_mean(errors.mean(axis=1), expected, 0.5)


def test_vectors_of_zeros_arrive_as_zeros() -> None:
    payload = EmbeddingPayload(9)
    for mmse in (False, True):
        (arrived,) = deliver(Analog(AWGN(), mmse=mmse), payload.pack(torch.zeros(9)), 10.0)
        assert torch.equal(payload.unpack(arrived).value, torch.zeros(9))


@pytest.mark.parametrize("side", [None, (0.0, 768**-0.5)])
def test_unit_vectors_with_and_without_a_header(side: tuple[float, float] | None) -> None:
    """With the scale agreed on nothing but the values is sent; both arrive at the SNR of the channel."""
    unit = torch.nn.functional.normalize(gaussian(768), dim=0)
    payload = EmbeddingPayload(768, side=side)
    packed = payload.pack(unit)
    analog = Analog(AWGN())
    parts = analog.parts("it", packed)
    assert [part.name for part in parts] == (["it/header"] if side is None else []) + ["it/values"]
    assert sum(entry.channel_uses for part in parts for entry in part.entries) == 384 + 140 * (side is None)
    arrived = deliver(analog, packed, 10.0, 500)
    errors = torch.stack([(payload.unpack(each).value - unit).square().sum() for each in arrived]).double()
    check_mean(errors.numpy(), 0.1, 0.05)


def test_an_agreed_scale_is_the_one_that_arrives() -> None:
    """Symbols have unit power: a vector ten times as large as agreed arrives at the agreed size."""
    payload = EmbeddingPayload(768, side=(0.0, 1.0))
    (arrived,) = deliver(Analog(AWGN()), payload.pack(10 * unit_power(768)), 80.0)
    assert torch.allclose(payload.unpack(arrived).value, unit_power(768), atol=1e-3)


@pytest.mark.parametrize(("uses", "rounds"), [(140 + 384, 1), (140 + 2 * 384 - 1, 1), (1676, 4), (1677, 4)])
def test_fill_repeats_as_often_as_it_can(uses: int, rounds: int) -> None:
    channel = Counting()
    analog = Analog(channel, None)
    deliver(analog, EmbeddingPayload(768).pack(gaussian(768)), 10.0, uses=uses)
    assert channel.sent == [140 + 384 * rounds]


# -- channel uses and the ledger ----------------------------------------------------------------------------


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
WAYS = [
    *(("vector", f"digital:x:{schemes}", None) for schemes in ("1/2-qpsk", "3/4-qam64", "1-qam16", "1-bpsk")),
    ("vector", "digital:x:1/3-qpsk|1/2-qpsk|2/3-qam16|3/4-qam64", None),
    ("vector", "digital:x:1/3-qpsk|1-qam64", None),
    ("vector", "digital:x:qam16", 777),
    ("subvectors", "digital:x:1/3-qpsk|1/2-qam16", None),
    ("floats", "digital:x:1/3-qpsk|2/3-qam16", None),
    ("floats", "digital:x:1/2-qam16@512", None),
    ("text", "digital:x:1/2-qam256", None),
    ("text", "digital:x:qpsk", 300),
    ("raw", "digital:x:1/2-qpsk|1-qpsk|1-qam16", None),
    ("file", "digital:x:2/3-qam16", None),
    *(("values", f"analog{options}", None) for options in ("", ":repeat=3", ":mmse")),
    ("values", "analog:repeat=fill+mmse", 1000),
    ("pixels", "analog:repeat=2", None),
]


@pytest.mark.parametrize(("what", "way", "uses"), WAYS)
def test_channel_uses_are_symbols_on_the_channel(what: str, way: str, uses: int | None) -> None:
    channel = Counting()
    carriage = parse_carriage(way, channel)[1]
    packed = PACKED[what]()
    parts = carriage.parts("it", packed, uses)
    deliver(carriage, packed, 5.0, 2, uses)
    entries = [entry for part in parts for entry in part.entries]
    assert [sum(entry.channel_uses for entry in entries)] == channel.sent
    assert uses is None or sum(channel.sent) <= uses
    if ":q" in way:
        assert sum(channel.sent) == uses
    assert Ledger.of(entries).of_payload("it").entries == tuple(entries)
    assert Ledger.of(entries).of_payload("i").entries == ()
    for part, entry in zip(parts, entries, strict=True):
        if not isinstance(part, Part):
            assert entry == Entry(entry.payload, 0, 0, 0, 0, 0, entry.channel_uses)
            continue
        assert isinstance(part.link, DigitalLink) and isinstance(part.link.code, TransportBlock)
        form = part.link.code.format
        assert entry.coded_bits == entry.channel_uses * part.link.modulation.bits_per_symbol
        carried = entry.source_bits + entry.header_bits + entry.filler_bits
        assert carried == part.bits.numel() + form.segment_filler
        assert carried + entry.crc_bits == form.blocks * form.block_bits
    for kind in ("source_bits", "header_bits"):
        assert sum(getattr(entry, kind) for entry in entries) == getattr(packed, kind)
    assert sum(part.bits.numel() for part in parts if isinstance(part, Part)) == packed.bits.numel()


def test_eb_is_not_counted_over_headers_of_values() -> None:
    """Bits of the header alone would make Eb the energy of everything over almost nothing."""
    analog = Analog(AWGN()).parts("it", PACKED["values"]())
    assert Ledger.of(entry for part in analog for entry in part.entries).information_bits == 0
    digital = Digital(AWGN(), parse_schemes("1/2-qpsk")).parts("it", PACKED["vector"]())
    assert Ledger.of(entry for part in digital for entry in part.entries).information_bits == 40 + 1200


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_equal_payloads_in_one_block_pay_alike(copies: int) -> None:
    """Shares differ by one at most, add up to what the channel sees, and no separate blocks are cheaper."""
    channel = Counting()
    carriage = Digital(channel, parse_schemes("1/2-qpsk"))
    packed = [(f"text-{i}", PACKED["text"]()) for i in range(copies)]
    (part,) = Multiplex(carriage).parts(packed)
    transmit(Transmission((part,)), EsN0(10.0), [Stream(1, 1)])
    alone = [carriage.parts(name, each)[0].entries[0] for name, each in packed]
    for kind in ("channel_uses", "coded_bits", "crc_bits", "filler_bits"):
        shares = [getattr(entry, kind) for entry in part.entries]
        assert max(shares) - min(shares) <= 1
    for entry, own in zip(part.entries, alone, strict=True):
        assert (entry.payload, entry.source_bits, entry.header_bits) == (
            own.payload,
            own.source_bits,
            own.header_bits,
        )
    total = sum(entry.channel_uses for entry in part.entries)
    assert channel.sent == [total]
    assert total <= sum(entry.channel_uses for entry in alone)
    assert sum(entry.coded_bits for entry in part.entries) == 2 * total


def test_unequal_payloads_in_one_block_pay_by_their_bits() -> None:
    packed = [("vector", PACKED["vector"]()), ("text", PACKED["text"]()), ("raw", PACKED["raw"]())]
    multiplex = Multiplex(Digital(AWGN(), Fill("qam16")))
    (part,) = multiplex.parts(packed, 4001)
    bits = [each.bits.numel() for _, each in packed]
    assert sum(entry.channel_uses for entry in part.entries) == 4001
    for entry, size in zip(part.entries, bits, strict=True):
        assert abs(entry.channel_uses - 4001 * size / sum(bits)) < 1
    (reception,) = transmit(Transmission((part,)), EsN0(25.0), [Stream(1, 1)])
    arrived = multiplex.collect([name for name, _ in packed], bits, reception)
    for name, each in packed:
        assert torch.equal(arrived[name].bits, each.bits)
        assert arrived[name].intact and arrived[name].header_intact
        assert arrived[name].llr is not None


# -- digital vectors ----------------------------------------------------------------------------------------

QUANTIZERS = ["uniform:4,dither", "lloyd-max:3", "mu-law:6", "pq:2x6", "fp32", "fp16", "bf16", "fp8_e4m3"]


@pytest.mark.parametrize("schemes", ["2/3-qam16", "1/3-qpsk|1/2-qpsk|2/3-qam16", "1-qpsk"])
@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_link_without_errors_adds_none(name: str, schemes: str) -> None:
    quantizer = parse_quantizer(name)
    payload = EmbeddingPayload(300, quantizer)
    packed = payload.pack(gaussian(300))
    (arrived,) = deliver(parse_carriage(f"digital:{name}:{schemes}", AWGN())[1], packed, 22.0)
    assert torch.equal(arrived.bits, packed.bits)
    assert arrived.intact is True and arrived.header_intact is True
    got = payload.unpack(arrived)
    assert torch.equal(got.value, payload.unpack(Arrived(packed.bits)).value)
    assert got.remark == ""
    if quantizer.normalized:
        _, mean, scale = write_moments(gaussian(300).double())
        normal = ((gaussian(300).double() - mean) / scale).float()[None]
        wanted = quantizer.decode(quantizer.encode(normal), 300)[0].double() * scale + mean
        assert torch.equal(got.value, wanted.float())
    else:
        assert torch.equal(got.value, quantizer.decode(quantizer.encode(gaussian(300)[None]), 300)[0])


def vector_errors(
    schemes: str, snr: float, trials: int, **options: Any
) -> tuple[np.ndarray, list[Arrived], Packed]:
    """Mean squared error of each trial of 768 values of 4 bits."""
    payload = EmbeddingPayload(768, parse_quantizer("lloyd-max:4"), **options)
    packed = payload.pack(gaussian(768))
    arrived = deliver(parse_carriage(f"digital:x:{schemes}", AWGN())[1], packed, snr, trials)
    errors = [float((payload.unpack(each).value - gaussian(768)).square().mean()) for each in arrived]
    return np.array(errors), arrived, packed


def uses_of(schemes: str) -> int:
    parts = parse_carriage(f"digital:x:{schemes}", AWGN())[1].parts("it", PACKED_768)
    return sum(entry.channel_uses for part in parts for entry in part.entries)


PACKED_768 = EmbeddingPayload(768, parse_quantizer("lloyd-max:4")).pack(gaussian(768))
UNEQUAL, EQUAL = "1/3-qpsk|1/2-qpsk|2/3-qpsk|5/6-qpsk", "1/2-qpsk"


@pytest.mark.parametrize("policy", ["zero", "best-effort"])
def test_unequal_protection_keeps_the_first_planes(policy: str) -> None:
    """Where the scheme of the middle fails, falling protection still brings the sign of every value."""
    assert uses_of(UNEQUAL) <= uses_of(EQUAL)
    unequal, arrived, packed = vector_errors(UNEQUAL, -0.2, 20, policy=policy)
    equal, blocks, _ = vector_errors(EQUAL, -0.2, 20, policy=policy)
    first = packed.sections(4)[0]
    assert all(each.header_intact for each in arrived)
    assert all(torch.equal(each.bits[: first.numel()], first) for each in arrived)
    assert not any(each.intact for each in arrived) and not any(each.intact for each in blocks)
    # A wrong scale makes some errors enormous, so trials are counted, not averaged.
    assert stats.binomtest(int((unequal < equal).sum()), 20, alternative="greater").pvalue < 1e-3
    if policy == "zero":
        difference = equal - unequal
        assert difference.mean() > SIGMAS * difference.std(ddof=1) / math.sqrt(20) > 0


def test_soft_reading_lowers_the_error_where_blocks_fail() -> None:
    agreed = {"side": (0.0, 1.0), "policy": "best-effort"}
    for schemes, snr in ((UNEQUAL, -0.2), (EQUAL, 0.0), ("1-qam16", 8.0)):
        hard, arrived, _ = vector_errors(schemes, snr, 20, **agreed)
        soft, _, _ = vector_errors(schemes, snr, 20, soft=True, **agreed)
        assert not any(each.intact for each in arrived)
        gain = hard - soft
        assert gain.mean() > SIGMAS * gain.std(ddof=1) / math.sqrt(20) > 0


def test_soft_reading_changes_nothing_where_blocks_arrive() -> None:
    hard, arrived, _ = vector_errors(EQUAL, 4.0, 5)
    soft, _, _ = vector_errors(EQUAL, 4.0, 5, soft=True)
    assert all(each.intact for each in arrived)
    np.testing.assert_allclose(soft, hard, rtol=1e-3)


@pytest.mark.parametrize(("modulation", "snr"), [("qpsk", 4.0), ("qpsk", 8.0), ("qam16", 10.0)])
def test_reliability_is_the_fraction_of_right_values(modulation: str, snr: float) -> None:
    """Uncoded, where soft bits are exact: in every tenth of the values, by their own reliability."""
    payload = EmbeddingPayload(768, parse_quantizer("lloyd-max:4"), policy="best-effort")
    packed = payload.pack(gaussian(768))
    header = packed.header_bits
    arrived = deliver(parse_carriage(f"digital:x:1-{modulation}", AWGN())[1], packed, snr, 40)
    sent = packed.bits[header:].reshape(4, 768)
    right = torch.stack([(each.bits[header:].reshape(4, 768) == sent).all(0) for each in arrived]).flatten()
    trust = torch.stack([payload.unpack(each).reliability for each in arrived]).flatten().double()  # type: ignore[arg-type]
    for group in trust.argsort().tensor_split(10):
        expected = trust[group].mean()
        spread = (trust[group] * (1 - trust[group])).sum().sqrt() / group.numel()
        assert abs(right[group].double().mean() - expected) <= SIGMAS * spread + 1e-4


@pytest.mark.parametrize(
    ("policy", "remark"), [("zero", "check sum wrong"), ("best-effort", "check sum wrong")]
)
def test_policy_of_a_vector_whose_block_failed(policy: str, remark: str) -> None:
    payload = EmbeddingPayload(768, parse_quantizer("lloyd-max:4"), policy=policy)
    arrived = deliver(parse_carriage(f"digital:x:{EQUAL}", AWGN())[1], PACKED_768, -3.0, 3)
    for each in arrived:
        got = payload.unpack(each)
        assert remark in got.remark
        assert (policy == "zero") == bool((got.value == 0).all())


def test_a_caption_of_few_bits_pays_for_its_length_once() -> None:
    """21 letters in 261 channel uses at 0 dB: 8 bits of length leave a rate that fails once in 20 times.

    A length of 16 bits three times made 64 % of such blocks fail (600 blocks each, an independent script).
    """
    payload = TextPayload(parse_text_coder("latin-1"))
    packed = payload.pack("A dog runs at a beach")
    assert (packed.bits.numel(), packed.source_bits) == (8 + 168, 168)
    arrived = deliver(Digital(AWGN(), Fill("qpsk")), packed, 0.0, 600, 261)
    failures = sum(not each.intact for each in arrived)
    low, high = stats.binomtest(failures, 600).proportion_ci(0.9999)
    assert low < 0.052 < high < 0.105


# -- what does not fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "way", "uses", "words"),
    [
        ("text", "analog", None, "digital carriage"),
        ("values", "digital:x:1/2-qpsk", None, "analog carriage"),
        ("text", "digital:x:1/3-qpsk|1/2-qpsk", None, "1 bit plane"),
        ("vector", "digital:x:1/3-qpsk|1/2-qpsk|1/2-qpsk|1/2-qpsk|1/2-qpsk", None, "5 schemes"),
        ("vector", "digital:x:qpsk", None, "number of channel uses"),
        ("vector", "digital:x:qpsk", 600, "at least 662 channel uses"),
        ("vector", "digital:x:qpsk", 0, "the 0 given"),
        ("vector", "digital:x:1/2-qpsk", 1255, "1256 channel uses"),
        ("values", "analog", 290, "290"),
        ("values", "analog:repeat=fill", None, "number of channel uses"),
        ("values", "analog:repeat=fill", 290, "290"),
    ],
)
def test_what_does_not_fit_is_named(what: str, way: str, uses: int | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_carriage(way, AWGN())[1].parts("it", PACKED[what](), uses)


@pytest.mark.parametrize("modulation", ["bpsk", "qpsk", "qam64"])
@pytest.mark.parametrize("what", ["text", "vector", "floats", "file"])
def test_the_fewest_channel_uses_named_do(what: str, modulation: str) -> None:
    """A payload that fills its channel uses takes one symbol less only with an error, whatever its size."""
    packed, carriage = PACKED[what](), Digital(AWGN(), Fill(modulation))
    with pytest.raises(ValueError, match="at least") as caught:
        carriage.parts("it", packed, 1)
    least = int(str(caught.value).split("at least ")[1].split()[0])
    assert carriage.parts("it", packed, least)[0].entries[0].channel_uses == least
    with pytest.raises(ValueError, match="at least"):
        carriage.parts("it", packed, least - 1)


def test_blocks_take_one_scheme_and_bits() -> None:
    with pytest.raises(ValueError, match="one scheme"):
        Multiplex(Digital(AWGN(), parse_schemes("1/2-qpsk,1/2-qam16"))).parts([("text", PACKED["text"]())])
    with pytest.raises(ValueError, match="payloads of bits"):
        Multiplex(Digital(AWGN(), parse_schemes("1/2-qpsk"))).parts([("values", PACKED["values"]())])


def test_impossible_carriages_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one scheme"):
        Digital(AWGN(), ())
    with pytest.raises(ValueError, match="got 0"):
        Analog(AWGN(), 0)


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        ("digital:lloyd-max:4:1/2-qam16", "1/2-qam16", "lloyd-max:4"),
        ("digital:uniform:4,dither:1/3-qpsk|1/2-qam16", "1/3-qpsk|1/2-qam16", "uniform:4,dither"),
        ("digital:fp16:qam64", "qam64", "fp16"),
        ("digital:latin-1|huffman:1-qpsk", "1-qpsk", "latin-1|huffman"),
        ("analog", "analog", ""),
        ("analog:repeat=2+mmse", "analog:repeat=2+mmse", ""),
        ("analog:repeat=fill", "analog:repeat=fill", ""),
        ("analog:repeat=fill+zf", "analog:repeat=fill+zf", ""),
    ],
)
def test_carriages_are_read_from_their_names(text: str, name: str, form: str) -> None:
    read, carriage = parse_carriage(text, AWGN())
    assert (read, carriage.name) == (form, name)


def test_the_whole_rate_is_no_code() -> None:
    carriage = parse_carriage("digital:fp16:1-qpsk|1/2-qpsk", AWGN())[1]
    assert isinstance(carriage, Digital) and isinstance(carriage.schemes, tuple)
    assert [scheme.code for scheme in carriage.schemes] == ["none", "ldpc5g"]
    assert isinstance(HEADER_SCHEME, Scheme)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("carrier-pigeon", "carrier-pigeon"),
        ("digital", "digital:FORM:SCHEMES"),
        ("digital:1/2-qpsk", "digital:FORM:SCHEMES"),
        ("digital:fp16:", "digital:FORM:SCHEMES"),
        ("digital:fp16:qam5", "qam5"),
        ("digital:fp16:9/8-qpsk", "9/8"),
        ("analog:loud", "'loud'"),
        ("analog:repeat=0", "got 0"),
        ("analog:repeat=-1", "repeat=-1"),
        ("analog:mmse=2", "mmse=2"),
        ("analog:mmse+zf", "got 'zf'"),
        ("analog:repeat=2+repeat=3", "got 'repeat=3'"),
    ],
)
def test_what_is_no_carriage_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_carriage(text, AWGN())
