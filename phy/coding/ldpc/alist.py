"""Parity-check matrices in files: MacKay's alist format, and quasi-cyclic matrices as AFF3CT writes them.

*alist* (D. MacKay, inference.org.uk/mackay/codes/alist.html): numbers of columns and of rows; the largest
column and row weight; the weight of every column; the weight of every row; for every column a line with the
rows of its ones, counted from 1; for every row a line with the columns of its ones. Shorter lines are filled
with zeros, or end early. Blank lines and comments from ``#`` on are passed over. A section of AFF3CT,
``# Positions of the information bits in the codewords:``, is not read: it belongs to AFF3CT's own encoder.

*qc*: numbers N of block columns and M of block rows, and the lifting size Z; then M lines of N shifts. A
shift s >= 0 is the identity matrix of size Z with its columns rotated to the right by s, the one of row r
being in column (r + s) mod Z; -1 is a zero block. A last line of N zeros and ones, if there is one, tells
which block columns are transmitted (1) and which are punctured (0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["FORMATS", "check_size", "read_matrix", "read_punctured", "write_alist", "write_qc"]

FORMATS = ("alist", "qc")
_LARGEST = 1 << 24  # variables; a damaged header shall not ask for all memory
_MOST_BITS = 1 << 33  # of the matrix written out, as elimination needs it: 1 GiB
_POSITIONS = "# Positions of the information bits"


class _Reader:
    """Lines of whole numbers, each with its place for the error message."""

    def __init__(self, source: str | Path) -> None:
        self.name, text = _load(source)
        self._lines = list(self._numbers(text))
        self._next = 0

    def _numbers(self, text: str) -> Iterator[tuple[int, list[int]]]:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.startswith(_POSITIONS):
                return
            fields = line.split("#")[0].split()
            if fields:
                yield number, [self._integer(field, number) for field in fields]

    def _integer(self, field: str, number: int) -> int:
        try:
            return int(field)
        except ValueError as error:
            raise self.fail(number, "whole numbers", repr(field[:40])) from error

    @property
    def ended(self) -> bool:
        return self._next == len(self._lines)

    def fail(self, number: int, expected: str, got: object) -> ValueError:
        return ValueError(f"{self.name}, line {number}: expected {expected}, got {got}")

    @property
    def sees_zeros(self) -> bool:
        return not self.ended and not any(self._lines[self._next][1])

    def line(self, expected: str) -> tuple[int, list[int]]:
        """Return the next line's place and numbers."""
        if self.ended:
            last = self._lines[-1][0] if self._lines else 0
            raise self.fail(last + 1, expected, "the end of the file")
        self._next += 1
        return self._lines[self._next - 1]

    def exactly(self, count: int, expected: str) -> tuple[int, list[int]]:
        number, values = self.line(expected)
        if len(values) != count:
            raise self.fail(number, expected, f"{len(values)} numbers")
        return number, values

    def wrapped(self, count: int, largest: int, expected: str) -> list[int]:
        """Return ``count`` numbers from 0 to ``largest``, which may go over several lines."""
        values: list[int] = []
        while len(values) < count:
            number, more = self.line(expected)
            values += more
            if len(values) > count:
                raise self.fail(number, expected, f"{len(values)} numbers")
            wrong = [value for value in more if not 0 <= value <= largest]
            if wrong:
                raise self.fail(number, f"{expected} from 0 to {largest}", wrong[0])
        return values

    def finish(self) -> None:
        if not self.ended:
            number, values = self._lines[self._next]
            raise self.fail(number, "the end of the file", f"{len(values)} numbers more")


def check_size(name: str, columns: int, rows: int) -> None:
    """Raise ValueError where elimination on a matrix of this size would ask for more than 1 GiB."""
    if columns * rows > _MOST_BITS:
        size = columns * rows / _MOST_BITS
        raise ValueError(f"{name}: an encoder of {rows} x {columns} checks takes {size:.3g} GiB, more than 1")


def _load(source: str | Path) -> tuple[str, str]:
    """Name and text of a file; a text of several lines stands for itself."""
    if isinstance(source, str) and "\n" in source:
        return "matrix", source
    try:
        content = Path(source).read_bytes().rstrip(b"\x1a")  # how DOS ended a text
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        return str(source), content.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    except OSError as error:
        raise ValueError(f"cannot read the matrix file {str(source)!r}: {error.strerror}") from error


def read_matrix(source: str | Path, form: str, modulo: bool = False) -> scipy.sparse.csr_matrix:
    r"""Read a parity-check matrix.

    Parameters
    ----------
    source:
        Path of a file, or its text (anything with a line break in it).
    form:
        ``"alist"`` or ``"qc"``.
    modulo:
        Whether shifts of a qc file beyond Z are taken modulo Z; otherwise they are refused.

    Returns
    -------
    matrix:
        ``[checks, variables]``, ``uint8``, in the file's order of rows and columns.

    Raises
    ------
    ValueError
        If there is no such file or format, or the file is damaged: the sentence names file and line and
        tells what was expected there.

    Examples
    --------
    >>> read_matrix("3 1 2\n0 1 -1\n", "qc").toarray()
    array([[1, 0, 0, 1, 0, 0],
           [0, 1, 1, 0, 0, 0]], dtype=uint8)
    """
    if form not in FORMATS:
        raise ValueError(f"matrix format must be alist or qc, got {form!r}")
    reader = _Reader(source)
    return _read_alist(reader) if form == "alist" else _read_qc(reader, modulo)[0]


def read_punctured(source: str | Path, form: str, modulo: bool = False) -> NDArray[np.int64]:
    """Variables that the file's own last line punctures; none for an alist file.

    Raises
    ------
    ValueError
        As `read_matrix`.
    """
    return np.empty(0, np.int64) if form == "alist" else _read_qc(_Reader(source), modulo)[1]


def _read_alist(reader: _Reader) -> scipy.sparse.csr_matrix:
    number, (columns, rows) = reader.exactly(2, "the numbers of columns and rows")
    if not (0 < columns <= _LARGEST and 0 < rows <= _LARGEST):
        raise reader.fail(number, f"numbers of columns and rows, 1 to {_LARGEST}", f"{columns} and {rows}")
    check_size(reader.name, columns, rows)
    _, (column_limit, row_limit) = reader.exactly(2, "the largest column and row weight")
    column_weights = reader.wrapped(columns, min(column_limit, rows), f"{columns} column weights")
    row_weights = reader.wrapped(rows, min(row_limit, columns), f"{rows} row weights")
    _, by_column = _lists(reader, column_weights, rows, "column", "rows")
    places, by_row = _lists(reader, row_weights, columns, "row", "columns")
    reader.finish()
    matrix = _sparse(by_row, columns)
    expected = _sparse(by_column, rows).T.tocsr()
    for row, place in enumerate(places):
        ones = expected.indices[expected.indptr[row] : expected.indptr[row + 1]]
        if set(ones) != set(by_row[row]):
            want = f"the columns {(ones + 1).tolist()} of row {row + 1}, as the column lists have it"
            raise reader.fail(place, want, [one + 1 for one in by_row[row]])
    return matrix


def _lists(
    reader: _Reader, weights: Sequence[int], limit: int, kind: str, others: str
) -> tuple[list[int], list[list[int]]]:
    """Read a line for every column or row; return the lines' numbers, and the positions counted from 0."""
    places, lists = [], []
    for i, weight in enumerate(weights):
        expected = f"the {weight} {others} of {kind} {i + 1}"
        if weight or reader.sees_zeros:
            number, values = reader.line(expected)
        else:  # an empty list need not have a line
            number, values = 0, []
        ones = [value - 1 for value in values[:weight]]
        if len(ones) < weight or any(values[weight:]):
            raise reader.fail(number, f"{expected}, then nothing but zeros", values)
        if len(set(ones)) < weight or any(not 0 <= one < limit for one in ones):
            hint = " (the file may count from 0)" if -1 in ones else ""
            wanted = f"{expected}, different numbers from 1 to {limit}{hint}"
            raise reader.fail(number, wanted, values[:weight])
        places.append(number)
        lists.append(ones)
    return places, lists


def _sparse(lists: Sequence[Sequence[int]], columns: int) -> scipy.sparse.csr_matrix:
    starts = np.cumsum([0, *map(len, lists)])
    indices = np.fromiter((one for ones in lists for one in ones), np.int32, int(starts[-1]))
    matrix = scipy.sparse.csr_matrix(
        (np.ones(indices.size, np.uint8), indices, starts), shape=(len(lists), columns)
    )
    matrix.sort_indices()
    return matrix


def _read_qc(reader: _Reader, modulo: bool) -> tuple[scipy.sparse.csr_matrix, NDArray[np.int64]]:
    number, (width, height, lifting) = reader.exactly(3, "the numbers N, M of block columns and rows, and Z")
    if min(width, height, lifting) < 1 or max(width, height) * lifting > _LARGEST:
        got = f"{width}, {height} and {lifting}"
        raise reader.fail(number, f"positive N, M and Z with N Z and M Z up to {_LARGEST}", got)
    check_size(reader.name, width * lifting, height * lifting)
    shifts = np.empty((height, width), np.int64)
    for row in range(height):
        number, values = reader.exactly(width, f"the {width} shifts of block row {row + 1}")
        values = [value % lifting if modulo and value > 0 else value for value in values]
        wrong = [value for value in values if not -1 <= value < lifting]
        if wrong:
            wanted = f"shifts from -1 to Z - 1 = {lifting - 1} (or shifts=modulo behind the name)"
            raise reader.fail(number, wanted, wrong[0])
        shifts[row] = values
    sent = [1] * width
    if not reader.ended:
        number, sent = reader.exactly(width, f"a puncturing pattern of {width} zeros and ones, or the end")
        if set(sent) - {0, 1}:
            raise reader.fail(number, f"a puncturing pattern of {width} zeros and ones, or the end", sent)
    reader.finish()
    blocks = np.flatnonzero(np.array(sent) == 0)
    return _lift(shifts, lifting), (blocks[:, None] * lifting + np.arange(lifting)).ravel()


def _lift(shifts: NDArray[np.int64], lifting: int) -> scipy.sparse.csr_matrix:
    block_rows, block_columns = np.nonzero(shifts >= 0)
    turn = np.arange(lifting)
    rows = block_rows[:, None] * lifting + turn
    columns = block_columns[:, None] * lifting + (shifts[block_rows, block_columns][:, None] + turn) % lifting
    shape = (shifts.shape[0] * lifting, shifts.shape[1] * lifting)
    return scipy.sparse.csr_matrix(
        (np.ones(rows.size, np.uint8), (rows.ravel(), columns.ravel())), shape=shape
    )


def write_alist(matrix: scipy.sparse.csr_matrix) -> str:
    """Write a matrix of zeros and ones as the text of an alist file, shorter lists filled with zeros.

    Examples
    --------
    >>> print(write_alist(scipy.sparse.csr_matrix([[1, 1, 0], [0, 1, 1]])), end="")
    3 2
    2 2
    1 2 1
    2 2
    1 0
    1 2
    2 0
    1 2
    2 3
    """
    by_row, by_column = _positions(matrix), _positions(matrix.T)
    lines = [[len(by_column), len(by_row)], [max(map(len, by_column)), max(map(len, by_row))]]
    lines += [[len(ones) for ones in lists] for lists in (by_column, by_row)]
    for lists in (by_column, by_row):
        largest = max(map(len, lists))
        lines += [ones + [0] * (largest - len(ones)) for ones in lists]
    return "".join(" ".join(map(str, line)) + "\n" for line in lines)


def _positions(matrix: scipy.sparse.csr_matrix) -> list[list[int]]:
    rows = scipy.sparse.csr_matrix(matrix)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return [(ones + 1).tolist() for ones in np.split(rows.indices, rows.indptr[1:-1])]


def write_qc(shifts: NDArray[np.integer], lifting: int) -> str:
    """Write shifts ``[M, N]``, -1 for zero blocks, as the text of a qc file.

    Examples
    --------
    >>> print(write_qc(np.array([[0, 1, -1]]), 2), end="")
    3 1 2
    0 1 -1
    """
    lines = [[shifts.shape[1], shifts.shape[0], lifting], *shifts.tolist()]
    return "".join(" ".join(map(str, line)) + "\n" for line in lines)
