"""Parity-check matrices as NumPy, SciPy, Matrix Market, R. Neal's programs and plain text keep them."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import scipy
from numpy.typing import NDArray

from phy.coding.ldpc.alist import check_size

__all__ = ["read_any"]

_PCHK = (ord("P") << 8 | 0x80).to_bytes(4, "little")


def read_any(path: Path) -> scipy.sparse.csr_matrix:
    r"""Read a parity-check matrix from a file of zeros and ones.

    ``.npy`` (dense, `numpy.save`), ``.npz`` (sparse, `scipy.sparse.save_npz`), ``.mtx`` (Matrix Market), pchk
    (R. Neal, *LDPC codes*, known by its first bytes), or text: a line a row, with or without blanks between
    the digits.

    Raises
    ------
    ValueError
        If the file cannot be read as that, holds something else than zeros and ones, or is too large.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "small.txt"
    ...     size = file.write_text("110\n011\n")
    ...     read_any(file).toarray().tolist()
    [[1, 1, 0], [0, 1, 1]]
    """
    try:
        matrix = scipy.sparse.csr_matrix(_read(path))
    except OSError as error:
        raise ValueError(f"cannot read the matrix file {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} is no matrix in a file of this kind: {error}") from error
    if matrix.ndim != 2 or not np.all((matrix.data == 0) | (matrix.data == 1)):
        raise ValueError(f"{path}: a parity-check matrix holds zeros and ones only")
    check_size(str(path), matrix.shape[1], matrix.shape[0])
    matrix.eliminate_zeros()
    return matrix.astype(np.uint8)


def _read(path: Path) -> NDArray[np.generic] | scipy.sparse.csr_matrix:
    head = path.open("rb").read(4)
    if head == _PCHK:
        return _pchk(np.frombuffer(path.read_bytes(), "<i4")[1:])
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if path.suffix == ".npz":
        return scipy.sparse.load_npz(path)
    if path.suffix == ".mtx":
        return scipy.io.mmread(path)
    rows = [line.split() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    digits = [list(row[0]) if len(row) == 1 else row for row in rows]
    return np.array(digits, dtype=np.int64)


def _pchk(numbers: NDArray[np.int32]) -> scipy.sparse.csr_matrix:
    """Numbers of rows and of columns, then for each row -row and its columns, counted from 1, then 0."""
    height, width, *entries = numbers.tolist()
    check_size("pchk", width, height)
    rows, columns, row = [], [], 0
    for entry in entries[: entries.index(0)]:
        row = -entry if entry < 0 else row
        if entry > 0:
            rows.append(row - 1)
            columns.append(entry - 1)
    return scipy.sparse.csr_matrix((np.ones(len(rows), np.uint8), (rows, columns)), shape=(height, width))
