"""Matrix files: against matrices written out by hand and against the structure that the standards print."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from phy.coding.ldpc.alist import read_matrix, read_punctured, write_alist, write_qc

# The irregular matrix of the examples below, with an all-zero column in its middle.
H = np.array([[1, 1, 0, 0, 1, 0], [0, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 0]], np.uint8)
HEADER = "6 3\n2 3\n"
PADDED = HEADER + "2 2 0 2 1 1\n3 3 2\n1 3\n1 2\n0 0\n2 3\n1 0\n2 0\n1 2 5\n2 4 6\n1 4 0\n"
UNPADDED = HEADER + "2 2 0 2 1 1\n3 3 2\n1 3\n1 2\n0\n2 3\n1\n2\n1 2 5\n2 4 6\n1 4\n"
EMPTY_LINE = UNPADDED.replace("1 2\n0\n", "1 2\n\n")
COMMENTED = (
    "# variables, checks\n\n 6   3 \r\n# largest\n2 3\n2 2 0 # first half\n2 1 1\n3 3 2\n\n# columns\n"
    "1 3\n1 2\n0\n2 3\n1\n2\n\n# rows\n1 2 5 \t\n2 4 6\n1 4\n# end\n\n"
)
POSITIONS = UNPADDED + "# Positions of the information bits in the codewords:\n3\n0 1 2\n"


@pytest.mark.parametrize("text", [PADDED, UNPADDED, EMPTY_LINE, COMMENTED, POSITIONS, PADDED.rstrip()])
def test_every_variant_of_alist_gives_the_same_matrix(text: str, tmp_path: Path) -> None:
    assert (read_matrix(text, "alist").toarray() == H).all()
    file = tmp_path / "small.alist"
    file.write_text(text, newline="")
    for source in (file, str(file)):
        assert (read_matrix(source, "alist").toarray() == H).all()
    assert read_punctured(file, "alist").size == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("6 3\n", "6\n", 1, "numbers of columns and rows"),
        ("6 3\n", "6 x\n", 1, "whole numbers, got 'x'"),
        ("6 3\n", "6 -3\n", 1, "columns and rows, 1 to"),
        ("6 3\n", "99999999999 3\n", 1, "columns and rows, 1 to"),
        ("2 3\n2 2", "2 3 4\n2 2", 2, "largest column and row weight"),
        ("2 2 0 2 1 1\n", "2 2 0 2 1 3\n", 3, "column weights from 0 to 2, got 3"),
        ("2 2 0 2 1 1\n", "2 2 0 2 1 1 1\n", 3, "6 column weights, got 7"),
        ("2 2 0 2 1 1\n", "2 2 0 2 1\n", 4, "6 column weights, got 8"),
        ("\n1 3\n1 2\n", "\n1 4\n1 2\n", 5, "the 2 rows of column 1, different numbers from 1 to 3"),
        ("\n1 3\n1 2\n", "\n1 1\n1 2\n", 5, "the 2 rows of column 1, different numbers from 1 to 3"),
        ("\n1 3\n1 2\n", "\n1 0\n1 2\n", 5, "different numbers from 1 to 3"),
        ("\n1 3\n1 2\n", "\n1 3 2\n1 2\n", 5, "then nothing but zeros"),
        ("\n1 3\n1 2\n", "\n1\n1 2\n", 5, "the 2 rows of column 1"),
        ("2 4 6\n", "2 4 5\n", 12, r"the columns \[2, 4, 6\] of row 2, as the column lists have it"),
        ("2 4 6\n1 4\n", "", 12, "the 3 columns of row 2, then nothing but zeros|the end of the file"),
        ("1 4\n", "1 4\n7\n", 14, "the end of the file, got 1 numbers more"),
    ],
)
def test_a_damaged_alist_names_the_line(old: str, new: str, line: int, expected: str, tmp_path: Path) -> None:
    assert UNPADDED.count(old) == 1
    file = tmp_path / "broken.alist"
    file.write_text(UNPADDED.replace(old, new))
    with pytest.raises(ValueError, match=rf"broken\.alist, line {line}: expected .*({expected})"):
        read_matrix(file, "alist")


def test_every_truncation_of_an_alist_is_an_error() -> None:
    lines = UNPADDED.splitlines(keepends=True)
    for count in range(1, len(lines)):
        with pytest.raises(ValueError, match=r"matrix, line \d+: expected"):
            read_matrix("".join(lines[:count]), "alist")


def test_random_damage_is_either_harmless_or_a_value_error() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        text = list(PADDED)
        for place in rng.integers(0, len(text), 2):
            text[place] = rng.choice(list("0123456789 \n-x#"))
        try:
            matrix = read_matrix("".join(text), "alist")
        except ValueError:
            continue
        assert (matrix.toarray() == H).all()  # both copies of the matrix agree: only spacing was hit


def test_a_missing_file_an_unknown_format_and_bytes_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read the matrix file '.*none\.alist': No such file"):
        read_matrix(tmp_path / "none.alist", "alist")
    with pytest.raises(ValueError, match="alist or qc, got 'mtx'"):
        read_matrix("1 1\n", "mtx")
    (tmp_path / "picture.alist").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ValueError, match="line 1: expected whole numbers"):
        read_matrix(tmp_path / "picture.alist", "alist")
    with pytest.raises(ValueError, match="line 1: expected the numbers of columns and rows, got the end"):
        read_matrix("\n\n", "alist")


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_is_read_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sparse = random_array((20, 50), density=0.1, rng=rng, data_sampler=lambda size: np.ones(size, np.uint8))
    matrix = csr_matrix(sparse)
    assert (read_matrix(write_alist(matrix), "alist").toarray() == matrix.toarray()).all()
    shifts = rng.integers(-1, 7, (3, 5))
    blocks = [[np.roll(np.eye(7), s, axis=1) if s >= 0 else np.zeros((7, 7)) for s in row] for row in shifts]
    assert (read_matrix(write_qc(shifts, 7), "qc").toarray() == np.block(blocks)).all()


QC = "4 2 3\n\n0 1 -1 2\n-1 2 0 0\n"


def test_qc_shifts_turn_the_identity_to_the_right() -> None:
    matrix = read_matrix(QC, "qc").toarray()
    expected = [
        "100 010 000 001",
        "010 001 000 100",
        "001 100 000 010",
        "000 001 100 100",
        "000 100 010 010",
        "000 010 001 001",
    ]
    assert ["".join(map(str, row)) for row in matrix] == [row.replace(" ", "") for row in expected]


def test_the_puncturing_pattern_of_a_qc_file_counts_in_blocks(tmp_path: Path) -> None:
    file = tmp_path / "small.qc"
    file.write_text(QC + "\n1 0 1 0\n")
    assert read_punctured(file, "qc").tolist() == [3, 4, 5, 9, 10, 11]
    assert (read_matrix(file, "qc").toarray() == read_matrix(QC, "qc").toarray()).all()
    assert read_punctured(QC, "qc").size == 0


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("4 2\n", 1, "the numbers N, M of block columns and rows, and Z, got 2 numbers"),
        ("4 2 0\n", 1, "positive N, M and Z"),
        ("4 2 999999999\n", 1, "positive N, M and Z"),
        ("4 2 3\n0 1 -1\n", 2, "the 4 shifts of block row 1, got 3 numbers"),
        ("4 2 3\n0 1 -1 3\n", 2, "shifts from -1 to Z - 1 = 2 .*shifts=modulo.*, got 3"),
        ("4 2 3\n0 1 -1 2\n", 3, "the 4 shifts of block row 2, got the end of the file"),
        ("4 2 3\n0 1 -1 2\n0 1 -1 -2\n", 3, "shifts from -1 to Z - 1 = 2 .*, got -2"),
        (QC + "1 1 2 1\n", 5, "a puncturing pattern of 4 zeros and ones"),
        (QC + "1 1 1 1\n0\n", 6, "the end of the file"),
    ],
)
def test_a_damaged_qc_file_names_the_line(text: str, line: int, expected: str) -> None:
    with pytest.raises(ValueError, match=f"matrix, line {line}: expected {expected}"):
        read_matrix(text, "qc")


@pytest.mark.parametrize(
    ("name", "shape", "lifting"),
    [("CCSDS_64_128", (64, 128), 16), ("WIFI_540_648", (108, 648), 27), ("WIMAX_288_576", (288, 576), 24)],
)
def test_published_matrices_are_quasi_cyclic(
    name: str, shape: tuple[int, int], lifting: int, data_dir: Path
) -> None:
    matrix = read_matrix(data_dir / "reference/alist" / f"{name}.alist", "alist").toarray()
    assert matrix.shape == shape
    blocks = matrix.reshape(shape[0] // lifting, lifting, shape[1] // lifting, lifting).swapaxes(1, 2)
    turned = np.roll(blocks, (1, 1), axis=(2, 3))
    assert (turned == blocks).all()
