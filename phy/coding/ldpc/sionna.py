"""LDPC codes of 5G NR (TS 38.212), encoded and decoded by Sionna."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.fec.ldpc.decoding import cn_update_minsum

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.ldpc.sizes import select_base_graph

__all__ = ["DECODERS", "LDPC5G", "SCHEDULES", "bit_deinterleave", "bit_interleave"]

K_MIN = 12
K_MAX = {1: 8448, 2: 3840}  # K_cb, clause 5.2.2
MAX_RATE = 0.95  # TS 38.214, clause 5.1.3: a receiver need not decode above
NORMALIZATION = 0.75
_BELOW_ONE = 1.0 - 2.0**-24  # the largest float32 below 1: messages end at 17.3
_WORK = {"cpu": 1 << 20, "cuda": 1 << 26}  # messages decoded at once: what suits the caches, or the memory


def _sum_product(msg: torch.Tensor, mask: torch.Tensor, clip: float | None = None) -> torch.Tensor:
    """Check-node update by the tanh rule, 2 atanh of the product of all other tanh(L/2).

    Sionna has it too ("boxplus"), with `torch.atanh`, whose last digit depends on where in memory a number
    lies and so on the batch; the logarithm's does not. Its default "boxplus-phi" is slower, and errs about
    ten times as much in float32 at |L| > 6, where phi is a difference of nearly equal logarithms.
    """
    factors = torch.tanh(msg / 2)
    factors = torch.where(factors == 0, 1e-12, factors) * mask + (1.0 - mask)
    others = (factors.prod(dim=2, keepdim=True) / factors).clamp(-_BELOW_ONE, _BELOW_ONE)
    out = (torch.log1p(others) - torch.log1p(-others)) * mask
    return out if clip is None else out.clamp(-clip, clip)


def _normalized_minsum(msg: torch.Tensor, mask: torch.Tensor, clip: float | None = None) -> torch.Tensor:
    """Check-node update of the normalised min-sum decoder: min-sum messages times 0.75."""
    scaled: torch.Tensor = NORMALIZATION * cn_update_minsum(msg, mask, None)
    return scaled if clip is None else scaled.clamp(-clip, clip)


DECODERS: dict[str, str | Callable[..., torch.Tensor]] = {
    "sum-product": _sum_product,
    "minsum": "minsum",
    "offset-minsum": "offset-minsum",
    "normalized-minsum": _normalized_minsum,
}
SCHEDULES = ("flooding", "layered")


def bit_interleave(bits: torch.Tensor, bits_per_symbol: int) -> torch.Tensor:
    """Interleave ``[batch, E]`` bits so that early (systematic) ones lead each symbol (clause 5.4.2.2)."""
    columns = bits.shape[1] // bits_per_symbol
    return bits.reshape(-1, bits_per_symbol, columns).transpose(1, 2).reshape(bits.shape)


def bit_deinterleave(llr: torch.Tensor, bits_per_symbol: int) -> torch.Tensor:
    """Undo `bit_interleave` on ``[batch, E]`` values."""
    columns = llr.shape[1] // bits_per_symbol
    return llr.reshape(-1, columns, bits_per_symbol).transpose(1, 2).reshape(llr.shape)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Sionna's warning for rates between 948/1024 and 0.95, which are allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@dataclass(frozen=True)
class _Engine:
    """Sionna's pair for one mother code, and how its outputs tile our rate-matched block.

    Sionna matches rates without repetition only. A longer block is read from its four redundancy
    versions, which together hold the whole circular buffer; ``source[i]`` is where coded bit i lies in
    them, laid end to end, and equal entries are repetitions whose LLRs add.
    """

    encoder: LDPC5GEncoder
    decoder: LDPC5GDecoder
    versions: tuple[int, ...]
    source: torch.Tensor | None

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        coded: torch.Tensor = self.encoder(bits.to(torch.float32), rv=list(self.versions))
        flat = coded.reshape(bits.shape[0], -1)
        return (flat if self.source is None else flat[:, self.source]).to(torch.uint8)

    def decode(self, llr: torch.Tensor) -> torch.Tensor:
        if self.versions == (0,):
            return self.decoder(llr)
        if self.source is not None:
            stacked = llr.new_zeros(llr.shape[0], len(self.versions) * self.encoder.n)
            llr = stacked.index_add_(1, self.source, llr)
        stack = llr.reshape(llr.shape[0], len(self.versions), -1)
        return self.decoder(stack, rv=list(self.versions))


def _repetition_source(encoder: LDPC5GEncoder, n: int, rv: int, device: str) -> torch.Tensor:
    """Position of each of ``n`` coded bits in the four redundancy versions laid end to end."""
    place = torch.full((encoder.n_cb_comp,), -1, dtype=torch.int64)
    starts = encoder.get_start_positions_comp([0, 1, 2, 3])
    for version in (3, 2, 1, 0):
        offsets = torch.arange(encoder.n)
        place[(starts[version] + offsets) % encoder.n_cb_comp] = version * encoder.n + offsets
    if int(place.min()) < 0:
        raise ValueError(
            f"n = {n} with k = {encoder.k} needs repetition, for which base graph 1 is too long; "
            "use base_graph=2"
        )
    return place[(starts[rv] + torch.arange(n)) % encoder.n_cb_comp].to(device)


@lru_cache(maxsize=16)
def _engine(
    k: int, n: int, base_graph: int, rv: int, decoder: str, schedule: str, iterations: int, device: str
) -> _Engine:
    """Build Sionna's encoder and decoder (a tenth of a second each), or take them from the cache."""
    longest = (3 if base_graph == 1 else 5) * k  # Sionna's lowest rates: 1/3 and 1/5
    with _quiet():
        encoder = LDPC5GEncoder(
            k, min(n, longest), bg=f"bg{base_graph}", device=device, precision="single", check_input=False
        )
    source = _repetition_source(encoder, n, rv, device) if n > longest else None
    versions = (rv,) if source is None else (0, 1, 2, 3)
    sionna_decoder = LDPC5GDecoder(
        encoder,
        cn_update=DECODERS[decoder],
        cn_schedule=schedule,
        num_iter=iterations,
        hard_out=False,
        harq_mode=versions != (0,),
        device=device,
        precision="single",
    )
    return _Engine(encoder, sionna_decoder, versions, source)


class LDPC5G:
    """LDPC code of TS 38.212: encoding (clause 5.3.2), rate matching (5.4.2.1), bit interleaving (5.4.2.2).

    One code block, without CRC. Filler bits (clause 5.2.2) fill the ``k`` information bits up to the
    mother code's; they are not transmitted and known to the decoder. The decoder runs all its
    iterations (no early stop), clips LLRs and messages to 20 in magnitude, and works in float32.

    Parameters
    ----------
    k:
        Information bits K', 12 to 8448 (3840 on base graph 2).
    n:
        Coded bits E after rate matching, at least k / 0.95. Above the circular buffer's length bits are
        repeated (the buffer wraps around).
    bits_per_symbol:
        Modulation order Q_m of the bit interleaver, which must divide ``n``; None for no interleaver.
    base_graph:
        1 or 2; None selects by clause 7.2.2 from ``k`` and ``k/n``.
    rv:
        Redundancy version 0 to 3 (table 5.4.2.1-2, no limited buffer).
    decoder:
        ``"sum-product"`` (tanh rule), ``"minsum"``, ``"offset-minsum"`` (offset 0.5) or
        ``"normalized-minsum"`` (factor 0.75).
    schedule:
        ``"flooding"``, or ``"layered"``: one row of the base graph after the other, which converges in
        about half the iterations but takes several times as long each.
    iterations:
        Iterations of the decoder, at least 1.
    device:
        Where the code runs and its results lie.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> code = LDPC5G(100, 200)
    >>> word = code.encode(torch.ones(1, 100, dtype=torch.uint8))
    >>> int(code.decode(8.0 * word - 4.0).bits.sum())
    100
    """

    def __init__(
        self,
        k: int,
        n: int,
        *,
        bits_per_symbol: int | None = None,
        base_graph: int | None = None,
        rv: int = 0,
        decoder: str = "sum-product",
        schedule: str = "flooding",
        iterations: int = 20,
        device: str = "cpu",
    ) -> None:
        self.k, self.n, self.rv = k, n, rv
        self.bits_per_symbol = bits_per_symbol
        self.decoder, self.schedule, self.iterations = decoder, schedule, iterations
        self.device = device
        self._base_graph = self._check_size(base_graph)
        self._check_options()
        self._engine = _engine(k, n, self._base_graph, rv, decoder, schedule, iterations, device)

    def _check_size(self, base_graph: int | None) -> int:
        k, n = self.k, self.n
        if not K_MIN <= k <= K_MAX[1]:
            raise ValueError(f"5G LDPC needs k from {K_MIN} to {K_MAX[1]}, got k = {k}, n = {n}")
        if n <= 0 or k / n > MAX_RATE:
            lowest = -(-20 * k // 19)
            raise ValueError(f"5G LDPC with k = {k} needs n >= {lowest} (rate <= {MAX_RATE}), got n = {n}")
        if base_graph not in (None, 1, 2):
            raise ValueError(f"base_graph must be 1, 2 or None, got {base_graph}")
        graph = select_base_graph(k, k / n) if base_graph is None else base_graph
        if base_graph is None and k > K_MAX[2]:
            graph = 1  # clause 5.2.2 would segment; a single block of this size needs base graph 1
        if k > K_MAX[graph]:
            raise ValueError(f"base graph {graph} needs k up to {K_MAX[graph]}, got k = {k}, n = {n}")
        return graph

    def _check_options(self) -> None:
        if self.bits_per_symbol is not None and (self.bits_per_symbol < 1 or self.n % self.bits_per_symbol):
            raise ValueError(f"n = {self.n} must be a multiple of bits_per_symbol = {self.bits_per_symbol}")
        if self.rv not in (0, 1, 2, 3):
            raise ValueError(f"redundancy version must be 0, 1, 2 or 3, got {self.rv}")
        if self.decoder not in DECODERS:
            raise ValueError(f"LDPC decoder must be one of {', '.join(DECODERS)}, got {self.decoder!r}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"LDPC schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        if self.iterations < 1:
            raise ValueError(f"the LDPC decoder needs at least one iteration, got {self.iterations}")

    @property
    def name(self) -> str:
        """``ldpc5g(k,n)`` and, where they differ from the standard's first choice, base graph and rv."""
        version = f",rv={self.rv}" if self.rv else ""
        return f"ldpc5g({self.k},{self.n},bg{self._base_graph}{version})"

    @property
    def base_graph(self) -> int:
        """Base graph, 1 or 2 (clause 5.3.2)."""
        return self._base_graph

    @property
    def lifting_size(self) -> int:
        """Lifting size Z_c (clause 5.2.2)."""
        return int(self._engine.encoder.z)

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).to(self.device)
        if not bits.shape[0]:
            return bits.new_zeros(0, self.n)
        coded = self._engine.encode(bits)
        return coded if self.bits_per_symbol is None else bit_interleave(coded, self.bits_per_symbol)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped to 20 in magnitude."""
        llr = check_llr(llr, self.n).to(self.device)
        if self.bits_per_symbol is not None:
            llr = bit_deinterleave(llr, self.bits_per_symbol)
        kind = torch.device(self.device).type
        rows = max(1, _WORK.get(kind, _WORK["cuda"]) // int(self._engine.decoder.num_edges))
        parts = [self._engine.decode(part) for part in torch.split(llr, rows) if part.shape[0]]
        soft = torch.cat(parts) if parts else llr.new_zeros(0, self.k)
        return Decoded(bits=(soft >= 0).to(torch.uint8), llr=soft)
