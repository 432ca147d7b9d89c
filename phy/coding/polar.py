"""Polar codes of 5G NR uplink control (TS 38.212), encoded and decoded by Sionna."""

from __future__ import annotations

import warnings
from functools import lru_cache

import torch
from sionna.phy.fec.polar import Polar5GDecoder, Polar5GEncoder

from phy.coding.code import Decoded, check_bits, check_llr

__all__ = ["CRC_BITS", "DECODERS", "K_MAX", "K_MIN", "N_MAX", "Polar5G"]

K_MIN = 20  # from 12 to 19 bits the standard adds parity-check bits that Sionna leaves out
K_MAX = 1013
N_MAX = 1088
CRC_BITS = 11  # CRC11 of clause 6.3.1.2.1, inside the code
DECODERS = {"scl": "SCL", "sc": "SC"}


@lru_cache(maxsize=64)
def _sionna(
    k: int, n: int, decoder: str, list_size: int, device: str
) -> tuple[Polar5GEncoder, Polar5GDecoder]:
    encoder = Polar5GEncoder(k, n, device=device, precision="single", check_input=False)
    with warnings.catch_warnings():  # Sionna advises against SC, which the caller chose
        warnings.simplefilter("ignore", UserWarning)
        return encoder, Polar5GDecoder(
            encoder,
            dec_type=DECODERS[decoder],
            list_size=list_size,
            return_crc_status=True,
            device=device,
            precision="single",
        )


class Polar5G:
    """Polar code of TS 38.212, uplink: CRC11, polar transform (5.3.1), rate matching (5.4.1).

    The CRC is the code's own: ``k`` does not count its 11 bits. Both decoders report it, and give no soft
    values. With L = log p(b=0)/p(b=1), successive cancellation (``sc``) decides bit after bit, by LLRs that
    combine in each stage of the transform as::

        f(a, b) = 2 atanh(tanh(a / 2) tanh(b / 2))        g(a, b, u) = b + (1 - 2 u) a

    where u is what f has led to. ``scl`` follows ``list_size`` decisions at once, those of the least metric
    sum log(1 + exp(-(1 - 2 u) L)), and returns the best one whose CRC holds (Tal and Vardy, "List decoding
    of polar codes", IEEE Trans. Inf. Theory 61(5), 2015).

    Parameters
    ----------
    k:
        Information bits, 20 to 1013.
    n:
        Coded bits, ``k + 11`` to 1088, and at most twice the mother code's length (one repetition).
    decoder:
        ``"scl"`` (list) or ``"sc"``.
    list_size:
        Paths of the list decoder, a power of two.
    device:
        Where the code runs and its results lie.

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
        self, k: int, n: int, decoder: str = "scl", list_size: int = 8, *, device: str = "cpu"
    ) -> None:
        if not (K_MIN <= k <= K_MAX and k + CRC_BITS <= n <= N_MAX):
            raise ValueError(
                f"5G polar needs k from {K_MIN} to {K_MAX} and n from k + {CRC_BITS} to {N_MAX}, "
                f"got k = {k}, n = {n}"
            )
        if decoder not in DECODERS:
            raise ValueError(f"polar decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
        if list_size < 1 or list_size & (list_size - 1):
            raise ValueError(f"list size must be a power of two, got {list_size}")
        self.k, self.n, self.device = k, n, device
        self.decoder, self.list_size = decoder, list_size
        self._encoder, self._decoder = _sionna(k, n, decoder, list_size, device)
        longest = 2 * int(self._encoder.n_polar)
        if n > longest:
            raise ValueError(f"5G polar with k = {k} reaches n = {longest} by repetition, got n = {n}")

    @property
    def name(self) -> str:
        """``polar5g(k,n)``."""
        return f"polar5g({self.k},{self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).to(self.device)
        if not bits.shape[0]:
            return bits.new_zeros(0, self.n)
        coded: torch.Tensor = self._encoder(bits.to(torch.float32))
        return coded.to(torch.uint8)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; ``crc_ok`` is the verdict of the CRC11."""
        llr = check_llr(llr, self.n).to(self.device)
        if not llr.shape[0]:
            empty = llr.new_zeros(0, self.k, dtype=torch.uint8)
            return Decoded(bits=empty, crc_ok=llr.new_zeros(0, dtype=torch.bool))
        bits, crc_ok = self._decoder(llr)
        return Decoded(bits=bits.to(torch.uint8), crc_ok=crc_ok)
