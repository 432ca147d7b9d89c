"""Base graph and lifting size of LDPC codes on the very edges of the rules of TS 38.212."""

from __future__ import annotations

import pytest

from phy.coding.ldpc.sizes import lifting_size, select_base_graph


@pytest.mark.parametrize(
    ("payload", "rate", "graph"),
    [
        *[(292, 0.95, 2), (293, 0.95, 1)],  # A <= 292
        *[(3824, 0.67, 2), (3824, 0.6701, 1), (3825, 0.67, 1)],  # A <= 3824 and R <= 0.67
        *[(60_000, 0.25, 2), (60_000, 0.2501, 1)],  # R <= 0.25
    ],
)
def test_base_graph_of_clause_7_2_2(payload: int, rate: float, graph: int) -> None:
    assert select_base_graph(payload, rate) == graph


@pytest.mark.parametrize(
    ("k", "base_graph", "z"),
    [
        *[(192, 2, 32), (193, 2, 26)],  # K_b = 6 up to 192: 6 x 32; above 8: 8 x 26 is 208, 8 x 24 below 193
        *[(560, 2, 72), (561, 2, 64)],  # 8 x 72, as 8 x 64 is 512; above 9: 9 x 64 is 576
        *[(640, 2, 72), (641, 2, 72), (720, 2, 72), (721, 2, 80)],  # 9 x 72 is 648; above 10
        *[(3840, 2, 384), (8448, 1, 384), (22, 1, 2), (12, 2, 2)],
    ],
)
def test_lifting_size_of_clause_5_2_2(k: int, base_graph: int, z: int) -> None:
    assert lifting_size(k, base_graph)[0] == z
