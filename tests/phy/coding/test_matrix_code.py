"""Codes from parity-check matrices: H c = 0, recovery, and the curves that AFF3CT publishes for them.

A curve agrees if at every point with a block error rate of at least 1e-4 the p-value of Fisher's exact test,
our blocks and block errors against theirs, exceeds 1 % over the number of points (Bonferroni: joint 99 %).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from phy.coding.decoding import Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc import gf2
from phy.coding.ldpc.matrix import MatrixCode, matrix_code, parse_positions
from phy.random import Stream, bits, complex_normal
from phy.units import EbN0

PUBLISHED = {"CCSDS_64_128": (64, 128), "WIFI_540_648": (540, 648), "WIMAX_288_576": (288, 576)}
JOINT = 0.01


def words(count: int, k: int) -> torch.Tensor:
    """All words of ``k`` bits, or random ones."""
    if count == 2**k:
        return torch.from_numpy(np.array([[i >> j & 1 for j in range(k)] for i in range(count)], np.uint8))
    return bits(Stream(3, "words").batch(range(count)), k)


def kernel(matrix: NDArray[np.int64]) -> set[tuple[int, ...]]:
    """Every solution of H c = 0 by trying all words."""
    size = matrix.shape[1]
    candidates = np.array([[i >> j & 1 for j in range(size)] for i in range(2**size)])
    return {tuple(word) for word in candidates[~(candidates @ matrix.T % 2).any(axis=1)].tolist()}


def rank(matrix: NDArray[np.int64]) -> int:
    """Rank over GF(2), by plain elimination."""
    rows, found = matrix.copy() % 2, 0
    for column in range(rows.shape[1]):
        pivots = np.flatnonzero(rows[found:, column]) + found
        if pivots.size:
            rows[[found, pivots[0]]] = rows[[pivots[0], found]]
            others = np.flatnonzero(rows[:, column])
            rows[others[others != found]] ^= rows[found]
            found += 1
    return found


SMALL = {
    "hamming": [[1, 1, 0, 1, 1, 0, 0], [1, 0, 1, 1, 0, 1, 0], [0, 1, 1, 1, 0, 0, 1]],
    "redundant rows": [[1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 1, 0], [1, 1, 0, 0, 1, 1]],
    "not systematic in front": [[0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]],
    "a zero row and a free variable": [[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 1]],
    "checks of one variable": [
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [1, 0, 1, 1, 0, 1],
        [1, 0, 0, 0, 1, 1],
    ],
}


@pytest.mark.parametrize("name", SMALL)
def test_codewords_are_the_kernel_of_the_matrix(name: str) -> None:
    matrix = np.array(SMALL[name])
    code = MatrixCode(matrix, name)
    assert code.k == matrix.shape[1] - rank(matrix)
    sent = words(2**code.k, code.k)
    coded = code.encode(sent)
    assert {tuple(word) for word in coded.tolist()} == kernel(matrix)
    assert torch.equal(coded[:, code.information], sent)
    decoded = code.decode(8.0 * coded - 4.0)
    assert torch.equal(decoded.bits, sent)
    assert torch.equal(decoded.llr > 0, sent.bool())
    assert bool(code.propagate(8.0 * coded - 4.0).satisfied.all())


def test_the_information_set_is_in_front_where_it_can_be() -> None:
    assert MatrixCode(SMALL["hamming"], "").information.tolist() == [0, 1, 2, 3]
    # Columns 0 to 3 are tied to one another, so that the front holds one information bit only.
    assert MatrixCode(SMALL["not systematic in front"], "").information.tolist() == [0, 4, 5]


@pytest.mark.parametrize(("rows", "columns"), [(5, 9), (64, 128), (100, 700), (130, 131), (70, 40)])
def test_random_dense_matrices(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    matrix = rng.integers(0, 2, (rows, columns))
    matrix[-1] = (matrix[0] + matrix[1]) % 2
    matrix[:, columns // 2 :] *= rng.integers(0, 2, columns - columns // 2)  # some columns without a check
    code = MatrixCode(matrix, "dense")
    assert code.k == columns - rank(matrix)
    sent = words(200, code.k)
    coded = code.encode(sent)
    assert not (coded.numpy().astype(int) @ matrix.T % 2).any()
    assert torch.equal(coded[:, code.information], sent)


@pytest.mark.parametrize("size", [(3, 5), (64, 64), (65, 200), (1, 129)])
def test_packing_and_products(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    dense = rng.integers(0, 2, size, dtype=np.uint8)
    assert (gf2.unpack(gf2.pack(dense), size[1]) == dense).all()
    left = rng.integers(0, 2, (37, size[1]), dtype=np.uint8)
    blocks = gf2.extract_transposed(gf2.pack(dense), np.arange(size[0]), np.arange(size[1]))
    out = np.empty((37, blocks.shape[0] * gf2.LANES), np.uint64)
    gf2.multiply(left, blocks, out)
    assert (gf2.unpack(out, size[0]) == left.astype(int) @ dense.T % 2).all()
    octets = np.empty(8 * out.shape[1], np.uint64)
    gf2.unpack_into(out[0], octets)
    assert (octets.astype("<u8").view(np.uint8)[: size[0]] == gf2.unpack(out, size[0])[0]).all()


def published(
    data_dir: Path, name: str, settings: str = "", decoding: Decoding = Decoding(threads=1)
) -> MatrixCode:
    file = data_dir / "reference/alist" / f"{name}.alist"
    return matrix_code(f"alist:{file}{settings}", decoding)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_codes_are_systematic_in_front_and_recover_noise_free(name: str, data_dir: Path) -> None:
    code = published(data_dir, name)
    assert (code.k, code.n) == PUBLISHED[name]
    assert code.name == f"alist:{name}({code.k},{code.n})"
    sent = words(1000, code.k)
    coded = code.encode(sent)
    assert not (coded.numpy().astype(int) @ code.matrix.toarray().astype(int).T % 2).any()
    assert torch.equal(coded[:, : code.k], sent)
    assert torch.equal(code.decode(8.0 * coded - 4.0).bits, sent)


def test_empty_and_single_batches(data_dir: Path) -> None:
    code = published(data_dir, "CCSDS_64_128")
    assert code.encode(torch.zeros(0, 64, dtype=torch.uint8)).shape == (0, 128)
    assert code.decode(torch.zeros(0, 128)).bits.shape == (0, 64)
    sent = words(40, 64)
    together = code.encode(sent)
    assert all(torch.equal(code.encode(sent[i : i + 1])[0], together[i]) for i in range(40))


def test_puncturing_and_shortening_leave_the_mother_code(data_dir: Path) -> None:
    mother = published(data_dir, "WIMAX_288_576")
    code = published(data_dir, "WIMAX_288_576", ",puncture=288-311+575,shorten=0-9+20")
    assert (code.k, code.n) == (288 - 11, 576 - 11 - 25)
    assert code.name == "alist:WIMAX_288_576(277,540,punctured=25,shortened=11)"
    assert code.digest != mother.digest
    removed = np.r_[0:10, 20]
    kept = np.setdiff1d(np.arange(288), removed)
    sent = words(300, code.k)
    full = torch.zeros(300, 288, dtype=torch.uint8)
    full[:, kept] = sent
    reference = mother.encode(full)
    coded = code.encode(sent)
    transmitted = np.setdiff1d(np.arange(576), np.r_[removed, 288:312, 575])
    assert torch.equal(coded, reference[:, transmitted])
    assert torch.equal(code.decode(8.0 * coded - 4.0).bits, sent)
    # The decoder knows what the mother's decoder is told: nothing of punctured bits, all of shortened ones.
    llr = torch.zeros(300, 576)
    llr[:, transmitted] = (
        8.0 * coded - 4.0 + 3.0 * torch.view_as_real(complex_normal([Stream(4)], 300 * 270)).reshape(300, 540)
    )
    told = llr.clone()
    told[:, removed] = -20.0
    ours = code.decode(llr[:, transmitted])
    theirs = mother.decode(told)
    assert torch.equal(ours.bits, theirs.bits[:, kept])
    assert not theirs.bits[:, removed].any()


def test_shortening_parity_bits_keeps_a_subcode() -> None:
    matrix = np.array(SMALL["hamming"])
    code = MatrixCode(matrix, "hamming", shorten=[5, 6], puncture=[4])
    subcode = {word[:4] for word in kernel(matrix) if not word[5] and not word[6]}
    assert (code.k, code.n) == (2, 4)
    assert {tuple(word) for word in code.encode(words(4, 2)).tolist()} == subcode


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"matrix": [[1, 2, 1], [0, 1, 1]]}, "zeros and ones only"),
        ({"puncture": [7]}, "position 7 is outside the 7 variables 0 to 6"),
        ({"shorten": [-1]}, "position -1 is outside"),
        ({"shorten": [1, 1]}, "position 1 is named more than once"),
        ({"shorten": [1], "puncture": [1]}, "variable 1 is both punctured and shortened"),
        ({"shorten": [0, 1, 2, 3]}, "no information bits are left"),
        ({"puncture": [0, 1, 2, 3]}, "3 coded bits cannot carry 4 information bits"),
        ({"matrix": [[1, 0, 0], [0, 1, 0]]}, "no parity check is left"),
        ({"decoding": Decoding("viterbi")}, "matrix hamming is sum-product, .*got 'viterbi'"),
        ({"decoding": Decoding(engine="sionna")}, "engine of matrix hamming is compiled, got 'sionna'"),
    ],
)
def test_impossible_codes_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MatrixCode(**{"matrix": SMALL["hamming"], "name": "hamming", **arguments})  # type: ignore[arg-type]


def test_llrs_must_be_of_the_right_shape() -> None:
    code = MatrixCode(SMALL["hamming"], "hamming")
    with pytest.raises(ValueError, match=r"\[batch, 7\]"):
        code.decode(torch.zeros(2, 6))


def test_a_qc_file_brings_its_puncturing_pattern(tmp_path: Path) -> None:
    # An accumulator behind two block columns, of which the file punctures the second.
    file = tmp_path / "small.qc"
    file.write_text("5 3 4\n0 1 0 -1 -1\n2 0 0 0 -1\n1 3 -1 0 0\n1 0 1 1 1\n")
    code = matrix_code(f"qc:{file}")
    assert (code.k, code.n) == (8, 16)
    assert code.punctured.tolist() == [4, 5, 6, 7]
    assert code.name == "qc:small(8,16,punctured=4)"
    other = matrix_code(f"qc:{file},puncture=0-1,shorten=2+3")
    assert (other.k, other.punctured.tolist(), other.shortened.tolist()) == (6, [0, 1], [2, 3])
    sent = words(256, 8)
    assert torch.equal(code.decode(8.0 * code.encode(sent) - 4.0).bits, sent)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alist:", "alist:FILE, qc:FILE or matrix:FILE, got 'alist:'"),
        ("mtx:x", "alist:FILE, qc:FILE or matrix:FILE"),
        (
            "alist:x,rate=2",
            "expected puncture=POSITIONS, shorten=POSITIONS or shifts=modulo, once each, got 'alist:x",
        ),
        ("alist:x,shorten=1,shorten=2", "once each"),
        ("alist:a,b.alist", "quotes take commas into the name of a file, alist:"),
        ("alist:x,shifts=modulo", "shifts=modulo goes with a qc file"),
        ("qc:x,shifts=9", "shifts=modulo goes with a qc file"),
        ("alist:x,shorten=1-", "numbers and ranges"),
        ("alist:x,shorten=", "numbers and ranges"),
        ("alist:x,puncture=5-3", "numbers and ranges such as 0-127"),
        ("alist:/nowhere/x.alist", "cannot read the matrix file '/nowhere/x.alist': No such file"),
    ],
)
def test_texts_that_name_no_code(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matrix_code(text)


def test_positions() -> None:
    assert parse_positions("3") == [3]
    assert parse_positions("0-3+10+12-12") == [0, 1, 2, 3, 10, 12]


# Published curves -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decoder:
    matrix: str
    algorithm: str
    schedule: str
    iterations: int
    fixed_point: FixedPoint | None = None
    factor: float = 0.75

    @property
    def decoding(self) -> Decoding:
        options = {"factor": self.factor, "fixed_point": self.fixed_point, "threads": 1}
        return Decoding(self.algorithm, self.schedule, self.iterations, **options)  # type: ignore[arg-type]


CURVES = {
    "N128_K64_hlayered_SPA_i50_CCSDS": Decoder("CCSDS_64_128", "sum-product", "layered", 50),
    "N576_K288_flooding_SPA_i100_WiMAX": Decoder("WIMAX_288_576", "sum-product", "flooding", 100),
    "N576_K288_flooding_SPA_i100_WiMAX_intra": Decoder("WIMAX_288_576", "sum-product", "flooding", 100),
    "N576_K288_hlayered_SPA_i100_WiMAX": Decoder("WIMAX_288_576", "sum-product", "layered", 100),
    # A-min* whose min* is a plain minimum: to the weakest input goes the minimum of the others, to the others
    # the minimum of all, which is min-sum.
    "N576_K288_flooding_AMS_min_i100_WiMAX": Decoder("WIMAX_288_576", "minsum", "flooding", 100),
    # Its header has a normalising factor of 1.
    "N648_K540_hlayered_NMS_i10_Wi-Fi": Decoder("WIFI_540_648", "minsum", "layered", 10),
    "N576_K288_hlayered_NMS_i100_WiMAX": Decoder(
        "WIMAX_288_576", "normalized-minsum", "layered", 100, factor=0.825
    ),
    "N648_K540_hlayered_SPA_i05_Wi-Fi": Decoder("WIFI_540_648", "sum-product", "layered", 5),
    "N648_K540_hlayered_SPA_i10_Wi-Fi": Decoder("WIFI_540_648", "sum-product", "layered", 10),
    "N648_K540_hlayered_SPA_i20_Wi-Fi": Decoder("WIFI_540_648", "sum-product", "layered", 20),
    "N648_K540_hlayered_SPA_i40_Wi-Fi": Decoder("WIFI_540_648", "sum-product", "layered", 40),
}
NOT_OURS = {
    "N576_K288_flooding_AMS_minstar_i100_WiMAX": "A-min*: one message to all inputs but the weakest",
    "N576_K288_flooding_AMS_minstarlinear_i100_WiMAX": "A-min* with a linear approximation of min*",
}
INFORMATION_BITS = 20_000_000  # decoded at most for one point: a second or two
CHUNK = 4000


@dataclass(frozen=True)
class Count:
    frames: int
    errors: int

    @property
    def rate(self) -> float:
        return self.errors / self.frames


def read_trace(data_dir: Path, curve: str) -> dict[float, Count]:
    """Eb/N0 in dB -> frames and frame errors of an AFF3CT trace, down to an error rate of 1e-4."""
    file = data_dir / "reference/alist/curves" / f"LDPC_{curve}.txt"
    table = {}
    for line in file.read_text().splitlines():
        if "|" in line and not line.startswith("#"):
            _, ebn0, frames, _, errors, *_ = line.replace("||", "|").split("|")
            table[float(ebn0)] = Count(int(float(frames)), int(errors))
    return {ebn0: count for ebn0, count in table.items() if count.rate >= 1e-4}


@cache
def simulate(
    data_dir: Path, decoder: Decoder, ebn0_db: float, frames: int, loss_db: float = 0.0, scale: float = 1.0
) -> Count:
    """Random words by BPSK over real AWGN; ``loss_db`` is unknown to the receiver, as is ``scale``."""
    code = published(data_dir, decoder.matrix, decoding=decoder.decoding)
    no = EbN0(ebn0_db).to_esn0(code.k / code.n).no
    amplitude = (no * 10 ** (loss_db / 10)) ** 0.5
    errors = 0
    for chunk in range(-(-frames // CHUNK)):
        rows = min(CHUNK, frames - chunk * CHUNK)
        stream = Stream(5, "published", str(decoder), str(ebn0_db), chunk)
        sent = bits([stream.child("bits")], rows * code.k).reshape(rows, code.k)
        noise = torch.view_as_real(complex_normal([stream.child("noise")], rows * code.n // 2))
        llr = code.encode(sent).float().mul_(2).sub_(1).add_(noise.reshape(rows, code.n), alpha=amplitude)
        errors += int((code.decode(llr.mul_(4 * scale / no)).bits != sent).any(dim=1).sum())
    return Count(frames, errors)


def frames_for(decoder: Decoder, theirs: Count) -> int:
    """Blocks for about 150 errors, as far as time allows."""
    return min(INFORMATION_BITS // PUBLISHED[decoder.matrix][0], max(400, round(150 / theirs.rate)))


def agrees(ours: Count, theirs: Count, points: int) -> bool:
    table = [[count.errors, count.frames - count.errors] for count in (ours, theirs)]
    return bool(stats.fisher_exact(table).pvalue > JOINT / points)


FIXED = [
    pytest.param(curve, replace(CURVES[curve], fixed_point=q), id=f"{curve}-{q.bits}bit")
    for curve in ("N576_K288_flooding_AMS_min_i100_WiMAX", "N648_K540_hlayered_NMS_i10_Wi-Fi")
    for q in (FixedPoint(16, 8), FixedPoint(8, 3))
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "decoder"), [*(pytest.param(curve, CURVES[curve], id=curve) for curve in CURVES), *FIXED]
)
def test_block_error_rates_agree_with_the_published_curve(
    curve: str, decoder: Decoder, data_dir: Path
) -> None:
    trace = read_trace(data_dir, curve)
    assert min(count.rate for count in trace.values()) < 1e-3
    for ebn0, theirs in trace.items():
        ours = simulate(data_dir, decoder, ebn0, frames_for(decoder, theirs))
        assert agrees(ours, theirs, len(trace)), f"{ebn0} dB: {ours} here, {theirs} published"


@pytest.mark.parametrize(("curve", "reason"), NOT_OURS.items())
def test_curves_of_other_decoders(curve: str, reason: str, data_dir: Path) -> None:
    assert read_trace(data_dir, curve)
    pytest.skip(reason)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "wrong"),
    [
        ("N128_K64_hlayered_SPA_i50_CCSDS", {"scale": 0.5}),
        ("N128_K64_hlayered_SPA_i50_CCSDS", {"loss_db": 0.2}),
        ("N648_K540_hlayered_SPA_i10_Wi-Fi", {"loss_db": 0.2}),
        ("N648_K540_hlayered_NMS_i10_Wi-Fi", {"loss_db": 0.2}),
    ],
)
def test_the_comparison_fails_for_a_wrong_llr_scale_and_a_fifth_of_a_decibel(
    curve: str, wrong: dict[str, float], data_dir: Path
) -> None:
    trace, decoder = read_trace(data_dir, curve), CURVES[curve]
    steep = {ebn0: theirs for ebn0, theirs in trace.items() if 1e-3 < theirs.rate < 0.3}
    verdicts = [
        agrees(simulate(data_dir, decoder, ebn0, frames_for(decoder, theirs), **wrong), theirs, len(trace))
        for ebn0, theirs in steep.items()
    ]
    assert not all(verdicts)


def test_all_published_curves_are_accounted_for(data_dir: Path) -> None:
    files = (data_dir / "reference/alist/curves").glob("LDPC_*.txt")
    assert {file.stem.removeprefix("LDPC_") for file in files} == {*CURVES, *NOT_OURS}
