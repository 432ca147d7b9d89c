"""Chains: any object that carries bits makes a curve; the link of settings is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from benchmarks.links.chains import Chain, Plan, SpecifiedLink
from benchmarks.links.counting import RULES_VERSION, count
from benchmarks.links.points import Point, Session
from benchmarks.links.results import COUNT_COLUMNS
from benchmarks.links.sweepable import Sweepable
from benchmarks.runs.store import Store
from benchmarks.runs.sweep import run
from benchmarks.settings.ber import BerSpec, SnrSpec, StopSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_settings
from phy import random
from phy.random import Stream
from phy.units import EsN0


@dataclass(frozen=True)
class Arrived:
    """Bits as a link of somebody's own delivers them."""

    bits: torch.Tensor


@dataclass(frozen=True)
class Flips:
    """A binary symmetric channel, of which a chain knows nothing else."""

    p: float
    k: int = 32
    channel_uses: int = 16
    name: str = "flips"

    def describe(self) -> dict[str, Any]:
        return {"flips": self.p, "k": self.k}

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> Arrived:
        wrong = torch.stack([torch.from_numpy(s.generator().random(self.k) < self.p) for s in streams])
        return Arrived(bits ^ wrong.to(torch.uint8))


def chain_of(link: Sweepable, seed: int = 1, **stop: Any) -> Chain:
    return Chain.of(link, Plan(SnrSpec(kind="ebno", values_db=(0.0,)), StopSpec(**stop), seed))


def test_an_object_with_five_members_is_swept() -> None:
    link = Flips(0.01)
    chain = chain_of(link, max_blocks=2000, block_errors=10**6)
    assert [level.db for level in chain.levels] == pytest.approx([3.0103], abs=1e-5)
    shown = []
    with Store(None, "ber", COUNT_COLUMNS, {}, {}) as store:
        session = Session(store, shown.append)
        point = Point(session, chain, chain.levels[0])
        run([point], count)
        (condition,) = store.conditions()
    assert (point.stop, point.counts.blocks, point.counts.bits) == ("max blocks", 2000, 64_000)
    assert stats.binomtest(point.counts.bit_errors, 64_000, 0.01).pvalue > 0.001
    assert stats.binomtest(point.counts.block_errors, 2000, 1 - 0.99**32).pvalue > 0.001
    assert point.stats.ber_low < 0.01 < point.stats.ber_high
    assert condition.description["channel_uses"] == 16
    assert condition.description["ebno_db"] == pytest.approx(0.0, abs=1e-6)
    assert shown[-1] is point


def test_a_point_is_named_by_what_the_link_describes() -> None:
    """And by SNR and seed, never by the label or the rules that end it."""
    name, description = chain_of(Flips(0.01)).describe(EsN0(3.0))
    source = description["condition"].pop("source")
    assert description["condition"] == {
        **{"counting": RULES_VERSION, "flips": 0.01, "k": 32, "seed": 1},
        "esno_db": "3.000000",
    }
    assert len(source) == 16  # of the class, which is not the package's
    assert chain_of(Flips(0.01, name="other"), max_blocks=7).describe(EsN0(3.0))[0] == name
    others = [chain_of(Flips(0.02)).describe(EsN0(3.0)), chain_of(Flips(0.01), seed=2).describe(EsN0(3.0))]
    assert len({name, *(other for other, _ in others), chain_of(Flips(0.01)).describe(EsN0(3.1))[0]}) == 4


def test_the_link_of_settings_keeps_its_name() -> None:
    """Ids as they stand in runs of these rules of counting."""
    flags = {
        "code.name": "none",
        "code.k": 64,
        "modulation": "qpsk",
        "snr": {"kind": "esno", "values_db": "3"},
    }
    link = SpecifiedLink.of(read_settings(BerSpec, flags=flags))
    assert (link.k, link.channel_uses, link.chain().label, link.chain("x").label) == (64, 32, "none", "x")
    assert link.chain().describe(EsN0(3.0))[0] == "117b751fa90289ad096ed1b4200cd792"
    bits = random.bits([Stream(1)], 64)
    assert torch.equal(link(bits, EsN0(60.0), [Stream(2)]).bits, bits)


def test_pieces_of_chunks_become_the_rows_of_a_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut at every block, interrupted inside chunks, and ended inside one before: the same rows."""

    def swept(*most: int, ends: Sequence[int] = ()) -> list[tuple[Any, ...]]:
        left = list(ends)

        def show(point: Point) -> None:
            if left and point.counts.blocks >= left[0]:
                left.pop(0)
                raise KeyboardInterrupt

        with Store(None, "ber", COUNT_COLUMNS, {}, {}) as store:
            for blocks in most:
                chain = chain_of(Flips(0.01), max_blocks=blocks, block_errors=10**6)
                while True:
                    point = Point(Session(store, show), chain, chain.levels[0])
                    try:
                        run([point], count)
                    except KeyboardInterrupt:
                        continue
                    break
            (condition,) = store.conditions()
            assert (condition.stop, left) == ("max blocks", [])
            rows = store.rows(condition.id)
        return [tuple(value for name, value in row.items() if name != "seconds") for row in rows]

    whole = swept(300)
    assert [row[:2] for row in whole] == [(0, 64), (64, 64), (128, 64), (192, 64), (256, 44)]
    monkeypatch.setattr("benchmarks.links.counting._STEP_SECONDS", 0.0)
    monkeypatch.setattr("benchmarks.runs.sweep.SLICE_SECONDS", 0.0)
    assert swept(300) == whole
    assert swept(300, ends=(1, 70, 71, 128, 200, 290)) == whole
    assert swept(100, 150, 300, ends=(10, 99)) == whole


def test_two_processes_on_one_run_count_nothing_twice(tmp_path: Path) -> None:
    """The second one finds a row where it wants to put its own, and the first one ends as if alone."""
    chain = chain_of(Flips(0.01), max_blocks=300, block_errors=10**6)
    stores = [Store(tmp_path / name, "ber", COUNT_COLUMNS, {}, {}) for name in ("run", "run", "alone")]
    first, second, alone = (Point(Session(s, lambda _: None), chain, EsN0(3.0)) for s in stores)
    early, late = next(first.items()), next(second.items())
    first.accept(early, count(early))
    with pytest.raises(InputError, match="another process works on .*run'; wait for it or stop it"):
        second.accept(late, count(late))
    stores[1].close()
    again = Point(Session(stores[0], lambda _: None), chain, EsN0(3.0))
    run([again], count)
    run([alone], count)
    found = [[{**row, "seconds": 0} for row in s.rows(again.condition)] for s in (stores[0], stores[2])]
    assert found[0] == found[1]
    assert len(found[0]) == 5
    for store in stores:
        store.close()
