"""Matrix files as they are met: the same code from each, and one line where it cannot be."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import mmwrite
from scipy.sparse import csr_matrix, save_npz
from scipy.stats import binom, norm

from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.flat import AWGN
from phy.coding.decoding import Decoding
from phy.coding.ldpc.alist import write_alist, write_qc
from phy.coding.ldpc.matrix import MatrixCode, matrix_code
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0


def sample() -> np.ndarray:
    """24 checks on 48 variables, two or three ones a column."""
    draw = np.random.default_rng(1)
    matrix = np.zeros((24, 48), np.uint8)
    for column in range(48):
        matrix[draw.choice(24, 2 + (column % 3 > 0), replace=False), column] = 1
    return matrix


def pchk(matrix: np.ndarray) -> bytes:
    """R. Neal's format: rows and columns, each row's negative number before its columns, 0 at the end."""
    entries = [list(matrix.shape)]
    entries += [[-(row + 1), *(np.flatnonzero(ones) + 1)] for row, ones in enumerate(matrix)]
    numbers = [int(each) for row in entries for each in row]
    return struct.pack(f"<{len(numbers) + 2}i", (ord("P") << 8) + 0x80, *numbers, 0)


H = sample()
ALIST = write_alist(csr_matrix(H))
FILES = {
    "plain.alist": ALIST.encode(),
    "marked.alist": b"\xef\xbb\xbf" + ALIST.encode(),
    "wide.alist": ALIST.encode("utf-16"),
    "dos.alist": ALIST.replace("\n", "\r\n").encode() + b"\x1a",
    "comma name,v2.alist": ALIST.encode(),
    "dense.txt": "\n".join(" ".join(map(str, row)) for row in H.tolist()).encode(),
    "close.txt": "\n".join("".join(map(str, row)) for row in H.tolist()).encode(),
    "neal.pchk": pchk(H),
}


@pytest.mark.parametrize("name", [*FILES, "dense.npy", "sparse.npz", "market.mtx"])
def test_every_kind_of_file_gives_the_same_code(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if name in FILES:
        file.write_bytes(FILES[name])
    elif name == "dense.npy":
        np.save(file, H)
    elif name == "sparse.npz":
        save_npz(file, csr_matrix(H))
    else:
        mmwrite(file, csr_matrix(H))
    form = "alist" if file.suffix == ".alist" else "matrix"
    code = matrix_code(f'{form}:"{file}",puncture=3')
    assert (code.matrix.toarray() == H).all() and code.punctured.tolist() == [3]
    assert code.digest == MatrixCode(H, "expected", [3]).digest


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"0 1 2\n1 1 0\n", "zeros and ones only"),
        ("a.txt", b"0 1\n1 1 0\n", "is no matrix in a file of this kind"),
        ("a.npy", b"0 1\n", "is no matrix in a file of this kind"),
        ("a.npz", b"PK\x03\x04", "is no matrix in a file of this kind"),
        ("a.mtx", b"nothing", "is no matrix in a file of this kind"),
        ("a.pchk", pchk(H)[:-4], "is no matrix in a file of this kind"),
        ("a.pchk", pchk(H)[:4] + struct.pack("<3i", 1 << 20, 1 << 20, 0), "takes 128 GiB, more than 1"),
    ],
)
def test_files_that_hold_no_matrix(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        matrix_code(f"matrix:{file}")


def test_counting_from_zero_is_said(tmp_path: Path) -> None:
    file = tmp_path / "zero.alist"
    lines = ALIST.splitlines()
    shifted = [" ".join(str(int(field) - 1) for field in line.split() if field != "0") for line in lines[4:]]
    file.write_text("\n".join([*lines[:4], *shifted]))
    with pytest.raises(ValueError, match=r"different numbers from 1 to 24 \(the file may count from 0\)"):
        matrix_code(f"alist:{file}")


def test_shifts_beyond_z_are_taken_modulo_when_asked(tmp_path: Path) -> None:
    file, right = tmp_path / "beyond.qc", tmp_path / "right.qc"
    file.write_text("4 2 8\n0 9 -1 3\n2 -1 16 0\n")
    right.write_text(write_qc(np.array([[0, 1, -1, 3], [2, -1, 0, 0]]), 8))
    with pytest.raises(ValueError, match=r"line 2: expected shifts from -1 to Z - 1 = 7 \(or shifts=modulo"):
        matrix_code(f"qc:{file}")
    assert matrix_code(f"qc:{file},shifts=modulo").digest == matrix_code(f"qc:{right}").digest


def test_a_huge_matrix_is_refused_before_it_is_built(tmp_path: Path) -> None:
    """400 x 400 blocks of 40,000: a file of 320 kB, of which elimination would take 29,800 GiB."""
    file = tmp_path / "huge.qc"
    file.write_text(write_qc(np.zeros((400, 400), int), 40_000))
    with pytest.raises(ValueError, match=r"16000000 x 16000000 checks takes 2.98e\+04 GiB, more than 1"):
        matrix_code(f"qc:{file}")


@pytest.mark.parametrize("schedule", ["flooding", "layered"])
def test_a_variable_in_no_check_is_an_uncoded_bit(schedule: str, tmp_path: Path) -> None:
    """In the chain as in the link, at the error rate Q(sqrt(2 Es/N0)) of BPSK."""
    holed = H.copy()
    holed[:, 5] = 0
    file = tmp_path / "holed.alist"
    file.write_text(write_alist(csr_matrix(holed)))
    code = matrix_code(f"alist:{file}", Decoding("minsum", schedule, iterations=5))
    bit = int(np.flatnonzero(code.information == 5)[0])
    link, snr, stream = DigitalLink(code, Modulation("bpsk"), AWGN()), EsN0(0.0), Stream(3)
    blocks = 3000
    rows = stream.batch(range(blocks))
    sent = bits([row.child("bits") for row in rows], code.k)
    wrong = link(sent, snr, rows).bits != sent
    low, high = binom.interval(0.99, blocks, norm.sf(np.sqrt(2.0)))
    assert low <= int(wrong[:, bit].sum()) <= high
    found = CompiledChain(ChainCode.of(code), Modulation("bpsk"), AWGN()).count(stream, snr, 0, blocks)
    assert (found.block_errors, found.bit_errors) == (int(wrong.any(dim=1).sum()), int(torch.sum(wrong)))
