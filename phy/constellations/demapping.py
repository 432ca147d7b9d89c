"""LLRs of labels from the likelihoods of points: the part of demapping that all constellations share."""

from __future__ import annotations

import math

from phy.lazily import torch

__all__ = ["label_llrs", "planar_llrs"]

_WORK = 1 << 18  # exponents at a time: they stay in the cache


def label_llrs(exponents: torch.Tensor, exact: bool, prior: torch.Tensor | None = None) -> torch.Tensor:
    """LLRs of every bit of a label, from the log likelihoods E of all labels a.

    L_b = f_{a: b(a) = 1} E(a) - f_{a: b(a) = 0} E(a), where f is log sum exp, or the maximum.

    Parameters
    ----------
    exponents:
        Log likelihood of every label, up to a constant: ``[2**m, S]``, first bit of the label in front.
    exact:
        Whether f is log sum exp.
    prior:
        LLRs of the bits, added to the exponents of the labels that have them, ``[m, S]``; they are not in
        what is returned of the same bit.

    Returns
    -------
    torch.Tensor
        log p(b=1)/p(b=0), ``[m, S]``. No value depends on the columns beside it.

    Examples
    --------
    >>> label_llrs(torch.tensor([[0.0], [1.0], [2.0], [5.0]]), exact=False).flatten()
    tensor([4., 3.])
    """
    count, samples = exponents.shape
    combine = _log_sum_exp if exact else _maximum
    if prior is not None:
        for bit, known in enumerate(prior):
            halves = exponents.reshape(2**bit, 2, count >> (bit + 1), samples)
            exponents = torch.stack([halves[:, 0], halves[:, 1] + known], dim=1).reshape(count, samples)
    rows = []
    for bit in range(int(math.log2(count))):
        # [bits before, this bit, bits behind, samples] -> [this bit, all others, samples]
        by_label = exponents.reshape(2**bit, 2, count >> (bit + 1), samples)
        split = by_label.transpose(0, 1).reshape(2, count // 2, samples)
        zero, one = combine(split)
        rows.append(one - zero if prior is None else one - zero - prior[bit])
    return torch.stack(rows)


def planar_llrs(
    symbols: torch.Tensor,
    no: torch.Tensor,
    points: torch.Tensor,
    exact: bool,
    prior: torch.Tensor | None = None,
) -> torch.Tensor:
    """LLRs over all points of a constellation in the plane, exponents (2 Re(y a*) - |a|^2) / N0.

    Parameters
    ----------
    symbols, no:
        Equalised symbols and their noise variances per complex dimension, ``[batch, N]``.
    points:
        In the order of their labels, ``[2**m]``.
    exact, prior:
        As for `label_llrs`; priors ``[batch, N m]``.

    Returns
    -------
    torch.Tensor
        log p(b=1)/p(b=0), ``[batch, N m]``, ``torch.float32``.

    Examples
    --------
    >>> points = torch.tensor([1.0 + 0j, 1j, -1j, -1.0 + 0j])
    >>> planar_llrs(torch.tensor([[0.25 + 0.5j]]), torch.tensor([[1.0]]), points, exact=False)
    tensor([[-1.5000,  0.5000]])
    """
    m = int(math.log2(len(points)))
    a = torch.view_as_real(points).unsqueeze(-1)
    energy = a[:, 0].square() + a[:, 1].square()
    y, variance = torch.view_as_real(symbols.reshape(-1)).T, no.reshape(-1)
    chunk = max(1, _WORK // len(points))
    known = None if prior is None else prior.to(torch.float32).reshape(-1, m).T
    parts = []
    for first in range(0, max(len(variance), 1), chunk):
        part = slice(first, first + chunk)
        product = y[0, part] * a[:, 0] + y[1, part] * a[:, 1]
        exponents = (2 * product - energy) / variance[part]
        parts.append(label_llrs(exponents, exact, None if known is None else known[:, part]))
    llr = torch.cat(parts, dim=-1)
    return llr.T.reshape(*symbols.shape[:-1], symbols.shape[-1] * m)


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
