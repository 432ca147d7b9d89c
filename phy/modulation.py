"""Mapper and demapper of all constellations (`phy.constellations.names.MODULATIONS`)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from phy.constellations.demapping import label_llrs, planar_llrs
from phy.constellations.names import MODULATIONS, NATURAL, TURNING, canonical
from phy.constellations.planar import is_planar, planar_points, turn
from phy.lazily import torch

__all__ = ["Demapping", "Modulation"]

Demapping = Literal["app", "maxlog"]

_SMALLEST_NO = 1e-20  # keeps every exponent within float32: |llr| stays below about 1e22
_CHUNK = 1 << 14  # real samples demapped at a time: the exponents of one chunk stay in the cache


class Modulation:
    """A memoryless modulation with perfect knowledge of the noise variance at the receiver.

    Points and labels are those of TS 38.211, 5.1 (Gray labels, unit mean energy), and Sionna's to the last
    digit; BPSK is +1 for bit 0 and -1 for bit 1 on the real axis, and PAM has the levels of one axis of a QAM
    there. A square QAM carries its even label bits on the real and its odd ones on the imaginary axis, so the
    demapper works on each axis by itself: the same LLRs as over all points, from ``2 sqrt(M)`` instead of
    ``M`` distances. 8-PSK, APSK, 32-QAM and pi/2-BPSK are those of `phy.constellations.planar`; the symbols
    of pi/2-BPSK turn by 90 degrees from each even position of a row to the next.

    ``qam16-natural`` and so on count the levels of each axis from the largest down in binary instead, which
    is Ungerboeck's set partitioning. Its bits depend on each other: worse than Gray labels to a receiver
    that demaps once, but there is something to gain from demapping again (`phy.links.iterative`).

    Parameters
    ----------
    name:
        One of `phy.constellations.names.MODULATIONS`, such as ``bpsk``, ``qam16`` (also ``16qam``), ``psk8``
        or ``apsk16-3/4``. `Modulation.name` is the first spelling. Behind square QAM from 16 points on,
        ``-natural`` may follow.
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
        self.name = canonical(name)
        self.demapping = demapping
        self._place = device
        if device != "cpu":
            self.device  # noqa: B018 - raises where there is no such device
        self.bits_per_symbol = MODULATIONS[self.name.removesuffix(NATURAL)]
        self.separable = not is_planar(self.name)

    @cached_property
    def device(self) -> torch.device:
        """Where bits and symbols lie."""
        return torch.empty(0, device=self._place).device

    @cached_property
    def points(self) -> torch.Tensor:
        """Points in the order of their labels, first bit in front: ``[2**m]``, ``torch.complex64``.

        Of pi/2-BPSK those at even positions.
        """
        return _points(self.levels, self.axes) if self.separable else planar_points(self.name).to(self.device)

    @property
    def axes(self) -> int:
        """Axes that symbols use, and receivers look at: 1 for BPSK and PAM, the real one, 2 otherwise."""
        return 1 if self.name == "bpsk" or self.name.startswith("pam") else 2

    @property
    def dimensions(self) -> int:
        """Real dimensions that the points span: 2, or 1 where they lie on a line through 0."""
        return 1 if self.name == TURNING else self.axes

    @cached_property
    def amplitudes(self) -> NDArray[np.float32]:
        """Amplitudes on one axis in the order of its labels: ``[2**(m / axes)]``.

        Raises
        ------
        ValueError
            If the constellation is not `separable`.
        """
        if not self.separable:
            raise ValueError(f"the axes of {self.name} carry no bits of their own, so it has no levels")
        gray = _gray_levels(self.bits_per_symbol // self.axes, self.axes)
        return np.sort(gray)[::-1].copy() if self.name.endswith(NATURAL) else gray

    @cached_property
    def levels(self) -> torch.Tensor:
        """The `amplitudes` where the demapper works: ``torch.float32``."""
        return torch.from_numpy(self.amplitudes).to(self.device)

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
        return self._turned(self.points[labels], 1)

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
        if not self.separable:
            if prior is not None:
                self._check_prior(prior, symbols)
            straight, exact = self._turned(symbols, -1), self.demapping == "app"
            return planar_llrs(straight, noise, self.points, exact, prior)
        samples = torch.view_as_real(symbols)[..., : self.axes].reshape(-1)
        variance = noise.unsqueeze(-1).expand(*symbols.shape, self.axes).reshape(-1)
        levels = self.levels.unsqueeze(-1)
        known = [None] * len(torch.split(samples, _CHUNK)) if prior is None else self._by_axis(prior, symbols)
        chunks = zip(torch.split(samples, _CHUNK), torch.split(variance, _CHUNK), known, strict=True)
        llr = torch.cat([_axis_llr(y, v, levels, self.demapping, p) for y, v, p in chunks], dim=-1)
        # [bits of an axis, symbols, axes] -> [symbols, bits of an axis, axes]: bits alternate between axes
        by_axis = llr.reshape(self.bits_per_symbol // self.axes, symbols.numel(), self.axes)
        return by_axis.transpose(0, 1).reshape(*symbols.shape[:-1], symbols.shape[-1] * self.bits_per_symbol)

    def _turned(self, symbols: torch.Tensor, sense: int) -> torch.Tensor:
        """Symbols ``[batch, N]`` as pi/2-BPSK turns them, or back where ``sense`` is -1."""
        if self.name != TURNING:
            return symbols
        phase = turn(symbols.shape[-1], self.device)
        return symbols * (phase if sense > 0 else phase.conj())

    def _check_prior(self, prior: torch.Tensor, symbols: torch.Tensor) -> None:
        expected = (*symbols.shape[:-1], symbols.shape[-1] * self.bits_per_symbol)
        if prior.shape != expected:
            raise ValueError(f"priors must have shape {list(expected)}, one a bit, got {list(prior.shape)}")
        self._check_device(prior, "priors")

    def _by_axis(self, prior: torch.Tensor, symbols: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Priors as chunks ``[bits of an axis, samples]``."""
        self._check_prior(prior, symbols)
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


def _gray_levels(bits: int, axes: int) -> NDArray[np.float32]:
    """Amplitudes of one axis in the order of its labels: ``[2**bits]`` (TS 38.211, clauses 5.1.2 to 5.1.7).

    A further bit b in front mirrors the amplitudes a behind it: (1 - 2 b)(2^i - a).
    """
    levels = np.array([1.0, -1.0], np.float32)
    for place in range(1, bits):
        outer = 2**place - levels
        levels = np.concatenate([outer, -outer])
    return levels * (np.float32(1.0) / np.sqrt(axes * np.mean(levels * levels)))


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
    return label_llrs(exponents, demapping == "app", prior)
