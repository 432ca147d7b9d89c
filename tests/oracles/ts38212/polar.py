"""Polar coding of uplink and downlink control information, clause by clause.

Tables 5.3.1.1-1 and 5.3.1.2-1 are those of the package py3gpp.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from py3gpp.helper import generate_5g_ranking, polar_precode_interleave

__all__ = ["downlink", "uplink"]

# g_CRC24C(D), g_CRC11(D), g_CRC6(D) of clause 5.1, highest power first.
G_CRC24C = [int(b) for b in "1101100101011000100010111"]
G_CRC11 = [int(b) for b in "111000100001"]
G_CRC6 = [int(b) for b in "1100001"]
P = [0, 1, 2, 4, 3, 5, 6, 7, 8, 16, 9, 17, 10, 18, 11, 19]
P += [12, 20, 13, 21, 14, 22, 15, 23, 24, 25, 26, 28, 27, 29, 30, 31]


def uplink(a: list[int], E_UCI: int) -> list[int]:
    """Clauses 6.3.1.2.1, 6.3.1.3.1, 6.3.1.4.1 and 6.3.1.5 for A >= 12 bits on PUCCH."""
    A = len(a)
    I_seg = 1 if (A >= 360 and E_UCI >= 1088) or A >= 1013 else 0
    generator = G_CRC6 if 12 <= A <= 19 else G_CRC11
    C = 2 if I_seg else 1  # clause 5.2.1
    A_dash = math.ceil(A / C) * C
    padded = [0] * (A_dash - A) + a
    g: list[int] = []
    for r in range(C):
        block = padded[r * A_dash // C : (r + 1) * A_dash // C]
        c = block + crc(block, generator)
        K, E = len(c), E_UCI // C
        n_PC, n_PC_wm = 0, 0
        if 18 <= K <= 25:
            n_PC, n_PC_wm = 3, 1 if E - K + 3 > 192 else 0
        g += _block(c, E, n_max=10, I_IL=0, n_PC=n_PC, n_PC_wm=n_PC_wm, I_BIL=1)
    return g


def downlink(a: list[int], E: int, rnti: int = 0) -> list[int]:
    """Clauses 7.3.2 to 7.3.4 for at least 12 bits."""
    p = crc([1] * 24 + a, G_CRC24C)
    x = [rnti >> (15 - i) & 1 for i in range(16)]
    p = p[:8] + [(bit + mask) % 2 for bit, mask in zip(p[8:], x, strict=True)]
    return _block(a + p, E, n_max=9, I_IL=1, n_PC=0, n_PC_wm=0, I_BIL=0)


def crc(bits: list[int], generator: list[int]) -> list[int]:
    """Clause 5.1: the remainder of long division."""
    L = len(generator) - 1
    rest = bits + [0] * L
    for i in range(len(bits)):
        if rest[i]:
            for j, tap in enumerate(generator):
                rest[i + j] ^= tap
    return rest[-L:]


def _block(c: list[int], E: int, *, n_max: int, I_IL: int, n_PC: int, n_PC_wm: int, I_BIL: int) -> list[int]:
    K = len(c)
    # 5.3.1
    if E <= (9 / 8) * 2 ** (math.ceil(math.log2(E)) - 1) and K / E < 9 / 16:  # noqa: SIM300
        n_1 = math.ceil(math.log2(E)) - 1
    else:
        n_1 = math.ceil(math.log2(E))
    n_2 = math.ceil(math.log2(K / (1 / 8)))
    n = max(min(n_1, n_2, n_max), 5)
    N = 2**n
    # 5.3.1.1
    c_dash = [c[i] for i in polar_precode_interleave(K)] if I_IL else c
    # 5.4.1.1
    J = [P[32 * i // N] * (N // 32) + i % (N // 32) for i in range(N)]
    Q_F_tmp: set[int] = set()
    if E < N:
        if K / E <= 7 / 16:
            for i in range(0, N - E):
                Q_F_tmp |= {J[i]}
            if E >= 3 * N / 4:
                Q_F_tmp |= set(range(0, math.ceil(3 * N / 4 - E / 2)))
            else:
                Q_F_tmp |= set(range(0, math.ceil(9 * N / 16 - E / 4)))
        else:
            for i in range(E, N):
                Q_F_tmp |= {J[i]}
    Q_0 = [q for q in _ranking() if q < N]
    Q_I_tmp = [q for q in Q_0 if q not in Q_F_tmp]
    Q_I = Q_I_tmp[len(Q_I_tmp) - (K + n_PC) :]
    # 5.3.1.2
    Q_PC: list[int] = []
    if n_PC:
        Q_PC = Q_I[: n_PC - n_PC_wm]
        Q_I_tilde = Q_I[n_PC:]
        if n_PC_wm:
            weights = _generator(n).sum(axis=1)
            least = min(weights[q] for q in Q_I_tilde)
            Q_PC += [[q for q in Q_I_tilde if weights[q] == least][-1]]
    information = set(Q_I)
    u = [0] * N
    k = 0
    y_0 = y_1 = y_2 = y_3 = y_4 = 0
    for i in range(N):
        y_0, y_1, y_2, y_3, y_4 = y_1, y_2, y_3, y_4, y_0
        if i in information:
            if i in Q_PC:
                u[i] = y_0
            else:
                u[i] = c_dash[k]
                k += 1
                y_0 = y_0 ^ u[i]
    d = (np.array(u) @ _generator(n) % 2).tolist()
    # 5.4.1.1, 5.4.1.2
    y = [d[J[i]] for i in range(N)]
    if E >= N:
        e = [y[i % N] for i in range(E)]
    elif K / E <= 7 / 16:
        e = [y[i + N - E] for i in range(E)]
    else:
        e = [y[i] for i in range(E)]
    return _interleave(e) if I_BIL else e


def _interleave(e: list[int]) -> list[int]:
    """Clause 5.4.1.3; NULL is None."""
    E = len(e)
    T = 0
    while T * (T + 1) / 2 < E:
        T += 1
    v: dict[tuple[int, int], int | None] = {}
    k = 0
    for i in range(T):
        for j in range(T - i):
            v[i, j] = e[k] if k < E else None
            k += 1
    f = [v[i, j] for j in range(T) for i in range(T - j)]
    return [bit for bit in f if bit is not None]


@lru_cache(maxsize=1)
def _ranking() -> list[int]:
    return [int(q) for q in generate_5g_ranking(0, 1024, sort=False)[0]]


@lru_cache(maxsize=8)
def _generator(n: int) -> NDArray[np.int64]:
    G_N = np.array([[1]])
    for _ in range(n):
        G_N = np.kron(G_N, np.array([[1, 0], [1, 1]]))
    return G_N
