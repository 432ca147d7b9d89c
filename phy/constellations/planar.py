"""Points whose axes do not carry bits of their own: 8-PSK, APSK, cross QAM, and pi/2-BPSK."""

from __future__ import annotations

import math
from collections.abc import Callable

from phy.constellations.names import APSK_RADII, TURNING
from phy.lazily import torch

__all__ = ["is_planar", "planar_points", "turn"]

# Phases by label, in parts of the circle: EN 302 307-1, figures 10 to 12.
_PSK8 = (1, 0, 4, 5, 2, 7, 3, 6)  # of 8
_TWELVE = (3, 21, 9, 15, 1, 23, 11, 13, 5, 19, 7, 17)  # of 24: twelve points, of a ring of 16-APSK
_FOUR = (1, 7, 3, 5)  # of 8: four points
_RINGS_OF_32 = "2 2 2 2 2 2 2 2 3 3 3 3 3 3 3 3 2 1 2 1 2 1 2 1 3 3 3 3 3 3 3 3"
_PHASES_OF_32 = (  # of 48
    *(6, 10, 42, 38, 18, 14, 30, 34, 3, 9, 42, 36, 18, 12, 27, 33),
    *(2, 6, 46, 42, 22, 18, 26, 30, 0, 6, 45, 39, 21, 15, 24, 30),
)


def is_planar(name: str) -> bool:
    """Whether a constellation is one of these; the axes of all others carry bits of their own.

    Examples
    --------
    >>> is_planar("apsk16-3/4"), is_planar("qam16")
    (True, False)
    """
    return _kind(name) in _MAKERS


def _kind(name: str) -> str:
    return name.partition("-")[0] if name in APSK_RADII else name


def planar_points(name: str) -> torch.Tensor:
    """Points in the order of their labels, unit mean energy: ``[2**m]``, ``torch.complex64``.

    Labels of 8-PSK and APSK are those of DVB-S2
    (EN 302 307-1, clause 5.4; Gray labels on 8-PSK, and nearly so on APSK). 32-QAM is the cross of six by six
    points without its corners; its labels are Smith's (IEEE Trans. Commun. 23(3), 1975): Gray labels of a
    rectangle of eight by four, whose outermost columns move above and below the others. pi/2-BPSK is as at
    even positions (TS 38.211, clause 5.1.1).

    Examples
    --------
    >>> planar_points("psk8")[:2]
    tensor([0.7071+0.7071j, 1.0000+0.0000j])
    """
    points = torch.tensor(_MAKERS[_kind(name)](name), dtype=torch.complex128)
    return (points / points.abs().square().mean().sqrt()).to(torch.complex64)


def turn(count: int, device: torch.device) -> torch.Tensor:
    """Factors by which pi/2-BPSK turns ``count`` symbols, exp(j pi/2 (i mod 2)): ``[count]``."""
    return torch.tensor([1, 1j], dtype=torch.complex64, device=device).repeat(-(-count // 2))[:count]


def _at(radius: float, phase: int, parts: int) -> complex:
    angle = 2 * math.pi * phase / parts
    return complex(radius * math.cos(angle), radius * math.sin(angle))


def _psk8(name: str) -> list[complex]:
    return [_at(1.0, phase, 8) for phase in _PSK8]


def _apsk16(name: str) -> list[complex]:
    (outer,) = APSK_RADII[name]
    return [_at(outer, phase, 24) for phase in _TWELVE] + [_at(1.0, phase, 8) for phase in _FOUR]


def _apsk32(name: str) -> list[complex]:
    radii = (1.0, *APSK_RADII[name])
    rings = map(int, _RINGS_OF_32.split())
    return [_at(radii[ring - 1], phase, 48) for ring, phase in zip(rings, _PHASES_OF_32, strict=True)]


def _cross32(name: str) -> list[complex]:
    """First, third and fifth bit are the column of the rectangle, the others its row."""
    points = []
    for label in range(32):
        bits = [label >> place & 1 for place in (4, 3, 2, 1, 0)]
        x, y = _gray(bits[0::2]), _gray(bits[1::2])
        if abs(x) == 7:  # 7 + j becomes 1 + 5j, and 7 + 3j becomes 3 + 5j
            x, y = math.copysign(abs(y), x), math.copysign(5, y)
        points.append(complex(x, y))
    return points


def _gray(bits: list[int]) -> float:
    """Amplitude of TS 38.211, 5.1: a further bit b in front mirrors those behind, (1 - 2 b)(2^i - a)."""
    amplitude = 0.0
    for place, bit in enumerate(reversed(bits)):
        amplitude = (1 - 2 * bit) * (2**place - amplitude) if place else 1.0 - 2 * bit
    return amplitude


def _pi2_bpsk(name: str) -> list[complex]:
    return [1 + 1j, -1 - 1j]


_MAKERS: dict[str, Callable[[str], list[complex]]] = {
    TURNING: _pi2_bpsk,
    "psk8": _psk8,
    "apsk16": _apsk16,
    "apsk32": _apsk32,
    "qam32": _cross32,
}
