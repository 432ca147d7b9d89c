"""LLRs read from the table equal those that are computed, number by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

from phy import philox
from phy.chain.chain import ChainCode, CompiledChain
from phy.chain.making import make_lanes
from phy.channels.flat import AWGN
from phy.coding.decoding import Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.modulation import Modulation
from phy.units import EsN0

KEY, TAGS = np.uint64(77), (np.uint32(1), np.uint32(2), np.uint32(3))


def made(chain: CompiledChain, snr: EsN0, table: bool) -> tuple[np.ndarray, np.ndarray]:
    """LLRs and words of 64 blocks, ``[variables, 64]`` and ``[words]``."""
    code = chain.code
    constellation, radio, grid, read = chain._setting(snr)
    assert read.size == 1 << 16
    program = code.program.targets, code.program.starts, code.program.inputs
    out: Any = np.zeros((code.variable_count, 64), code.decoder.dtype)
    words, nothing = np.zeros(code.program.words, np.uint64), np.zeros((0, 64), np.float32)
    make_lanes(
        np.uint64(5), KEY, TAGS, code.k, program, words, chain._places, chain._variables, nothing,
        constellation, radio, grid, read if table else None, out,
    )  # fmt: skip
    return out, words


@pytest.mark.parametrize(("modulation", "width"), [("bpsk", 6), ("qpsk", 3), ("qpsk", 8)])
@pytest.mark.parametrize("esno_db", [-4.0, 0.0, 9.0])
def test_table_equals_arithmetic(modulation: str, width: int, esno_db: float) -> None:
    """65,536 LLRs each, of which some 60 to 200 fall into cells that the table leaves open."""
    decoding = Decoding("offset-minsum", fixed_point=FixedPoint.of(width))
    mapping = Modulation(modulation)
    chain = CompiledChain(ChainCode.of(LDPC5G(500, 1020, decoding=decoding)), mapping, AWGN())
    (read, words), (computed, same) = (made(chain, EsN0(esno_db), table) for table in (True, False))
    assert (words == same).all()
    assert (read == computed).all()
    # And they are what the definition says, except where float32 rounds to the other side of a step.
    lane, count = 9, 1020
    real, imaginary = (np.empty(count // 2, np.float32) for _ in range(2))
    philox.fill_complex_normal(real, imaginary, KEY, np.uint64(5 + lane), TAGS[1])
    noise = np.stack([real, imaginary], axis=1).ravel().astype(np.float64)
    sent = (words[chain.code.places] >> np.uint64(lane)) & np.uint64(1)
    no, amplitude = EsN0(esno_db).no, 1.0 if modulation == "bpsk" else np.sqrt(0.5)
    llr = 4 * amplitude / no * (amplitude * (1 - 2.0 * sent) + np.sqrt(no) * noise)
    form = FixedPoint.of(width)
    right = np.clip(np.rint(llr * form.scale), -form.largest, form.largest)
    assert (read[chain.code.variables, lane] != right).sum() <= 1


def test_share_of_open_cells() -> None:
    """One step lies in few cells: two at most for each step."""
    decoding = Decoding("offset-minsum", fixed_point=FixedPoint.of(6))
    chain = CompiledChain(ChainCode.of(LDPC5G(512, 1024, decoding=decoding)), Modulation("bpsk"), AWGN())
    *_, (*_, unclear), table = chain._setting(EsN0(0.0))
    assert 30 < (table == unclear).sum() <= 2 * 62
    steps = table[table != unclear].astype(int)
    assert (np.diff(steps) >= 0).all()
    # Of the middle cell the LLR is that of no noise: 4 Es/N0 on a grid of 1/2.
    assert table[1 << 15] in (8, unclear) and special.ndtri(0.5) == 0
