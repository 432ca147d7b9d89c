"""MCS tables and transport block sizes of TS 38.214 against Sionna's and py3gpp's."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import py3gpp
import pytest
import torch
from sionna.phy.nr.utils import calculate_tb_size, decode_mcs_index

from phy.coding.transport.format import TransportFormat
from phy.coding.transport.mcs import TABLES, Resources, mcs_entry, transport_block_size

LAST = {"table1": 28, "table2": 27, "table3": 28}


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_sionnas(table: str) -> None:
    for index in range(LAST[table] + 1):
        entry = mcs_entry(f"38.214:{table}:{index}")
        order, rate = decode_mcs_index(index, int(table[-1]), is_pusch=False, device="cpu")
        assert (entry.bits_per_symbol, float(entry.rate)) == (
            int(order),
            pytest.approx(float(rate), abs=1e-7),
        )


def test_rows_of_the_standard() -> None:
    """Spectral efficiencies, the last column of the tables."""
    for name, modulation, efficiency in (
        ("38.214:table1:0", "qpsk", 0.2344),
        ("38.214:table1:16", "qam16", 2.5703),
        ("38.214:table1:17", "qam64", 2.5664),
        ("38.214:table1:28", "qam64", 5.5547),
        ("38.214:table2:20", "qam256", 5.3320),
        ("38.214:table2:27", "qam256", 7.4063),
        ("38.214:table3:0", "qpsk", 0.0586),
        ("38.214:table3:28", "qam64", 4.5234),
    ):
        entry = mcs_entry(name)
        assert entry.modulation == modulation
        assert float(entry.rate) * entry.bits_per_symbol == pytest.approx(efficiency, abs=6e-5)


def test_sizes_are_sionnas_and_py3gpps() -> None:
    """All entries of the three tables on resources from one block to the widest carrier."""
    names = {2: "QPSK", 4: "16QAM", 6: "64QAM", 8: "256QAM"}
    found, orders, rates, elements = [], [], [], []
    rng = np.random.default_rng(1)
    for table in TABLES:
        for index in range(LAST[table] + 1):
            entry = mcs_entry(f"38.214:{table}:{index}")
            for prb in (1, 2, 5, *rng.integers(6, 276, 6).tolist()):
                resources = Resources(prb, int(rng.integers(4, 15)), 12, int(rng.choice([0, 6, 12, 18])))
                found.append(transport_block_size(resources.counted, entry.bits_per_symbol, entry.rate))
                orders.append(entry.bits_per_symbol)
                rates.append(float(entry.rate))
                elements.append(resources.counted)
                theirs = py3gpp.nrTBS(
                    names[entry.bits_per_symbol],
                    1,
                    prb,
                    12 * resources.symbols - 12,
                    rates[-1],
                    resources.overhead,
                )
                information = resources.counted * entry.bits_per_symbol * entry.rate
                if not _is_tie(information):  # py3gpp rounds ties to even numbers, the clause rounds them up
                    assert found[-1] == theirs, (entry.name, resources)
    coded = [order * count for order, count in zip(orders, elements, strict=True)]
    sizes = calculate_tb_size(
        torch.tensor(orders),
        num_coded_bits=torch.tensor(coded),
        target_coderate=torch.tensor(rates),
        device="cpu",
    )[0]
    # Sionna multiplies in single precision: where that is exact
    exact = [
        float(np.float32(n) * np.float32(rate)) == n * rate for n, rate in zip(coded, rates, strict=True)
    ]
    assert sum(exact) > 0.5 * len(exact)
    compared = zip(found, sizes.tolist(), exact, strict=True)
    differ = [(ours, theirs) for ours, theirs, same in compared if same and ours != theirs]
    assert not differ, differ[:5]
    assert min(found) == 24 and max(found) > 200_000


def _is_tie(information: Fraction) -> bool:
    if information <= 3824:
        return False
    step = 1 << (int(information - 24).bit_length() - 6)
    return (information - 24) / step % 1 == Fraction(1, 2)


def test_sizes_need_no_filler() -> None:
    """What the standard chooses is cut into equal code blocks (38.212, clause 5.2.2)."""
    for name in ("38.214:table1:3", "38.214:table2:15", "38.214:table3:2"):
        for prb in (3, 40, 130, 273):
            entry, resources = mcs_entry(name), Resources(prb)
            size = transport_block_size(resources.counted, entry.bits_per_symbol, entry.rate)
            form = TransportFormat.fixed(size, resources.channel_uses, entry.bits_per_symbol, entry.rate)
            assert form.segment_filler == 0
            assert size / form.coded_bits == pytest.approx(float(entry.rate), abs=0.02)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: mcs_entry("38.214:table1:29"), "38.214:table1:0 to 28, .*, got '38.214:table1:29'"),
        (lambda: mcs_entry("10"), "an MCS is 38.214:table1:0 to 28, .*, got '10'"),
        (lambda: Resources(prb=276), "1 to 275 resource blocks and 1 to 14 symbols, got 276 and 14"),
        (lambda: Resources(symbols=1, dmrs=12), "must leave some of 12 resource elements, got dmrs = 12"),
        (lambda: Resources(overhead=5), "got dmrs = 12 and overhead = 5"),
    ],
)
def test_what_there_is_not_is_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
