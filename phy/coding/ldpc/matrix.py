"""LDPC codes from any parity-check matrix: systematic encoder, puncturing, shortening, compiled decoding."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.decoding import ALGORITHMS, HARD, Decoding
from phy.coding.ldpc import gf2
from phy.coding.ldpc.alist import FORMATS, check_size, read_matrix, read_punctured
from phy.coding.ldpc.files import read_any
from phy.coding.ldpc.quoting import split_outside_quotes
from phy.coding.propagation.compiled import BeliefPropagation, Outcome
from phy.coding.propagation.flipping import HardDecision
from phy.coding.propagation.graph import Graph
from phy.compiling import compiled
from phy.lazily import torch

__all__ = ["MatrixCode", "matrix_code", "parse_positions"]


@compiled
def _assemble(
    bits: NDArray[np.uint8], parity: gf2.Words, runs: NDArray[np.int64], out: NDArray[np.uint8]
) -> None:
    """Write coded bits: rows of ``runs`` are first place, source and length, parity behind information."""
    k = bits.shape[1]
    octets = np.empty(8 * parity.shape[1], np.uint64)
    checks = octets.view(np.uint8)
    for frame in range(bits.shape[0]):
        gf2.unpack_into(parity[frame], octets)
        for run in range(runs.shape[0]):
            place, source, length = runs[run]
            if source < k:
                for i in range(length):
                    out[frame, place + i] = bits[frame, source + i]
            else:
                for i in range(length):
                    out[frame, place + i] = checks[source - k + i]


class MatrixCode:
    """The linear code of a parity-check matrix H, with belief propagation on the graph of H.

    The encoder is systematic. Gaussian elimination over GF(2) finds an information set, as far in front as
    the matrix allows, and the parity bits as sums of information bits. Redundant rows of H are allowed and
    stay in the graph: k = N - rank H. A variable in no check is an uncoded bit, decided by its own LLR.

    Punctured variables are not transmitted; the decoder sees LLR 0. Shortened ones are zero, not transmitted,
    and taken out of the graph, which is what infinite LLRs would do. So are variables that H itself forces to
    zero (checks of a single variable).

    Parameters
    ----------
    matrix:
        H, ``[checks, variables]``, zeros and ones, dense or sparse. Layered decoding follows its rows.
    name:
        Name of the matrix, as it shall stand in results.
    puncture, shorten:
        Variables, counted from 0.
    decoding:
        How words are decoded, by the compiled engine.

    Attributes
    ----------
    information:
        Variables that hold the information bits, ``[k]``, ascending.
    decoder:
        The belief propagation, or what decides hard. Its graph has the variables ``active``.
    active:
        Variables in the graph, ``[variables]``, ascending.
    received, received_at:
        Coded bits that the graph knows, and where in it: an index into ``active`` each.
    information_at:
        Where in the graph the information bits are.

    Raises
    ------
    ValueError
        If H is no parity-check matrix, a position is outside it or named twice, no information bit is left,
        fewer coded than information bits are transmitted, or the decoder does not exist.

    Examples
    --------
    >>> code = MatrixCode([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]], "example")
    >>> code.encode(torch.tensor([[1, 0, 1]], dtype=torch.uint8))
    tensor([[1, 0, 1, 1, 1]], dtype=torch.uint8)
    """

    def __init__(
        self,
        matrix: ArrayLike | scipy.sparse.spmatrix,
        name: str,
        puncture: Sequence[int] = (),
        shorten: Sequence[int] = (),
        decoding: Decoding = Decoding(),
    ) -> None:
        decoding.among(f"matrix {name}", (*ALGORITHMS, *HARD), ("compiled",))
        self.matrix = _binary(matrix)
        check_size(name, self.matrix.shape[1], self.matrix.shape[0])
        self._matrix_name = name
        size = self.matrix.shape[1]
        self.punctured, self.shortened = _positions(puncture, size), _positions(shorten, size)
        both = np.intersect1d(self.punctured, self.shortened)
        if both.size:
            raise ValueError(f"variable {both[0]} is both punctured and shortened: name it once")
        self._derive_encoder()
        known = _known_zeros(self.matrix, self.shortened)
        self.active = np.flatnonzero(~known)
        reduced = self.matrix[:, self.active]
        checks = reduced[np.diff(reduced.indptr) > 0]
        if not checks.shape[0]:
            raise ValueError(f"{name}: no parity check is left on variables that are not known to be zero")
        decides = HardDecision if decoding.algorithm in HARD else BeliefPropagation
        self.decoder: BeliefPropagation | HardDecision = decides(Graph.of(checks), decoding)
        place = np.full(size, -1)
        place[self.active] = np.arange(self.active.size)
        self.received = np.flatnonzero(~known[self._sent])  # coded bits that the graph knows
        self.received_at = place[self._sent[self.received]]
        self.information_at = place[self.information]

    def _derive_encoder(self) -> None:
        size = self.matrix.shape[1]
        kept = np.setdiff1d(np.arange(size), self.shortened)
        words = gf2.pack_sparse(self.matrix)
        pivots = gf2.eliminate(words, kept[::-1].copy())
        self.information = np.setdiff1d(kept, pivots)
        self._sent = np.setdiff1d(kept, self.punctured)
        if not self.information.size:
            raise ValueError(
                f"{self._matrix_name}: no information bits are left of {size} variables with "
                f"{self.shortened.size} shortened and {pivots.size} independent checks"
            )
        if self._sent.size < self.information.size:
            raise ValueError(
                f"{self._matrix_name}: {self._sent.size} coded bits cannot carry {self.information.size} "
                f"information bits: puncture fewer than {self.punctured.size} variables"
            )
        rows = np.argsort(pivots)
        self._generator = gf2.extract_transposed(words, rows, self.information)
        source = np.empty(size, np.int64)
        source[np.concatenate([self.information, pivots[rows]])] = np.arange(kept.size)
        self._runs = _runs(source[self._sent], self.information.size)

    @property
    def name(self) -> str:
        """Name of the matrix with (k,n), and how many variables are punctured and shortened, if any."""
        counts = (("punctured", self.punctured.size), ("shortened", self.shortened.size))
        changes = "".join(f",{change}={count}" for change, count in counts if count)
        return f"{self._matrix_name}({self.k},{self.n}{changes})"

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify matrix, puncturing and shortening, whatever the name."""
        matrix = self.matrix
        parts = (matrix.indptr, matrix.indices, [matrix.shape[1]], self.punctured, self.shortened)
        state = hashlib.blake2b(digest_size=8)
        for part in parts:
            state.update(np.asarray(part, "<i8").tobytes() + b"|")
        return state.hexdigest()

    @property
    def k(self) -> int:
        """Information bits: variables less shortened ones less the rank of what is left of H."""
        return int(self.information.size)

    @property
    def n(self) -> int:
        """Transmitted bits: variables less punctured and shortened ones."""
        return int(self._sent.size)

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``, in the order of columns."""
        coded = self.words(np.ascontiguousarray(check_bits(bits, self.k).cpu().numpy()))
        return torch.from_numpy(coded).to(bits.device)

    def words(self, information: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Coded bits ``[batch, n]`` of information bits ``[batch, k]``, side by side in memory."""
        parity = np.empty((len(information), self._generator.shape[0] * gf2.LANES), np.uint64)
        gf2.multiply(information, self._generator, parity)
        coded = np.empty((len(information), self.n), np.uint8)
        _assemble(information, parity, self._runs, coded)
        return coded

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; soft values are a-posteriori LLRs of the information bits, if any."""
        found = self.propagate(llr)
        if found.soft is None:
            return Decoded(torch.from_numpy(found.bits[:, self.information_at]).to(llr.device))
        soft = found.soft[:, self.information_at]
        # Rather than Outcome.bits, which leave out variables without any check.
        bits = (soft >= 0).astype(np.uint8)
        return Decoded(torch.from_numpy(bits).to(llr.device), torch.from_numpy(soft).to(llr.device))

    def propagate(self, llr: torch.Tensor) -> Outcome:
        """Decode ``[batch, n]`` LLRs and return all that the decoder found, of the `active` variables.

        Raises
        ------
        ValueError
            If the shape is another, or a value is NaN.
        """
        values = check_llr(llr, self.n).cpu().numpy()
        channel = np.zeros((len(values), self.active.size), np.float32)
        channel[:, self.received_at] = values[:, self.received]
        return self.decoder.decode(channel, soft=True)


def _binary(matrix: ArrayLike | scipy.sparse.spmatrix) -> scipy.sparse.csr_matrix:
    rows = scipy.sparse.csr_matrix(matrix)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    if not np.all(rows.data == 1):
        raise ValueError("a parity-check matrix holds zeros and ones only")
    return rows.astype(np.uint8)


def _runs(source: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Divide ``[n]`` sources into runs of consecutive ones, broken at ``k``, as `_assemble` reads them."""
    starts = np.flatnonzero((np.diff(source, prepend=source[0] - 2) != 1) | (source == k))
    return np.stack([starts, source[starts], np.diff(starts, append=source.size)], axis=1)


def _positions(positions: Sequence[int], size: int) -> NDArray[np.int64]:
    values = np.asarray(positions, np.int64)
    for value in values[(values < 0) | (values >= size)]:
        raise ValueError(f"position {value} is outside the {size} variables 0 to {size - 1}")
    unique, counts = np.unique(values, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"position {unique[counts > 1][0]} is named more than once")
    return unique


def _known_zeros(matrix: scipy.sparse.csr_matrix, shortened: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Shortened variables, and those that checks of a single variable force to zero, one after the other."""
    known = np.zeros(matrix.shape[1], np.bool_)
    known[shortened] = True
    while True:
        rest = matrix[:, ~known]
        alone = np.flatnonzero(np.diff(rest.indptr) == 1)
        if not alone.size:
            return known
        known[np.flatnonzero(~known)[rest[alone].indices]] = True


def parse_positions(text: str) -> list[int]:
    """Read positions such as ``"0-127+200"``: numbers and ranges, both ends included, joined by ``+``.

    Raises
    ------
    ValueError
        If the text is something else, or a range runs backwards.

    Examples
    --------
    >>> parse_positions("0-2+7")
    [0, 1, 2, 7]
    """
    positions: list[int] = []
    for part in text.split("+"):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        ends = [int(end) for end in match.groups() if end] if match else []
        if not ends or ends[-1] < ends[0]:
            raise ValueError(f"positions must be numbers and ranges such as 0-127+200, got {text!r}")
        positions.extend(range(ends[0], ends[-1] + 1))
    return positions


def matrix_code(text: str, decoding: Decoding = Decoding()) -> MatrixCode:
    """Build a code from what stands on a command line.

    Parameters
    ----------
    text:
        ``alist:FILE``, ``qc:FILE`` or ``matrix:FILE`` (`phy.coding.ldpc.files.read_any`), then, if wanted,
        ``,puncture=POSITIONS`` and ``,shorten=POSITIONS`` as `parse_positions` reads them, and
        ``,shifts=modulo`` for a qc file with shifts beyond Z. Quotes take commas into the name of a file,
        ``alist:"a,b.alist"``. Without ``puncture`` the puncturing pattern of a qc file holds.
    decoding:
        As for `MatrixCode`.

    Raises
    ------
    ValueError
        If the text, the file, or the code is no valid one.

    Examples
    --------
    >>> import tempfile
    >>> from phy.coding.ldpc.alist import write_alist
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "small.alist"
    ...     size = file.write_text(write_alist(scipy.sparse.csr_matrix([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]])))
    ...     matrix_code(f"alist:{file},puncture=4").name
    'alist:small(3,4,punctured=1)'
    """
    source, *settings = split_outside_quotes(text)
    form, _, name = source.partition(":")
    path = Path(name.strip('"'))
    if form not in (*FORMATS, "matrix") or not name:
        raise ValueError(f"a code from a file is alist:FILE, qc:FILE or matrix:FILE, got {text!r}")
    given: dict[str, str] = {}
    positions: dict[str, list[int]] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in ("puncture", "shorten", "shifts") or key in given:
            raise ValueError(
                f"expected puncture=POSITIONS, shorten=POSITIONS or shifts=modulo, once each, got {text!r}; "
                f'quotes take commas into the name of a file, {form}:"a,b"'
            )
        given[key] = value
        if key != "shifts":
            positions[key] = parse_positions(value)
    if given.get("shifts", "modulo") != "modulo" or ("shifts" in given and form != "qc"):
        raise ValueError(f"shifts=modulo goes with a qc file, got {text!r}")
    matrix, punctured = _read(path, form, "shifts" in given)
    return MatrixCode(
        matrix,
        f"{form}:{path.stem}",
        positions.get("puncture", punctured),
        positions.get("shorten", ()),
        decoding,
    )


def _read(path: Path, form: str, modulo: bool) -> tuple[scipy.sparse.csr_matrix, list[int]]:
    """A matrix, and what its file punctures."""
    if form == "matrix":
        return read_any(path), []
    return read_matrix(path, form, modulo), read_punctured(path, form, modulo).tolist()
