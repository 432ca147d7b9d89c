"""Exact error rates of minimum-distance decisions, for any constellation in the plane.

A decision region is a convex polygon. Noise of variance N0 per complex dimension leads from a point into a
polygon with probability

    P = [the point is inside] - 1 / (2 pi) * sum over edges of
            integral exp(-d^2 / (N0 cos^2 t)) dt,

where d is the distance from the point to the line of an edge, and t runs over the angles, seen from the
point against the normal of that line, under which the edge lies (counted positive around the polygon). This
is Craig's way of integrating (MILCOM 1991), which averages over Rayleigh fading in closed form, too: the mean
of exp(-a g) over exponential g is 1 / (1 + a).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phy.units import EsN0

if TYPE_CHECKING:
    from phy.modulation import Modulation

__all__ = ["position_error_rates", "symbol_error_rate"]

_FAR = 1e5  # half the side of the square that stands for the plane; points have a mean energy of 1
_SAME = 1e-12
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)

Points = NDArray[np.complex128]


def symbol_error_rate(modulation: Modulation, snr: EsN0, rayleigh: bool = False) -> float:
    """Probability that the nearest point is not the one that was sent.

    Parameters
    ----------
    modulation:
        Its points.
    snr:
        Es/N0.
    rayleigh:
        Whether to average over Rayleigh fading that the receiver knows; otherwise on AWGN.

    Examples
    --------
    >>> from phy.modulation import Modulation
    >>> symbol_error_rate(Modulation("psk8"), EsN0(12.0)).__round__(4)  # about 2 Q(sqrt(2 Es/N0) sin(pi / 8))
    0.0312
    """
    return float(1.0 - np.mean(np.diag(_transitions(modulation, snr, rayleigh))))


def position_error_rates(modulation: Modulation, snr: EsN0, rayleigh: bool = False) -> NDArray[np.float64]:
    """Error probability of every bit position of a symbol, ``[bits_per_symbol]``.

    Parameters are those of `symbol_error_rate`. Signs of max-log LLRs are these decisions.

    Examples
    --------
    >>> from phy.modulation import Modulation
    >>> position_error_rates(Modulation("psk8"), EsN0(12.0)).round(4)
    array([0.0156, 0.0078, 0.0078])
    """
    wrong = _transitions(modulation, snr, rayleigh)
    labels, m = np.arange(len(wrong)), modulation.bits_per_symbol
    rates = []
    for place in reversed(range(m)):
        bit = labels >> place & 1
        rates.append(wrong[bit[:, None] != bit].sum() / len(wrong))
    return np.array(rates)


def _transitions(modulation: Modulation, snr: EsN0, rayleigh: bool) -> NDArray[np.float64]:
    """Probability to decide for the second point when the first was sent, ``[points, points]``."""
    points = tuple(modulation.points.cpu().numpy().astype(np.complex128).tolist())
    sent = np.array(points)
    found = np.empty((len(points), len(points)))
    for index, polygon in enumerate(_polygons(points)):
        found[:, index] = -_around(polygon, sent, snr, rayleigh)
        found[index, index] += 1.0
    return found


def _around(polygon: Points, sent: Points, snr: EsN0, rayleigh: bool) -> NDArray[np.float64]:
    """The sum over the edges of a polygon, for every point sent."""
    begin = polygon[:, None] - sent
    along = np.roll(polygon, -1)[:, None] - polygon[:, None]
    along = along / np.abs(along)
    normal = -1j * along  # outwards, of an edge that runs counterclockwise
    first = np.angle(begin * normal.conj())
    last = np.angle(np.roll(begin, -1, axis=0) * normal.conj())
    distance = (begin * normal.conj()).real
    # Seen from behind, angles count from the normal that leads there, and run the other way.
    behind = distance < 0
    first = np.where(behind, np.angle(-begin * normal.conj()), first)
    last = np.where(behind, np.angle(-np.roll(begin, -1, axis=0) * normal.conj()), last)
    middle = np.clip(0.0, np.minimum(first, last), np.maximum(first, last))
    ratio = distance**2 * snr.linear
    total = _integral(first, middle, ratio, rayleigh) + _integral(middle, last, ratio, rayleigh)
    return np.asarray(total.sum(axis=0) / (2 * np.pi))


def _integral(
    first: NDArray[np.float64], last: NDArray[np.float64], ratio: NDArray[np.float64], rayleigh: bool
) -> NDArray[np.float64]:
    half = (last - first) / 2
    angles = (first + last)[..., None] / 2 + half[..., None] * _NODES
    cosine = np.cos(angles) ** 2
    values = cosine / (cosine + ratio[..., None]) if rayleigh else np.exp(-ratio[..., None] / cosine)
    return np.asarray(half * (values @ _WEIGHTS))


@lru_cache(maxsize=32)
def _polygons(points: tuple[complex, ...]) -> tuple[Points, ...]:
    """Decision region of every point: its corners, counterclockwise."""
    found = []
    for index, point in enumerate(points):
        corners = [_FAR * corner for corner in (1 + 1j, -1 + 1j, -1 - 1j, 1 - 1j)]
        others = [other for place, other in enumerate(points) if place != index]
        for other in sorted(others, key=lambda other: abs(other - point)):
            corners = _nearer(corners, point, other)
        polygon = np.array(corners)
        found.append(polygon[np.abs(polygon - np.roll(polygon, 1)) > _SAME])  # where several lines meet
    return tuple(found)


def _nearer(corners: list[complex], point: complex, other: complex) -> list[complex]:
    """What of a polygon lies nearer to a point than to another."""
    direction, middle = (other - point) / abs(other - point), (other + point) / 2
    sides = [((corner - middle) * direction.conjugate()).real for corner in corners]
    kept = []
    for place, (corner, side) in enumerate(zip(corners, sides, strict=True)):
        before, beside = corners[place - 1], sides[place - 1]
        if (side < 0) != (beside < 0):
            kept.append(before + (corner - before) * beside / (beside - side))
        if side < 0:
            kept.append(corner)
    return kept
