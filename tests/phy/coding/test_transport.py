"""Transport blocks: bit for bit against reference chains, segmentation against the clause, verdicts."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import py3gpp
import pytest
import torch
from scipy.stats import fisher_exact
from sionna.phy.fec.ldpc import LDPC5GEncoder

from phy.channels.flat import AWGN
from phy.coding.decoding import Decoding
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.scrambling import gold_sequence, scrambling_sequence
from phy.coding.transport.block import TransportBlock, TransportFormat
from phy.links.passage import Passage
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0

VECTORS = (0, 1, 2, 3, 4, 5, 7)


def clean_llr(coded: torch.Tensor) -> torch.Tensor:
    return 16.0 * coded - 8.0


def reference_format(
    payload: int, coded: int, bits_per_symbol: int, layers: int, rate: float
) -> TransportFormat:
    """Format of a reference chain; with several layers E_r are multiples of N_L Q_m (clause 5.4.2.1)."""
    fmt = TransportFormat.fixed(payload, coded // bits_per_symbol, bits_per_symbol, rate)
    per_layer = TransportFormat.fixed(
        payload, coded // (bits_per_symbol * layers), bits_per_symbol * layers, rate
    )
    return dataclasses.replace(fmt, block_lengths=per_layer.block_lengths)


@pytest.mark.parametrize("case", VECTORS)
def test_encoder_equals_reference_chain(data_dir: Path, case: int) -> None:
    vector = np.load(data_dir / f"reference/ldpc/sionna_tb/tb_testcase_{case}.npz")
    fmt = reference_format(
        vector["u_ref"].shape[1],
        vector["c_ref"].shape[1],
        int(vector["num_bits_per_symbol"]),
        int(vector["num_layers"]),
        float(vector["coderate"]),
    )
    word = torch.from_numpy(vector["u_ref"]).to(torch.uint8)
    assert fmt.segment_filler == 0  # the standard's transport block sizes need none
    coded = TransportBlock(fmt).encode(word)
    np.testing.assert_array_equal(coded.numpy(), vector["c_ref_no_scr"])
    scrambled = TransportBlock(fmt, scrambling=(int(vector["n_rnti"]), int(vector["n_id"]))).encode(word)
    np.testing.assert_array_equal(scrambled.numpy(), vector["c_ref"])


def test_decoder_recovers_a_scrambled_reference_chain(data_dir: Path) -> None:
    vector = np.load(data_dir / "reference/ldpc/sionna_tb/tb_testcase_0.npz")
    fmt = reference_format(9992, 20004, 4, 1, 0.5)
    block = TransportBlock(fmt, decoding=Decoding(iterations=10), scrambling=(1, 42))
    decoded = block.decode(clean_llr(torch.from_numpy(vector["c_ref"]).float()))
    np.testing.assert_array_equal(decoded.bits.numpy(), vector["u_ref"])
    assert decoded.crc_ok is not None
    assert decoded.crc_ok.all()


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.75])
@pytest.mark.parametrize("payload", [24, 292, 293, 3824, 3825, 3840, 8424, 8425, 20000, 60001])
def test_segmentation_equals_py3gpp(payload: int, rate: float) -> None:
    fmt = TransportFormat.for_payload(payload, 2, rate)
    info = py3gpp.nrDLSCHInfo(payload, rate)
    assert (fmt.tb_crc_bits, fmt.base_graph, fmt.blocks) == (info["L"], info["BGN"], info["C"])
    assert fmt.cb_crc_bits == info["Lcb"]
    segments = TransportBlock(fmt).segment(bits([Stream(1, payload)], payload))
    with_crc = py3gpp.nrCRCEncode(
        bits([Stream(1, payload)], payload)[0].numpy().astype(int), "16" if info["L"] == 16 else "24A"
    )
    expected = py3gpp.nrCodeBlockSegmentLDPC(with_crc[:, 0], info["BGN"])[: fmt.block_bits]
    np.testing.assert_array_equal(segments[0].numpy().T, expected)


@pytest.mark.parametrize("rate", [Fraction(1, 8), Fraction(1, 3), Fraction(2, 3), Fraction(9, 10)])
@pytest.mark.parametrize("bits_per_symbol", [1, 2, 6])
@pytest.mark.parametrize("channel_uses", [200, 1001, 6144, 16384])
def test_payload_is_the_largest_that_fits(channel_uses: int, bits_per_symbol: int, rate: Fraction) -> None:
    fmt = TransportFormat.for_channel_uses(channel_uses, bits_per_symbol, rate)
    coded = channel_uses * bits_per_symbol
    assert fmt.channel_uses == channel_uses
    assert fmt.coded_bits == coded == sum(fmt.block_lengths)
    assert all(length % bits_per_symbol == 0 for length in fmt.block_lengths)
    assert max(fmt.block_lengths) - min(fmt.block_lengths) in (0, bits_per_symbol)
    assert list(fmt.block_lengths) == sorted(fmt.block_lengths)
    assert fmt.blocks * fmt.block_bits == fmt.payload_bits + fmt.crc_bits + fmt.filler_bits <= rate * coded
    larger = TransportFormat.for_payload(fmt.payload_bits + 1, bits_per_symbol, rate)
    assert larger.blocks * larger.block_bits > rate * coded


def test_blocks_of_the_jscc_literature() -> None:
    """16 blocks of 6144 coded bits at rate 2/3 carry 4096 each, check sums included."""
    fmt = TransportFormat.for_channel_uses(16 * 6144 // 4, 4, Fraction(2, 3), round(6144 * Fraction(2, 3)))
    assert fmt.block_lengths == (6144,) * 16
    assert (fmt.block_bits, fmt.filler_bits) == (4096, 0)
    assert fmt.payload_bits == 16 * (4096 - 24) - 24


@pytest.mark.parametrize(("rate", "graph"), [("1/3", 2), ("1/2", 2), ("2/3", 1)])
def test_short_blocks_have_the_base_graph_of_a_lone_code(rate: str, graph: int) -> None:
    """WITT and SwinJSCC build Sionna's code of rate * 6144 of 6144 bits, however long the file is."""
    k = round(6144 * Fraction(rate))
    fmt = TransportFormat.for_channel_uses(16 * 6144 // 4, 4, Fraction(rate), k)
    assert f"bg{fmt.base_graph}" == LDPC5GEncoder(k, 6144)._bg == f"bg{graph}"
    assert (fmt.block_bits, fmt.block_lengths) == (k, (6144,) * 16)
    assert TransportFormat.for_channel_uses(16 * 6144 // 4, 4, Fraction(rate)).base_graph == 1  # clause 7.2.2


@pytest.mark.slow
def test_short_blocks_fail_as_seldom_as_the_lone_code() -> None:
    """1/2 16-QAM at 5.8 dB: on base graph 1, which is 0.2 dB worse, 0.71 of the blocks fail, on 2 0.44."""
    passage = Passage(Modulation("qam16"), AWGN())
    fmt = TransportFormat.for_channel_uses(4 * 1536, 4, 0.5, 3072)
    lone, other = (LDPC5G(3072, 6144, bits_per_symbol=4, base_graph=graph) for graph in (2, 1))
    wrong = {}
    for code, rows in ((TransportBlock(fmt), 60), (lone, 240), (other, 240)):
        streams = Stream(7).batch(range(rows))
        sent = bits([stream.child("bits") for stream in streams], code.k)
        decoded = code.decode(passage.llr(code.encode(sent), EsN0(5.8), streams))
        failed = (decoded.bits != sent).any(dim=1) if decoded.block_ok is None else ~decoded.block_ok
        assert failed.numel() == 240
        wrong[code] = [int(failed.sum()), 240 - int(failed.sum())]
    block, same, worse = wrong.values()
    assert fisher_exact([block, same]).pvalue > 0.01
    assert fisher_exact([block, worse]).pvalue < 1e-4


def test_too_few_channel_uses_name_the_minimum() -> None:
    with pytest.raises(
        ValueError, match=r"10 channel uses of 2 bits at rate 0\.5 carry no payload; at least 17"
    ):
        TransportFormat.for_channel_uses(10, 2, 0.5)
    assert TransportFormat.for_channel_uses(17, 2, 0.5).payload_bits == 1


@pytest.mark.slow
@pytest.mark.parametrize("payload", [1, 2, 12, 100, 291, 3824, 3825, 7777, 8425, 20011, 60000])
def test_any_payload_survives_a_clean_channel(payload: int) -> None:
    rate = (0.15, 0.33, 0.5, 0.67, 0.88)[payload % 5]
    fmt = TransportFormat.for_payload(payload, (1, 2, 4, 6, 8)[payload % 4], rate)
    block = TransportBlock(fmt, decoding=Decoding(iterations=8))
    sent = bits(Stream(2, payload).batch(range(2)), payload)
    decoded = block.decode(clean_llr(block.encode(sent)))
    assert torch.equal(decoded.bits, sent)
    assert decoded.llr is not None
    assert torch.equal((decoded.llr > 0).to(torch.uint8), sent)
    assert decoded.crc_ok is not None
    assert decoded.crc_ok.all()
    assert decoded.block_ok is not None
    assert decoded.block_ok.shape == (2, fmt.blocks)
    assert decoded.block_ok.all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "rate"),
    [("polar5g", 0.5), ("polar5g", 0.3), ("conv", 0.7), ("conv", 0.25), ("turbo", 0.5), ("none", 1.0)],
)
@pytest.mark.parametrize("payload", [50, 3001])
def test_other_inner_codes(code: str, rate: float, payload: int) -> None:
    if code == "turbo":
        payload //= 15  # its recursions take seconds a thousand bits
    fmt = TransportFormat.for_payload(payload, 4, rate, code=code)
    block = TransportBlock(fmt, code)
    sent = bits(Stream(3).batch(range(2)), payload)
    decoded = block.decode(clean_llr(block.encode(sent)))
    assert torch.equal(decoded.bits, sent)
    assert decoded.crc_ok is not None
    assert decoded.crc_ok.all()
    filled = TransportFormat.for_channel_uses(fmt.channel_uses, 4, rate, code=code)
    assert filled.payload_bits >= payload
    assert filled.channel_uses == fmt.channel_uses


def test_polar_blocks_fit_whatever_the_channel_uses() -> None:
    for uses in range(300, 1500, 37):
        TransportBlock(TransportFormat.for_channel_uses(uses, 2, 0.25, code="polar5g"), "polar5g")


def test_a_damaged_block_is_named() -> None:
    fmt = TransportFormat.for_payload(20000, 2, 0.5)
    assert fmt.blocks == 3
    block = TransportBlock(fmt, decoding=Decoding(iterations=8))
    sent = bits(Stream(4).batch(range(3)), 20000)
    llr = clean_llr(block.encode(sent))
    start = fmt.block_lengths[0]
    llr[1, start : start + fmt.block_lengths[1]] *= -1.0
    decoded = block.decode(llr)
    assert decoded.crc_ok is not None
    assert decoded.crc_ok.tolist() == [True, False, True]
    assert decoded.block_ok is not None
    assert decoded.block_ok.tolist() == [[True] * 3, [True, False, True], [True] * 3]
    wrong = (decoded.bits[1] != sent[1]).nonzero()
    per_block = fmt.block_bits - 24
    assert per_block <= int(wrong.min())
    assert int(wrong.max()) < 2 * per_block


@pytest.mark.slow
def test_another_engine_decodes_the_same_blocks() -> None:
    """Both lengths, 10,000 and 10,004 bits; min-sum on a grid of 1/16, where Sionna's sums are ours."""
    fmt = TransportFormat.fixed(9992, 5001, 4, 0.5)
    ours, sionna = (
        TransportBlock(
            fmt, decoding=Decoding("offset-minsum", "flooding", 4, early_stop=False, engine=engine)
        )
        for engine in ("compiled", "sionna")
    )
    sent = bits([Stream(5)], 9992)
    coded = ours.encode(sent)
    assert torch.equal(coded, sionna.encode(sent))
    noise = torch.from_numpy(np.random.default_rng(5).standard_normal((1, 20004))).float()
    llr = torch.round(16 * 3 * (2.0 * coded - 1 + 0.75 * noise)) / 16
    found, expected = ours.decode(llr), sionna.decode(llr)
    assert found.crc_ok is not None and not found.crc_ok.any()
    assert found.llr is not None and expected.llr is not None
    assert torch.equal(found.llr, expected.llr)


def test_gold_sequence_follows_its_recursion() -> None:
    """Clause 5.2.1 of TS 38.211, bit by bit."""
    length, c_init = 500, 0x2A5F31
    x1 = [1] + [0] * 30
    x2 = [c_init >> i & 1 for i in range(31)]
    for n in range(1600 + length):
        x1.append(x1[n + 3] ^ x1[n])
        x2.append(x2[n + 3] ^ x2[n + 2] ^ x2[n + 1] ^ x2[n])
    expected = [x1[n + 1600] ^ x2[n + 1600] for n in range(length)]
    assert gold_sequence(c_init, length).tolist() == expected


def test_impossible_formats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 0\.95, got 0\.97"):
        TransportFormat.for_channel_uses(1000, 2, 0.97)
    with pytest.raises(ValueError, match=r"without a code the rate is 1, got 0\.5"):
        TransportFormat.for_channel_uses(1000, 2, 0.5, code="none")
    with pytest.raises(ValueError, match="got 'fountain'"):
        TransportFormat.for_payload(1000, 2, 0.5, code="fountain")
    with pytest.raises(ValueError, match="no room beside a CRC"):
        TransportFormat.for_payload(1000, 2, 0.5, max_block_bits=24)
    with pytest.raises(ValueError, match="more than the 200 coded bits"):
        TransportFormat.fixed(1000, 100, 2, 0.5)
    fmt = TransportFormat.for_payload(100, 2, 0.5)
    with pytest.raises(ValueError, match="do not hold"):
        dataclasses.replace(fmt, payload_bits=101)
    with pytest.raises(ValueError, match="the decoder of conv is viterbi, got 'minsum'"):
        TransportBlock(TransportFormat.for_payload(100, 2, 0.5, code="conv"), "conv", Decoding("minsum"))
    with pytest.raises(ValueError, match="alist:a has lengths of its own"):
        TransportFormat.for_payload(100, 2, 0.5, code="alist:a")
    with pytest.raises(ValueError, match="no base graph"):
        TransportBlock(TransportFormat.for_payload(100, 2, 0.5, code="conv"))
    with pytest.raises(ValueError, match="made for another code"):
        TransportBlock(fmt, "none")
    with pytest.raises(ValueError, match=r"0\.\.65535"):
        scrambling_sequence(70000, 0, 10)
    with pytest.raises(ValueError, match=r"\[batch, 232\]"):
        TransportBlock(fmt).decode(torch.full((1, 10), math.pi))
