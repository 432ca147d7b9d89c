"""Polar codes of 5G NR control information (TS 38.212)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.crc import CRC
from phy.coding.decoding import Decoding
from phy.coding.polar.kernels import decode_list
from phy.coding.polar.structure import DOWNLINK, PARITY, UPLINK, PolarStructure

__all__ = ["CRC_BITS", "DECODERS", "K_MAX", "K_MIN", "N_MAX", "Polar5G"]

K_MIN = 12  # fewer are sent by the small block codes of clause 5.3.3
K_MAX = {"uplink": 1706, "downlink": 140}
N_MAX = 8192
CRC_BITS = {"uplink": 11, "downlink": 24}
DECODERS = ("scl", "sc")

_LLR_CLIP = 1e4  # sums of a whole block of these are exact enough in float64
_KNOWN = 1e6  # of a shortened bit, which is 0
_FRAMES = 64  # whose lists are held at once


@lru_cache(maxsize=64)
def _structure(k: int, e: int, downlink: bool) -> PolarStructure:
    return PolarStructure.of(k, e, DOWNLINK if downlink else UPLINK)


class Polar5G:
    """Polar code of TS 38.212: CRC, polar transform (5.3.1), rate matching (5.4.1).

    The CRC is the code's own: ``k`` does not count its bits. ``uplink`` is control information on PUCCH and
    PUSCH (6.3.1, 6.3.2): CRC6 and three parity-check bits up to k = 19, CRC11 above; two code blocks from
    k = 1013, or from k = 360 if n is at least 1,088; coded bits are interleaved. ``downlink`` is that on
    PDCCH (7.3): CRC24C over 24 ones and the bits, with an RNTI of 0, distributed by the input interleaver.

    Decoders report the CRC, and give no soft values. With L = log p(b=0)/p(b=1), successive cancellation
    (``sc``) decides bit after bit, by LLRs that combine in each stage of the transform as::

        f(a, b) = 2 atanh(tanh(a / 2) tanh(b / 2))        g(a, b, u) = b + (1 - 2 u) a

    where u is what f has led to. ``scl`` follows ``list_size`` decisions at once, those of the least metric
    sum log(1 + exp(-(1 - 2 u) L)), and returns the best one whose CRC holds (Tal and Vardy, "List decoding
    of polar codes", IEEE Trans. Inf. Theory 61(5), 2015).

    Parameters
    ----------
    k:
        Information bits, 12 to 1,706 uplink and to 140 downlink.
    n:
        Coded bits, at least ``k`` and its check and parity bits, at most 8,192; even where there are two
        code blocks.
    decoder:
        ``"scl"`` (list) or ``"sc"``.
    list_size:
        Paths of the list decoder, 1 to 32.
    usage:
        ``"uplink"`` or ``"downlink"``.
    device:
        Where results lie; the decoder runs on the CPU.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> code = Polar5G(32, 64)
    >>> word = code.encode(torch.ones(1, 32, dtype=torch.uint8))
    >>> code.decode(8.0 * word - 4.0).crc_ok
    tensor([True])
    """

    def __init__(
        self,
        k: int,
        n: int,
        decoder: str = "scl",
        list_size: int = 8,
        *,
        usage: str = "uplink",
        device: str = "cpu",
    ) -> None:
        if usage not in K_MAX:
            raise ValueError(f"usage of a polar code must be {' or '.join(K_MAX)}, got {usage!r}")
        if decoder not in DECODERS:
            raise ValueError(f"polar decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
        Decoding("scl", list_size=list_size)  # which checks it
        self.k, self.n, self.usage, self.device = k, n, usage, device
        self.decoder, self.list_size = decoder, list_size if decoder == "scl" else 1
        down = usage == "downlink"
        self.blocks = 1 if down or not (k >= 1013 or (k >= 360 and n >= 1088)) else 2
        self._crc = CRC("24C" if down else "6" if k <= 19 else "11")
        carried = -(-k // self.blocks) + self._crc.length
        least = self.blocks * max(carried + 3 * (not down and k <= 19), 18)
        if not (K_MIN <= k <= K_MAX[usage] and least <= n <= N_MAX) or n % self.blocks:
            raise ValueError(
                f"5G polar ({usage}) needs k from {K_MIN} to {K_MAX[usage]} and n, with check bits, from "
                f"{least} to {N_MAX}{', even' * (self.blocks == 2)}, got k = {k}, n = {n}"
            )
        self.structure = _structure(carried, n // self.blocks, down)

    @property
    def name(self) -> str:
        """``polar5g(k,n)``, and ``downlink`` if it is that."""
        return f"polar5g({self.k},{self.n}{',downlink' * (self.usage == 'downlink')})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).to(self.device)
        filler = bits.new_zeros(len(bits), -self.k % self.blocks)
        each = (self.k + filler.shape[1]) // self.blocks
        words = self._checked(torch.cat([filler, bits], dim=1).reshape(-1, each))
        structure = self.structure
        inputs = words.new_zeros(len(words), structure.length)
        inputs[:, structure.places] = words
        for place in np.flatnonzero(structure.roles == PARITY).tolist():
            before = [at for at in range(place - 5, -1, -5) if structure.roles[at] != PARITY]
            inputs[:, place] = inputs[:, before].sum(dim=1) % 2
        for order in range(structure.order):
            pairs = inputs.view(len(words), structure.length >> order + 1, 2, 1 << order)
            pairs[:, :, 0] ^= pairs[:, :, 1]
        return inputs[:, structure.sent].reshape(len(bits), self.n)

    def _checked(self, bits: torch.Tensor) -> torch.Tensor:
        """Bits of code blocks with their check bits."""
        if self.usage == "uplink":
            return self._crc.attach(bits)
        ones = bits.new_ones(len(bits), self._crc.length)  # clause 7.3.2
        return torch.cat([bits, self._crc.parity(torch.cat([ones, bits], dim=1))], dim=1)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; ``crc_ok`` is the verdict of the CRC, of both if there are two."""
        blocks = check_llr(llr, self.n).cpu().reshape(-1, self.structure.e)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            found = list(pool.map(self._decode, torch.split(blocks, _FRAMES)))
        words, crc_ok = (torch.cat(part).to(self.device) for part in zip(*found, strict=True))
        bits = words.reshape(len(llr), self.blocks * words.shape[1])[:, -self.k :]
        return Decoded(bits=bits, crc_ok=crc_ok.reshape(-1, self.blocks).all(dim=1))

    def _decode(self, llr: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bits of code blocks without check bits, and whether these hold."""
        structure = self.structure
        clear = -llr.double().clamp(-_LLR_CLIP, _LLR_CLIP)  # log p(b=0)/p(b=1) from here on
        gathered = clear.new_zeros(len(llr), structure.length)
        channel = gathered.index_add_(1, torch.from_numpy(structure.sent), clear).numpy()
        channel[:, structure.shortened] = _KNOWN
        found = np.empty((len(llr), self.list_size, structure.length), np.uint8)
        metrics = np.empty((len(llr), self.list_size))
        decode_list(channel, structure.roles, structure.order, self.list_size, found, metrics)
        paths = torch.from_numpy(found[:, :, structure.places])
        bits = paths[:, :, : -self._crc.length]
        right = (self._checked(bits.flatten(0, 1)).reshape(paths.shape) == paths).all(dim=2)
        best = _best(metrics, right.numpy())
        rows = torch.arange(len(llr))
        return bits[rows, best], right[rows, best]


def _best(metrics: NDArray[np.float64], right: NDArray[np.bool_]) -> torch.Tensor:
    """The cheapest path of each frame whose check sum holds, or the cheapest if there is none."""
    cheapest = np.where(right, metrics, np.inf)
    some = np.isfinite(cheapest).any(axis=1, keepdims=True)
    return torch.from_numpy(np.where(some, cheapest, metrics).argmin(axis=1))
