"""``semphy doctor --validate``: this installation against published results, in under a minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from benchmarks.runs.table import Column
from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.flat import AWGN, Rayleigh
from phy.coding.crc import CRC
from phy.coding.decoding import Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.polar.kernels import decode_list
from phy.coding.polar.structure import FROZEN, PolarStructure
from phy.coding.propagation import reference
from phy.coding.propagation.compiled import BeliefPropagation
from phy.coding.trellis.convolutional import Convolutional
from phy.coding.uncoded import Uncoded
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.philox import fill_words
from phy.quantization.names import parse_quantizer
from phy.random import Stream, bits, complex_normal
from phy.units import EbN0, EsN0

__all__ = ["COLUMNS", "VALIDATIONS", "Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """What one oracle said.

    Attributes
    ----------
    name:
        What was tried.
    source:
        Who says what is right.
    expected, seen:
        The right value, with what chance allows where there is chance, and this machine's.
    holds:
        Whether they agree.
    seconds:
        How long it took.
    """

    name: str
    source: str
    expected: str
    seen: str
    holds: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return asdict(self)


_Finding = tuple[str, str, bool]
"""Expected, seen, and whether they agree."""


def validate() -> Iterator[Validation]:
    """Ask every oracle of `VALIDATIONS`, one after the other; whatever one raises is what was seen.

    Examples
    --------
    >>> first = next(validate())
    >>> first.name, first.source, first.holds
    ('random words of the counter 0', 'Random123, kat_vectors, philox4x32-10', True)
    """
    for name, (source, ask) in VALIDATIONS.items():
        begun = time.perf_counter()
        try:
            expected, seen, holds = ask()
        except Exception as error:  # a broken installation raises anything, and the others are to be asked
            expected, seen, holds = (
                "a value",
                f"{type(error).__name__}: {' '.join(str(error).split())[:100]}",
                False,
            )
        yield Validation(name, source, expected, seen, holds, time.perf_counter() - begun)


def _equal(expected: Any, seen: Any) -> _Finding:
    return str(expected), str(seen), expected == seen


def _rate(expected: float, samples: NDArray[np.float64]) -> _Finding:
    """Hold the mean of independent samples against its expectation, at a level of 0.001."""
    error = float(samples.std(ddof=1)) / math.sqrt(samples.size)
    mean = float(samples.mean())
    margin = float(stats.norm.isf(0.0005)) * error
    return f"{expected:.5f} +- {margin:.5f}", f"{mean:.5f}", abs(mean - expected) <= margin


def _counts(wrong: int, blocks: int, published: tuple[int, int]) -> _Finding:
    """Fisher's exact test of two counts, at a level of 0.001."""
    errors, frames = published
    chance = float(stats.fisher_exact([[wrong, blocks - wrong], [errors, frames - errors]]).pvalue)
    seen = f"{wrong} of {blocks} ({wrong / blocks:.4f}), p = {chance:.2f}"
    return f"{errors} of {frames} ({errors / frames:.4f})", seen, chance > 0.001


def _philox() -> _Finding:
    words = np.empty(256, np.uint32)
    fill_words(words, np.uint64(0), np.uint64(0), np.uint32(0))
    return _equal("6627e8d5 e169c58d bc57ac4c 9b00dbd8", " ".join(f"{word:08x}" for word in words[::64]))


def _crc() -> _Finding:
    message = np.unpackbits(np.frombuffer(b"123456789", np.uint8))

    def check(name: str) -> str:
        word = CRC(name).attach(torch.from_numpy(message)[None])[0, message.size :].tolist()
        return f"{int(''.join(map(str, word)), 2):x}"

    return _equal("cde703 23ef52 31c3", " ".join(map(check, ("24A", "24B", "16"))))


def _bit_errors(modulation: str, channel: AWGN | Rayleigh, snr: EsN0, expected: float) -> _Finding:
    streams = Stream(1, modulation).batch(range(3000))
    size = 1200
    link = DigitalLink(Uncoded(size), Modulation(modulation, "maxlog"), channel)
    sent = bits(streams, size)
    received = link(sent, snr, streams).bits
    return _rate(expected, (received != sent).double().mean(dim=1).numpy())


def _bpsk() -> _Finding:
    snr = EbN0(4.0).to_esn0(1)
    return _bit_errors("bpsk", AWGN(), snr, 0.5 * math.erfc(math.sqrt(snr.linear)))


def _qam16() -> _Finding:
    snr = EsN0(12.0)
    a = math.sqrt(snr.linear / 10.0)  # half the distance between neighbours, over the square root of N0
    expected = (3 * math.erfc(a) + 2 * math.erfc(3 * a) - math.erfc(5 * a)) / 8
    return _bit_errors("qam16", AWGN(), snr, expected)


def _fading() -> _Finding:
    snr = EsN0(9.0)
    return _bit_errors("bpsk", Rayleigh(), snr, 0.5 * (1 - math.sqrt(snr.linear / (1 + snr.linear))))


def _slope() -> _Finding:
    """One step of Newton's method from slope 1 on log p(b | L) = log sigmoid(+-s L)."""
    modulation, streams = Modulation("qam64"), Stream(2).batch(range(4))
    sent = bits(streams, 120_000)
    reception = Rayleigh()(modulation.map(sent), EsN0(16.0), streams)
    llr = modulation.demap(reception.symbols, reception.no).double()
    p = torch.sigmoid(llr)
    slope = 1.0 + float(((sent - p) * llr).sum() / (llr**2 * p * (1 - p)).sum())
    return "1.00 +- 0.02", f"{slope:.3f}", abs(slope - 1.0) <= 0.02


def _lloyd_max() -> _Finding:
    values = torch.view_as_real(complex_normal(Stream(3).batch(range(8)), 250_000)).flatten(1) * math.sqrt(
        2.0
    )
    seen = []
    for levels in (1, 2, 3, 4):
        quantizer = parse_quantizer(f"lloyd-max:{levels}")
        error = quantizer.decode(quantizer.encode(values), values.shape[1]) - values
        seen.append(float(error.square().mean()))
    table = (0.3634, 0.1175, 0.03454, 0.009497)
    near = all(abs(one / right - 1.0) < 0.005 for one, right in zip(seen, table, strict=True))
    return " ".join(map(str, table)), " ".join(f"{one:.4g}" for one in seen), near


def _encoder() -> _Finding:
    from sionna.phy.fec.ldpc import LDPC5GEncoder

    wrong = 0
    for k, n in ((64, 200), (512, 1024), (1000, 1500), (4096, 5000)):
        sent = bits(Stream(4).batch(range(4)), k)
        theirs = LDPC5GEncoder(k, n)(sent.float()).to(torch.uint8)
        wrong += int((LDPC5G(k, n).encode(sent) != theirs).sum())
    return _equal("0 bits differ at 4 sizes", f"{wrong} bits differ at 4 sizes")


def _engine() -> _Finding:
    code = LDPC5G(48, 120)
    graph = code.structure.heard.graph
    llr = 4.0 * complex_normal(Stream(5).batch(range(60)), graph.size).real.numpy().astype(np.float32)
    wrong = 0
    for schedule in ("layered", "flooding"):
        decoding = Decoding("offset-minsum", schedule, 8, fixed_point=FixedPoint.of(6))
        ours = BeliefPropagation(graph, decoding).decode(llr, soft=True)
        theirs = reference.decode(graph, llr, decoding)
        for one, other in ((ours.soft, theirs.soft), (ours.iterations, theirs.iterations)):
            wrong += int((np.asarray(one) != np.asarray(other)).sum())
    return _equal("0 values differ", f"{wrong} values differ")


def _ldpc(decoding: Decoding, blocks: int, published: tuple[int, int]) -> _Finding:
    chain = CompiledChain(ChainCode.of(LDPC5G(512, 1024, decoding=decoding)), Modulation("bpsk"), AWGN())
    found = chain.count(Stream(6), EbN0(1.75).to_esn0(0.5), first=0, blocks=blocks)
    return _counts(found.block_errors, blocks, published)


def _offset_min_sum() -> _Finding:
    return _ldpc(Decoding("offset-minsum", "layered", 10), 8000, (114, 2088))


def _sum_product() -> _Finding:
    return _ldpc(Decoding("sum-product", "flooding", 20), 12_000, (100, 5916))


def _polar() -> _Finding:
    frames, structure = 800, PolarStructure.of(512, 1024)
    noise = torch.view_as_real(complex_normal(Stream(7).batch(range(frames)), 512)).flatten(1)
    variance = 10.0**-0.2  # rate 1/2 at 2 dB of Eb/N0: N0 / 2 = 1 / (2 R Eb/N0)
    channel = 2.0 / variance * (1.0 + np.sqrt(2.0 * variance) * noise.double().numpy())
    found = np.empty((frames, 1, 1024), np.uint8)
    decode_list(channel, structure.roles, 10, 1, found, np.empty((frames, 1)))
    wrong = int(found[:, 0, structure.roles != FROZEN].any(axis=1).sum())
    return _counts(wrong, frames, (1371, 13400))


def _free_distance() -> _Finding:
    inputs = 1 + np.arange(2**10 - 1)
    sent = torch.from_numpy((inputs[:, None] >> np.arange(10) & 1).astype(np.uint8))

    def distance(n: int | None) -> int:
        # every place that a short error can begin at within the period of the pattern
        places = (torch.nn.functional.pad(sent, (begin, 26 - begin)) for begin in range(3))
        code = Convolutional(36, n)
        return min(int(code.encode(each).sum(dim=1).min()) for each in places)

    return _equal("10 6 5", " ".join(str(distance(n)) for n in (None, 63, 56)))


VALIDATIONS: dict[str, tuple[str, Callable[[], _Finding]]] = {
    "random words of the counter 0": ("Random123, kat_vectors, philox4x32-10", _philox),
    "CRC-24A, 24B, 16 of 123456789": ("Catalogue of parametrised CRC algorithms", _crc),
    "BPSK, AWGN, 4 dB: BER": ("Q(sqrt(2 Eb/N0))", _bpsk),
    "16-QAM, AWGN, 12 dB: BER": ("Cho and Yoon, 2002", _qam16),
    "BPSK, Rayleigh, 9 dB: BER": ("Proakis, 14.3-7", _fading),
    "64-QAM, Rayleigh: slope of LLRs": ("log p(1|L)/p(0|L) = L", _slope),
    "Lloyd-Max, 1 to 4 bits: error": ("Max, 1960, table I", _lloyd_max),
    "5G LDPC: code words": ("Sionna's encoder", _encoder),
    "6-bit offset-min-sum: soft values": ("its specification, written in NumPy", _engine),
    "(512, 1024) 5G LDPC, 1.75 dB: BLER": ("AFF3CT, layered offset-min-sum, 10", _offset_min_sum),
    "(512, 1024) 5G LDPC, 1.75 dB: BLER again": ("AFF3CT, flooding sum-product, 20", _sum_product),
    "(512, 1024) 5G polar, SC, 2 dB: BLER": ("AFF3CT, SC, 5G", _polar),
    "(133, 171) at 1/2, 2/3, 3/4: free distance": ("Yasuda et al., 1984; IEEE 802.11", _free_distance),
}
"""What is tried: who says what is right, and the trial."""

COLUMNS: tuple[Column[Validation], ...] = (
    Column("", lambda one: "ok" if one.holds else "FAIL", 4),
    Column("what", attrgetter("name"), max(map(len, VALIDATIONS))),
    Column("source", attrgetter("source"), max(len(source) for source, _ in VALIDATIONS.values())),
    Column("expected", attrgetter("expected"), 36),
    Column("seen", attrgetter("seen"), 36),
    Column("seconds", lambda one: f"{one.seconds:.1f}", 7, rank=1),
)
"""How it is printed."""
