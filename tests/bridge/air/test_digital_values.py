"""Vectors over digital links: protection, soft reading, reliability, policies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from tiny.carriages import (
    SIGMAS,
    deliver,
    gaussian,
)

from bridge.air.carriage import Digital, Fill
from bridge.air.names import parse_carriage
from bridge.payloads import Arrived, EmbeddingPayload, Packed, TextPayload
from bridge.payloads.moments import write_moments
from phy.channels.flat import AWGN
from phy.quantization import parse_quantizer
from phy.source.text.coders import parse_text_coder

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
