"""Sionna's decoder on a received 5G LDPC block."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.fec.ldpc.decoding import cn_update_minsum, cn_update_offset_minsum

from phy.coding.code import Decoded
from phy.coding.decoding import Decoding
from phy.coding.ldpc.structure import Structure, bit_deinterleave

__all__ = ["SionnaDecoder"]

_BELOW_ONE = 1.0 - 2.0**-24  # the largest float32 below 1: messages end at 17.3
_WORK = {"cpu": 1 << 20, "cuda": 1 << 26}  # messages decoded at once: what suits the caches, or the memory

Rule = Callable[..., torch.Tensor]


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


def _normalized_minsum(
    msg: torch.Tensor, mask: torch.Tensor, clip: float | None = None, *, factor: float
) -> torch.Tensor:
    """Check-node update of the normalised min-sum decoder: min-sum messages times a factor."""
    scaled: torch.Tensor = factor * cn_update_minsum(msg, mask, None)
    return scaled if clip is None else scaled.clamp(-clip, clip)


def _rule(decoding: Decoding) -> Rule:
    rules: dict[str, Rule] = {
        "sum-product": _sum_product,
        "minsum": cn_update_minsum,
        "offset-minsum": partial(cn_update_offset_minsum, offset=decoding.offset),
        "normalized-minsum": partial(_normalized_minsum, factor=decoding.factor),
    }
    return rules[decoding.algorithm]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Sionna's warning for rates between 948/1024 and 0.95, which are allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@dataclass(frozen=True)
class _Mother:
    """Sionna's decoder of one mother code, and how its inputs tile our rate-matched block.

    Sionna matches rates without repetition only. A longer block is laid into its four redundancy versions,
    which together hold the whole circular buffer; ``source[i]`` is where coded bit i lies in them, laid end
    to end, and equal entries are repetitions whose LLRs add.
    """

    decoder: LDPC5GDecoder
    versions: tuple[int, ...]
    source: torch.Tensor | None

    def decode(self, llr: torch.Tensor) -> torch.Tensor:
        if self.versions == (0,):
            return self.decoder(llr)
        if self.source is not None:
            stacked = llr.new_zeros(llr.shape[0], len(self.versions) * self.decoder.encoder.n)
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
def _mother(k: int, n: int, base_graph: int, rv: int, decoding: Decoding, device: str) -> _Mother:
    """Build Sionna's decoder (a fifth of a second), or take it from the cache."""
    longest = (3 if base_graph == 1 else 5) * k  # Sionna's lowest rates: 1/3 and 1/5
    with _quiet():
        encoder = LDPC5GEncoder(
            k, min(n, longest), bg=f"bg{base_graph}", device=device, precision="single", check_input=False
        )
    source = _repetition_source(encoder, n, rv, device) if n > longest else None
    versions = (rv,) if source is None else (0, 1, 2, 3)
    decoder = LDPC5GDecoder(
        encoder,
        cn_update=_rule(decoding),
        cn_schedule=decoding.schedule,
        num_iter=decoding.iterations,
        llr_max=decoding.clip,
        hard_out=False,
        harq_mode=versions != (0,),
        device=device,
        precision="single",
    )
    return _Mother(decoder, versions, source)


class SionnaDecoder:
    """Sionna's belief propagation; it runs all its iterations, in ``float32``.

    Parameters
    ----------
    structure:
        The code block.
    decoding:
        How it is decoded, in floating point.
    device:
        Where LLRs arrive and decisions lie.

    Raises
    ------
    ValueError
        If fixed point is asked for, or repetition that Sionna's buffer does not reach.

    Examples
    --------
    >>> block = Structure.choose(12, 60)
    >>> llr = 4.0 * block.encode(torch.ones(1, 12, dtype=torch.uint8)) - 2.0
    >>> SionnaDecoder(block, Decoding("minsum"), "cpu").decode(llr).bits
    tensor([[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]], dtype=torch.uint8)
    """

    def __init__(self, structure: Structure, decoding: Decoding, device: str) -> None:
        if decoding.fixed_point is not None:
            raise ValueError(f"Sionna decodes in floating point, got llr_bits={decoding.fixed_point.bits}")
        self._bits_per_symbol = structure.bits_per_symbol
        self._k = structure.k
        self._mother = _mother(structure.k, structure.n, structure.base_graph, structure.rv, decoding, device)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped as messages are."""
        if self._bits_per_symbol is not None:
            llr = bit_deinterleave(llr, self._bits_per_symbol)
        at_once = _WORK.get(llr.device.type, _WORK["cuda"]) // int(self._mother.decoder.num_edges)
        parts = [self._mother.decode(part) for part in torch.split(llr, max(1, at_once)) if part.shape[0]]
        soft = torch.cat(parts) if parts else llr.new_zeros(0, self._k)
        return Decoded(bits=(soft >= 0).to(torch.uint8), llr=soft)
