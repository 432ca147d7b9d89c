"""Constellations, mapper and demapper: BPSK, QPSK and square QAM up to 1024 points."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch

__all__ = ["Demapping", "Modulation"]

Demapping = Literal["app", "maxlog"]

_BITS = {"bpsk": 1, "qpsk": 2, "qam16": 4, "qam64": 6, "qam256": 8, "qam1024": 10}
_ALIASES = {"4qam": "qpsk", "qam4": "qpsk"} | {f"{name[3:]}qam": name for name in _BITS if name[:3] == "qam"}
_NATURAL = "-natural"
_SMALLEST_NO = 1e-20  # keeps every exponent within float32: |llr| stays below about 1e22
_CHUNK = 1 << 14  # real samples demapped at a time: the exponents of one chunk stay in the cache


class Modulation:
    """A memoryless modulation with perfect knowledge of the noise variance at the receiver.

    Points and labels are those of TS 38.211, 5.1 (Gray labels, unit mean energy), and Sionna's to the last
    digit; BPSK is +1 for bit 0 and -1 for bit 1 on the real axis. A square QAM carries its even
    label bits on the real and its odd ones on the imaginary axis, so the demapper works on each axis by
    itself: the same LLRs as over all points, from ``2 sqrt(M)`` instead of ``M`` distances.

    ``qam16-natural`` and so on count the levels of each axis from the largest down in binary instead, which
    is Ungerboeck's set partitioning. Its bits depend on each other: worse than Gray labels to a receiver
    that demaps once, but there is something to gain from demapping again (`phy.links.iterative`).

    Parameters
    ----------
    name:
        ``bpsk``, ``qpsk`` (also ``4qam``), ``qam16``, ``qam64``, ``qam256`` or ``qam1024`` (also ``16qam``
        and so on). `Modulation.name` is the first spelling. From 16 points on, ``-natural`` may follow.
    demapping:
        ``"app"`` for exact a-posteriori LLRs, ``"maxlog"`` for the nearest point of either bit value. The
        signs of max-log LLRs are minimum-distance decisions; those of exact ones minimise the error rate
        of each bit and differ from them at low SNR.
    device:
        Where bits and symbols lie.

    Raises
    ------
    ValueError
        If the name or the demapping is unknown.

    Examples
    --------
    >>> Modulation("16qam").name, Modulation("16qam").bits_per_symbol
    ('qam16', 4)
    >>> Modulation("qpsk").demap(torch.tensor([[0.5 - 1.0j]]), torch.tensor(1.0))
    tensor([[-1.4142,  2.8284]])
    """

    def __init__(self, name: str, demapping: Demapping = "app", device: str | torch.device = "cpu") -> None:
        if demapping not in get_args(Demapping):
            raise ValueError(f"demapping must be one of {', '.join(get_args(Demapping))}, got {demapping!r}")
        self.name = _canonical(name)
        self.demapping = demapping
        self.device = torch.empty(0, device=device).device
        self.bits_per_symbol = _BITS[self.name.removesuffix(_NATURAL)]
        levels = _gray_levels(self.bits_per_symbol // self.axes, self.axes)
        if self.name.endswith(_NATURAL):
            levels = levels.sort(descending=True).values
        self._levels = levels.to(self.device)
        self._points = _points(self._levels, self.axes)

    @property
    def points(self) -> torch.Tensor:
        """Points in the order of their labels, first bit in front: ``[2**m]``, ``torch.complex64``."""
        return self._points

    @property
    def axes(self) -> int:
        """Real dimensions that carry bits: 1 for BPSK, 2 otherwise."""
        return min(self.bits_per_symbol, 2)

    @property
    def levels(self) -> torch.Tensor:
        """Amplitudes on one axis in the order of its labels: ``[2**(m / axes)]``, ``torch.float32``."""
        return self._levels

    def map(self, bits: torch.Tensor) -> torch.Tensor:
        """Map bits to symbols.

        Parameters
        ----------
        bits:
            Zeros and ones, ``[batch, n]``, ``torch.uint8``; ``n`` a multiple of `bits_per_symbol`.

        Returns
        -------
        torch.Tensor
            ``[batch, n / bits_per_symbol]``, ``torch.complex64``, unit mean energy over equiprobable bits.

        Raises
        ------
        ValueError
            If ``n`` is no multiple of `bits_per_symbol`, or the bits lie on another device.
        """
        self._check_device(bits, "bits")
        if bits.shape[-1] % self.bits_per_symbol:
            raise ValueError(
                f"{bits.shape[-1]} bits are no multiple of the {self.bits_per_symbol} bits of a {self.name} "
                "symbol; append filler (phy.bits.pad) or send them through a DigitalLink, which does"
            )
        each = bits.reshape(*bits.shape[:-1], bits.shape[-1] // self.bits_per_symbol, self.bits_per_symbol)
        labels = each[..., 0].to(torch.int32)
        for place in range(1, self.bits_per_symbol):
            labels = 2 * labels + each[..., place]
        return self._points[labels]

    def demap(
        self, symbols: torch.Tensor, no: torch.Tensor, prior: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the LLR of every bit.

        Parameters
        ----------
        symbols:
            Equalised symbols, ``[batch, N]``, ``torch.complex64``.
        no:
            Noise variance per complex dimension *after* equalisation, one a symbol: ``[batch, N]`` or
            broadcastable to it, ``torch.float32``. Values below 1e-20 count as 1e-20.
        prior:
            What is known of the bits beforehand, finite LLRs log p(b=1)/p(b=0),
            ``[batch, N * bits_per_symbol]``, ``torch.float32``; None for equiprobable bits.

        Returns
        -------
        torch.Tensor
            log p(b=1)/p(b=0), ``[batch, N * bits_per_symbol]``, ``torch.float32``, finite for every finite
            symbol below 1e15 in magnitude. With priors it is the extrinsic LLR: a bit's own prior is not
            in it, those of the others in the symbol are.

        Raises
        ------
        ValueError
            If the symbols lie on another device, or the priors are not one a bit.
        """
        self._check_device(symbols, "symbols")
        noise = no.to(torch.float32).clamp_min(_SMALLEST_NO).expand(symbols.shape)
        samples = torch.view_as_real(symbols)[..., : self.axes].reshape(-1)
        variance = noise.unsqueeze(-1).expand(*symbols.shape, self.axes).reshape(-1)
        levels = self._levels.unsqueeze(-1)
        known = [None] * len(torch.split(samples, _CHUNK)) if prior is None else self._by_axis(prior, symbols)
        chunks = zip(torch.split(samples, _CHUNK), torch.split(variance, _CHUNK), known, strict=True)
        llr = torch.cat([_axis_llr(y, v, levels, self.demapping, p) for y, v, p in chunks], dim=-1)
        # [bits of an axis, symbols, axes] -> [symbols, bits of an axis, axes]: bits alternate between axes
        by_axis = llr.reshape(self.bits_per_symbol // self.axes, symbols.numel(), self.axes)
        return by_axis.transpose(0, 1).reshape(*symbols.shape[:-1], symbols.shape[-1] * self.bits_per_symbol)

    def _by_axis(self, prior: torch.Tensor, symbols: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Priors as chunks ``[bits of an axis, samples]``."""
        expected = (*symbols.shape[:-1], symbols.shape[-1] * self.bits_per_symbol)
        if prior.shape != expected:
            raise ValueError(f"priors must have shape {list(expected)}, one a bit, got {list(prior.shape)}")
        self._check_device(prior, "priors")
        bits = prior.to(torch.float32).reshape(-1, self.bits_per_symbol // self.axes, self.axes)
        return torch.split(bits.transpose(0, 1).flatten(1), _CHUNK, dim=-1)

    def _check_device(self, tensor: torch.Tensor, what: str) -> None:
        if tensor.device != self.device:
            raise ValueError(
                f"{what} are on {tensor.device} but the modulation is on {self.device}; "
                f"build it with Modulation({self.name!r}, device={str(tensor.device)!r})"
            )

    def __repr__(self) -> str:
        return f"Modulation({self.name!r}, {self.demapping!r}, device={str(self.device)!r})"


def _canonical(name: str) -> str:
    spelled = name.strip().lower()
    key = spelled.removesuffix(_NATURAL).replace("-", "")
    key = _ALIASES.get(key, key)
    natural = spelled.endswith(_NATURAL)
    if key not in _BITS or (natural and _BITS[key] < 4):
        raise ValueError(
            f"unknown modulation {name!r}: use one of {', '.join(_BITS)} (16qam for qam16 etc.), "
            f"from qam16 on also with {_NATURAL}"
        )
    return key + _NATURAL if natural else key


def _gray_levels(bits: int, axes: int) -> torch.Tensor:
    """Amplitudes of one axis in the order of its labels: ``[2**bits]`` (TS 38.211, clauses 5.1.2 to 5.1.7).

    A further bit b in front mirrors the amplitudes a behind it: (1 - 2 b)(2^i - a).
    """
    levels = torch.tensor([1.0, -1.0])
    for place in range(1, bits):
        outer = 2**place - levels
        levels = torch.cat([outer, -outer])
    return levels * (axes * levels.square().mean()).rsqrt()


def _points(levels: torch.Tensor, axes: int) -> torch.Tensor:
    """Points whose axes have these levels, even label bits on the real axis: ``[L^axes]``."""
    if axes == 1:
        return torch.complex(levels, torch.zeros_like(levels))
    bits = int(math.log2(len(levels)))
    labels = torch.arange(4**bits, device=levels.device)
    parts = []
    for last in (1, 0):  # of the label's bits, where the last one of this axis stands
        index = torch.zeros_like(labels)
        for bit in range(bits):
            index |= ((labels >> (2 * bit + last)) & 1) << bit
        parts.append(levels[index])
    return torch.complex(*parts)


def _axis_llr(
    y: torch.Tensor,
    no: torch.Tensor,
    levels: torch.Tensor,
    demapping: Demapping,
    prior: torch.Tensor | None = None,
) -> torch.Tensor:
    """LLRs of the bits on one axis: samples ``[S]``, levels ``[L, 1]``, priors and LLRs ``[log2 L, S]``.

    The term y^2 that all exponents -(y - a)^2 / N0 share is left out: it cancels in the ratio, and would
    drown the rest in float32 where a deep fade makes y large.
    """
    exponents = (2 * y * levels - levels.square()) / no
    count = levels.shape[0]
    combine = _maximum if demapping == "maxlog" else _log_sum_exp
    if prior is not None:
        for bit, known in enumerate(prior):
            halves = exponents.reshape(2**bit, 2, count >> (bit + 1), len(y))
            exponents = torch.stack([halves[:, 0], halves[:, 1] + known], dim=1).reshape(count, len(y))
    rows = []
    for bit in range(int(math.log2(count))):
        # [bits before, this bit, bits behind, samples] -> [this bit, all others, samples]
        by_label = exponents.reshape(2**bit, 2, count >> (bit + 1), len(y))
        split = by_label.transpose(0, 1).reshape(2, count // 2, len(y))
        zero, one = combine(split)
        rows.append(one - zero if prior is None else one - zero - prior[bit])
    return torch.stack(rows)


def _maximum(x: torch.Tensor) -> torch.Tensor:
    return x.amax(dim=1)


def _log_sum_exp(x: torch.Tensor) -> torch.Tensor:
    """Over dimension 1, whose length is a power of two.

    Halves are added pairwise because the rounding of torch.logsumexp depends on the position in a buffer,
    hence on the size of the batch.
    """
    if x.shape[1] == 1:
        return x[:, 0]
    largest = x.amax(dim=1)
    terms = (x - largest.unsqueeze(1)).exp()
    while terms.shape[1] > 1:
        half = terms.shape[1] // 2
        terms = terms[:, :half] + terms[:, half:]
    return largest + terms[:, 0].log()
