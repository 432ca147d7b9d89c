"""What theory says: error rates of uncoded modulation, capacities, and bounds at finite length.

All functions take Es/N0 per complex channel use (`EsN0`) and count bits per complex channel use.

References
----------
.. [1] K. Cho, D. Yoon, "On the general BER expression of one- and two-dimensional amplitude modulations",
   IEEE Trans. Commun. 50(7), 2002.
.. [2] Y. Polyanskiy, H. V. Poor, S. Verdú, "Channel coding rate in the finite blocklength regime",
   IEEE Trans. Inf. Theory 56(5), 2010.
.. [3] G. Caire, G. Taricco, E. Biglieri, "Bit-interleaved coded modulation", IEEE Trans. Inf. Theory 44(3),
   1998.
.. [4] M. K. Simon, M.-S. Alouini, "Digital communication over fading channels", 2nd ed., 2005.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.special import entr, erfc, hyperu, logsumexp, ndtr, ndtri, roots_hermite

from phy.units import EsN0

if TYPE_CHECKING:
    from phy.modulation import Modulation

__all__ = [
    "bec_capacity",
    "bec_limit",
    "ber_awgn",
    "ber_rayleigh",
    "bicm_capacity",
    "bsc_capacity",
    "bsc_limit",
    "capacity",
    "capacity_snr",
    "coded_modulation_capacity",
    "ergodic_capacity",
    "finite_length_error",
    "finite_length_rate",
    "finite_length_snr",
    "outage_capacity",
    "outage_probability",
    "position_ber_awgn",
    "position_ber_rayleigh",
]

_NODES = 128  # of Gauss-Hermite quadrature: mutual information to 1e-6 bits
_NEGLIGIBLE = 1e-18  # weight of a node in the plane; most have less


def position_ber_awgn(bits_per_symbol: int, snr: EsN0) -> NDArray[np.float64]:
    """Error probability of every bit position of a symbol under minimum-distance decisions on AWGN.

    Parameters
    ----------
    bits_per_symbol:
        1 for BPSK, 2 for QPSK, 4, 6, 8, 10 ... for square Gray QAM.
    snr:
        Es/N0.

    Returns
    -------
    NDArray
        ``[bits_per_symbol]``; exact [1]_. Signs of max-log LLRs are minimum-distance decisions.

    Raises
    ------
    ValueError
        If ``bits_per_symbol`` is neither 1 nor even and positive.

    Examples
    --------
    >>> position_ber_awgn(4, EsN0(10.0)).round(4)  # the second bit of an axis errs twice as often
    array([0.0393, 0.0393, 0.0787, 0.0787])
    """
    weights, factors = _erfc_terms(bits_per_symbol)
    return np.asarray(weights @ erfc(np.sqrt(factors * snr.linear)))


def position_ber_rayleigh(bits_per_symbol: int, snr: EsN0) -> NDArray[np.float64]:
    """Average `position_ber_awgn` over Rayleigh fading whose gain the receiver knows.

    With |h|^2 exponential of unit mean, E erfc(sqrt(u |h|^2)) = 1 - sqrt(u / (1 + u)), [4]_.

    Examples
    --------
    >>> position_ber_rayleigh(1, EsN0(10.0)).round(4)  # (1 - sqrt(10 / 11)) / 2
    array([0.0233])
    """
    weights, factors = _erfc_terms(bits_per_symbol)
    # with v = 1/u: v / ((1 + v) (1 + 1 / sqrt(1 + v))), which does not cancel at high SNR
    inverse = 1.0 / (factors * snr.linear)
    return np.asarray(weights @ (inverse / (1.0 + inverse) / (1.0 + 1.0 / np.sqrt(1.0 + inverse))))


def ber_awgn(bits_per_symbol: int, snr: EsN0) -> float:
    """Bit error rate on AWGN: the mean of `position_ber_awgn`.

    Examples
    --------
    >>> round(ber_awgn(1, EsN0(9.5879)), 7)
    1e-05
    """
    return float(position_ber_awgn(bits_per_symbol, snr).mean())


def ber_rayleigh(bits_per_symbol: int, snr: EsN0) -> float:
    """Bit error rate on Rayleigh fading: the mean of `position_ber_rayleigh`.

    Examples
    --------
    >>> round(ber_rayleigh(1, EsN0(40.0)) * 10**4, 3)  # about 1 / (4 Es/N0) where that is large
    0.25
    """
    return float(position_ber_rayleigh(bits_per_symbol, snr).mean())


def _erfc_terms(bits_per_symbol: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights ``[positions, terms]`` and factors ``[terms]``: P_b = sum of w erfc(sqrt(f Es/N0))."""
    if bits_per_symbol == 1:
        return np.array([[0.5]]), np.array([1.0])
    if bits_per_symbol < 1 or bits_per_symbol % 2:
        raise ValueError(f"bits_per_symbol must be 1 or a positive even number, got {bits_per_symbol}")
    levels = 2 ** (bits_per_symbol // 2)
    term = np.arange(levels - 1)
    factors = (2 * term + 1.0) ** 2 * 1.5 / (levels**2 - 1)
    weights = np.zeros((bits_per_symbol, len(term)))
    for position in range(bits_per_symbol // 2):
        step = 2**position
        used = term < (1 - 0.5 / step) * levels
        sign = np.where(term * step // levels % 2, -1.0, 1.0)
        weight = sign * (step - np.floor(term * step / levels + 0.5)) / levels
        weights[2 * position : 2 * position + 2] = np.where(used, weight, 0.0)
    return weights, factors


def capacity(snr: EsN0) -> float:
    """Shannon capacity of the complex AWGN channel, log2(1 + Es/N0), in bits a channel use.

    Examples
    --------
    >>> capacity(EsN0(0.0))
    1.0
    """
    return math.log2(1.0 + snr.linear)


def capacity_snr(rate: float) -> EsN0:
    """Es/N0 at which `capacity` is ``rate`` bits a channel use.

    Examples
    --------
    >>> capacity_snr(1.0)
    EsN0(db=0.0)
    """
    if rate <= 0:
        raise ValueError(f"rate must be positive, got {rate}")
    return EsN0(10.0 * math.log10(math.expm1(rate * math.log(2.0))))


def bsc_capacity(p: float) -> float:
    """Capacity of the binary symmetric channel, 1 + p log2 p + (1 - p) log2(1 - p), in bits a use.

    Examples
    --------
    >>> round(bsc_capacity(0.11), 3)
    0.5
    """
    return float(1.0 - (entr(p) + entr(1.0 - p)) / math.log(2.0))


def bec_capacity(p: float) -> float:
    """Capacity of the binary erasure channel, 1 - p, in bits a use.

    Examples
    --------
    >>> bec_capacity(0.25)
    0.75
    """
    return 1.0 - p


def bsc_limit(rate: float) -> float:
    """Crossover probability, up to 1/2, at which `bsc_capacity` is ``rate``: more than a code can stand.

    Examples
    --------
    >>> round(bsc_limit(0.5), 4)
    0.11
    """
    return (
        float(scipy.optimize.brentq(lambda p: bsc_capacity(p) - rate, 0.0, 0.5))
        if 0 < rate < 1
        else 0.5 * (rate <= 0)
    )


def bec_limit(rate: float) -> float:
    """Erasure probability at which `bec_capacity` is ``rate``, 1 - rate.

    Examples
    --------
    >>> bec_limit(0.75)
    0.25
    """
    return 1.0 - rate


def ergodic_capacity(snr: EsN0) -> float:
    """Capacity of fast Rayleigh fading known to the receiver, log2(e) exp(1/g) E1(1/g), [4]_.

    Examples
    --------
    >>> round(ergodic_capacity(EsN0(10.0)), 3), round(capacity(EsN0(10.0)), 3)
    (2.907, 3.459)
    """
    # exp(x) E1(x) = U(1, 1, x) does not overflow at low SNR
    return float(hyperu(1.0, 1.0, 1.0 / snr.linear)) / math.log(2.0)


def outage_probability(rate: float, snr: EsN0) -> float:
    """Probability that block Rayleigh fading does not carry ``rate``: P(log2(1 + snr |h|^2) < rate).

    Examples
    --------
    >>> round(outage_probability(1.0, EsN0(10.0)), 4)  # 1 - exp(-1 / 10)
    0.0952
    """
    return -math.expm1(-math.expm1(rate * math.log(2.0)) / snr.linear)


def outage_capacity(probability: float, snr: EsN0) -> float:
    """Rate that block Rayleigh fading carries except with ``probability``: inverts `outage_probability`.

    Raises
    ------
    ValueError
        If ``probability`` does not lie between 0 and 1.

    Examples
    --------
    >>> round(outage_capacity(outage_probability(1.0, EsN0(10.0)), EsN0(10.0)), 6)
    1.0
    """
    if not 0 < probability < 1:
        raise ValueError(f"outage probability must lie between 0 and 1, got {probability}")
    return math.log2(1.0 - snr.linear * math.log1p(-probability))


def coded_modulation_capacity(modulation: Modulation, snr: EsN0) -> float:
    """Mutual information between equiprobable symbols and their reception on AWGN.

    The axes of BPSK, PAM and square QAM are independent channels, so each is integrated by itself with
    Gauss-Hermite quadrature; other constellations are integrated over the plane.

    Parameters
    ----------
    modulation:
        Its points.
    snr:
        Es/N0.

    Returns
    -------
    float
        Bits a channel use.

    Examples
    --------
    >>> from phy.modulation import Modulation
    >>> qam16 = Modulation("qam16")
    >>> round(coded_modulation_capacity(qam16, EsN0(30.0)), 6)
    4.0
    >>> coded_modulation_capacity(qam16, EsN0(10.0)) < capacity(EsN0(10.0))
    True
    """
    loss = 0.0
    for sent, likelihood, weights in _log_likelihoods(modulation, snr):
        loss += float((logsumexp(likelihood, axis=0) - likelihood[sent]) @ weights)
    return modulation.bits_per_symbol - loss / math.log(2.0)


def bicm_capacity(modulation: Modulation, snr: EsN0) -> float:
    """Sum over the bit positions of the mutual information between a bit and the reception, on AWGN [3]_.

    What bit-interleaved coded modulation with exact LLRs and without iteration through the demapper reaches.
    Parameters and result are those of `coded_modulation_capacity`, which bounds it from above.

    Examples
    --------
    >>> from phy.modulation import Modulation
    >>> qam16, snr = Modulation("qam16"), EsN0(8.0)
    >>> 0 < coded_modulation_capacity(qam16, snr) - bicm_capacity(qam16, snr) < 0.01  # little, Gray-labelled
    True
    """
    loss = 0.0
    for sent, likelihood, weights in _log_likelihoods(modulation, snr):
        total = logsumexp(likelihood, axis=0)
        labels = np.arange(len(likelihood))
        for bit in range(int(math.log2(len(labels)))):
            agreeing = likelihood[labels >> bit & 1 == sent >> bit & 1]
            loss += float((total - logsumexp(agreeing, axis=0)) @ weights)
    return modulation.bits_per_symbol - loss / math.log(2.0)


def _log_likelihoods(
    modulation: Modulation, snr: EsN0
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    """What may be sent, one by one: levels of an axis, or points of the plane.

    Each as its label; log densities of all candidates, up to a constant, ``[candidates, nodes]``; and the
    weights of the nodes, which add up to the number of axes over all levels, and to 1 over all points.
    """
    nodes, weights = roots_hermite(_NODES)
    weights = weights / math.sqrt(math.pi)
    spread = math.sqrt(snr.no)
    if modulation.separable:
        levels = modulation.levels.cpu().numpy().astype(np.float64)
        for label, level in enumerate(levels):
            received = level + spread * nodes
            distances = (received - levels[:, None]) ** 2
            yield label, -distances / snr.no, weights * modulation.axes / len(levels)
        return
    points = modulation.points.cpu().numpy().astype(np.complex128)
    plane, both = (nodes[:, None] + 1j * nodes).ravel(), np.outer(weights, weights).ravel()
    kept = both > _NEGLIGIBLE
    for label, point in enumerate(points):
        distances = np.abs(point + spread * plane[kept] - points[:, None]) ** 2
        yield label, -distances / snr.no, both[kept] / len(points)


def finite_length_rate(snr: EsN0, n: int, error_probability: float) -> float:
    """Best rate of a code of ``n`` complex channel uses on AWGN, normal approximation [2]_.

    R = C - sqrt(V / n) Q^-1(eps) + log2(2 n) / (2 n) with V = g (g + 2) / (g + 1)^2 log2(e)^2, g = Es/N0.
    This is equation 296 of the source for the 2 n real uses that n complex ones are. It is an approximation
    and no bound: a code may exceed it.

    Parameters
    ----------
    snr:
        Es/N0.
    n:
        Complex channel uses of a block.
    error_probability:
        Of a block, between 0 and 1.

    Returns
    -------
    float
        Bits a channel use, at least 0. Good from about 100 uses on.

    Examples
    --------
    >>> round(finite_length_rate(EsN0(0.0), 1024, 1e-3), 3)
    0.885
    """
    backoff = math.sqrt(_dispersion(snr) / n) * _q_inverse(error_probability)
    return max(0.0, capacity(snr) - backoff + math.log2(2 * n) / (2 * n))


def finite_length_error(snr: EsN0, k: int, n: int) -> float:
    """Block error probability of the best code of ``k`` bits in ``n`` complex channel uses.

    Inverts `finite_length_rate` for the error probability, at rate k / n.

    Examples
    --------
    >>> snr = finite_length_snr(0.5, 1024, 1e-3)
    >>> round(finite_length_error(snr, k=512, n=1024), 6)
    0.001
    """
    return float(ndtr(-_normal_margin(snr, k, n)))


def finite_length_snr(rate: float, n: int, error_probability: float) -> EsN0:
    """Es/N0 at which `finite_length_rate` is ``rate``.

    Raises
    ------
    ValueError
        If ``rate`` does not exceed log2(2 n) / (2 n), where the approximation grants it without any signal.

    Examples
    --------
    >>> round(finite_length_snr(0.5, 1024, 1e-3).db - capacity_snr(0.5).db, 2)  # dB above capacity
    0.95
    """
    granted = math.log2(2 * n) / (2 * n)
    if rate <= granted:
        raise ValueError(
            f"the normal approximation needs more than {granted:.3g} bits a use at n = {n}, "
            f"got a rate of {rate}"
        )
    target = _q_inverse(error_probability)
    low, high = -100.0, capacity_snr(rate).db + 100.0
    return EsN0(
        float(scipy.optimize.brentq(lambda db: _normal_margin(EsN0(db), rate * n, n) - target, low, high))
    )


def _normal_margin(snr: EsN0, k: float, n: int) -> float:
    """Distance from capacity in standard deviations; it rises with the SNR wherever k > log2(2 n) / 2."""
    return (n * capacity(snr) - k + 0.5 * math.log2(2 * n)) / math.sqrt(n * _dispersion(snr))


def _dispersion(snr: EsN0) -> float:
    g = snr.linear
    return g * (g + 2.0) / (g + 1.0) ** 2 / math.log(2.0) ** 2


def _q_inverse(probability: float) -> float:
    if not 0 < probability < 1:
        raise ValueError(f"error probability must lie between 0 and 1, got {probability}")
    return -float(ndtri(probability))
