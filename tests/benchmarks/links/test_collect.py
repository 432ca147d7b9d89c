"""Sweeps over objects: links of the package and of a researcher, from Python and by ``semphy ber``."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from scipy import stats

from benchmarks import collect
from benchmarks.cli.main import cli
from benchmarks.settings.errors import InputError
from phy import AWGN, LDPC5G, Decoding, DigitalLink, EbN0, EsN0, HarqLink, IterativeLink, Modulation, Uncoded
from phy.links.harq import INCREMENTAL, HarqLDPC5G
from phy.random import Stream, bits
from phy.theory import ber_awgn

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_decoder.py"


@dataclass(frozen=True)
class Arrived:
    bits: torch.Tensor


@dataclass(frozen=True)
class Flips:
    """A binary symmetric channel."""

    p: float = 0.02
    k: int = 40
    channel_uses: int = 20

    @property
    def name(self) -> str:
        return f"flips {self.p}"

    def describe(self) -> dict[str, Any]:
        return {"p": self.p, "k": self.k}

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> Arrived:
        wrong = torch.stack([torch.from_numpy(s.generator().random(self.k) < self.p) for s in streams])
        return Arrived(bits ^ wrong.to(torch.uint8))


def plain(name: str = "qpsk") -> DigitalLink:
    return DigitalLink(Uncoded(1000), Modulation(name), AWGN())


def harq(crc: str | None = None) -> HarqLink:
    code = HarqLDPC5G(128, 152, INCREMENTAL, bits_per_symbol=2, decoding=Decoding())
    return HarqLink(code, Modulation("qpsk"), AWGN(), crc)


def test_uncoded_links_meet_theory(tmp_path: Path) -> None:
    run = collect(
        [plain(), plain("qam16")], snr=[EsN0(4.0), EsN0(7.0)], stop={"max_blocks": 200}, out=tmp_path / "run"
    )
    assert [(point.code, point.esno_db) for point in run.points][::2] == [
        (plain().name, 4.0),
        (plain("qam16").name, 4.0),
    ]
    for point, order in zip(run.points, (2, 2, 4, 4), strict=True):
        expected = ber_awgn(order, EsN0(point.esno_db))
        assert stats.binomtest(point.bit_errors, point.bits, expected).pvalue > 1e-3
        assert (point.transmissions, point.channel_uses) == (1.0, 1000 // order)
    assert run.points[0].throughput == pytest.approx(2 * (1 - run.points[0].bler))
    with (tmp_path / "run" / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["code"], row["k"], row["modulation"]) for row in rows][:3:2] == [
        (plain().name, "1000", "qpsk"),
        (plain("qam16").name, "1000", "qam16"),
    ]


def test_an_object_of_ones_own_resumes_by_what_it_describes(tmp_path: Path) -> None:
    stop = {"max_blocks": 512, "block_errors": 10**6}
    first = collect(Flips(), snr=EsN0(0.0), stop=stop, out=tmp_path)
    assert stats.binomtest(first.points[0].bit_errors, 512 * 40, 0.02).pvalue > 1e-3
    again = collect(Flips(), snr=EsN0(0.0), stop=stop, out=tmp_path)
    assert again.points == first.points  # seconds, too: nothing was computed
    other = collect(Flips(0.2), snr=EsN0(0.0), stop=stop, out=tmp_path)
    assert stats.binomtest(other.points[0].bit_errors, 512 * 40, 0.2).pvalue > 1e-3


@pytest.mark.slow
def test_counts_do_not_depend_on_workers_or_batches() -> None:
    stop = {"max_blocks": 300}
    alone = collect(plain(), snr=EbN0(3.0), stop=stop)
    for options in ({"workers": 2}, {"batch_size": 7}):
        found = collect(plain(), snr=EbN0(3.0), stop=stop, **options)
        assert found.points[0].bit_errors == alone.points[0].bit_errors


def test_runs_of_other_seeds_add() -> None:
    stop = {"max_blocks": 64}
    one, two = (collect(plain(), snr=EbN0(3.0), stop=stop, seed=seed) for seed in (1, 2))
    both = one + two
    assert (both.points[0].blocks, both.points[0].seeds) == (128, (1, 2))
    assert both.points[0].bit_errors == one.points[0].bit_errors + two.points[0].bit_errors
    with pytest.raises(ValueError, match="would count twice"):
        _ = one + one


def test_harq_counts_what_every_transmission_takes() -> None:
    """Against the link called directly on the same streams."""
    link, snr = harq(), EsN0(1.0)
    (point,) = collect(link, snr=snr, stop={"max_blocks": 200, "block_errors": 10**6}).points
    streams = Stream(1, "awgn", f"esno={snr.db:.6f}").batch(range(200))
    sent = bits([stream.child("bits") for stream in streams], link.k)
    heard = link(sent, snr, streams)
    right = (heard.bits == sent).all(dim=1)
    assert 1.2 < point.transmissions < 3.8
    assert point.transmissions == pytest.approx(heard.transmissions.double().mean().item())
    assert point.counts.channel_uses == int(heard.channel_uses.sum())
    assert point.throughput == pytest.approx(int(right.sum()) * 128 / int(heard.channel_uses.sum()))
    assert point.block_errors == int((~right).sum())
    uses = heard.channel_uses.long()
    assert point.counts.squared_channel_uses == int((uses**2).sum())
    assert point.counts.right_channel_uses == int(uses[right].sum())


def test_harq_and_turns_by_command() -> None:
    """The same counts as the objects, at the same Es/N0."""
    common = "--k 128 --n 152 --modulation qpsk --esno 1 --max-blocks 200 --block-errors 1e6 --json"
    flags = ["--schedule", "layered", "--harq", "ir:4", "--rv", "0,2,3,1"]
    told = CliRunner().invoke(cli, ["ber", *common.split(), *flags])
    (found,) = json.loads(told.stdout)["points"]
    (point,) = collect(harq(), snr=EsN0(1.0), stop={"max_blocks": 200, "block_errors": 10**6}).points
    for name in ("block_errors", "bit_errors", "transmissions", "throughput"):
        assert found[name] == getattr(point, name)
    checked = CliRunner().invoke(cli, ["ber", *common.split(), *flags, "--crc", "16"])
    assert json.loads(checked.stdout)["points"][0]["bits"] == 200 * 112

    turning = CliRunner().invoke(cli, ["ber", *common.split(), "--schedule", "layered", "--turns", "3"])
    (found,) = json.loads(turning.stdout)["points"]
    link = IterativeLink(LDPC5G(128, 152, bits_per_symbol=2), Modulation("qpsk"), AWGN(), 3)
    (point,) = collect(link, snr=EsN0(1.0), stop={"max_blocks": 200, "block_errors": 10**6}).points
    assert (found["block_errors"], found["bit_errors"]) == (point.block_errors, point.bit_errors)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--harq often", "ir:COUNT or chase:COUNT"),
        ("--harq ir:3 --rv 0,2", "each of 3 transmissions"),
        ("--harq chase:2 --rv 0,2", "equal ones for chase"),
        ("--rv 0,2", "belong to --harq"),
        ("--harq ir:2 --turns 2", "do not go together"),
        ("--harq ir:2 --code polar5g", "take code ldpc5g"),
        ("--harq ir:2 --engine sionna", "compiled engine"),
        ("--harq ir:2 --crc 9", "9"),
        ("--link nowhere.py:x", "nowhere.py"),
        ("--link nowhere", "FILE.py:NAME"),
        ("--link own.py:x --k 5", "leave it out"),
    ],
)
def test_wrong_input_is_one_line(flags: str, says: str) -> None:
    result = CliRunner().invoke(cli, ["ber", "--k", "64", "--n", "128", "--esno", "3", *flags.split()])
    if "--link own" not in flags and "--link" in flags:
        result = CliRunner().invoke(cli, ["ber", "--esno", "3", *flags.split()])
    assert isinstance(result.exception, InputError)
    assert says in str(result.exception)


def test_objects_that_are_no_links_are_named() -> None:
    class Lacking:
        name, k, channel_uses = "lacking", 4, 2

    with pytest.raises(InputError, match=r"Lacking is no link, it lacks describe, __call__"):
        collect(Lacking(), snr=EsN0(0.0))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"all of one kind"):
        collect(plain(), snr=[EsN0(0.0), EbN0(0.0)])  # type: ignore[arg-type, list-item]
    with pytest.raises(InputError, match=r"two links go by the name"):
        collect([plain(), plain()], snr=EsN0(0.0))

    @dataclass(frozen=True)
    class Broken(Flips):
        def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> Arrived:
            return Arrived(bits.float())

    with pytest.raises(
        InputError, match=r"bits \[(\d+), 40\] of torch.uint8, got \[\1, 40\] of torch.float32"
    ):
        collect(Broken(), snr=EsN0(0.0), stop={"max_blocks": 64})
    with pytest.raises(InputError, match=r"other processes"):
        collect(Broken(), snr=EsN0(0.0), workers=2)


@pytest.mark.slow
def test_the_example_of_a_decoder_of_ones_own(tmp_path: Path) -> None:
    """From its file, in two processes, and known by its source."""
    own = tmp_path / "own.py"
    own.write_text(EXAMPLE.read_text())
    command = [sys.executable, "-m", "benchmarks", "ber", "--link", f"{own}:weighted", "--ebno", "3"]
    command += ["--max-blocks", "256", "--workers", "2", "--json", "--out", str(tmp_path / "run")]

    def run() -> dict[str, Any]:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        (point,) = json.loads(done.stdout)["points"]
        return dict(point)

    first = run()
    assert first["code"] == "ldpc5g(64,128,bg2) / qpsk / awgn"
    # The package's normalised min-sum has a BLER of 0.017 there; the example's ten iterations lose a little.
    assert stats.binomtest(first["block_errors"], 256, 0.037).pvalue > 1e-3
    assert run() == first
    own.write_text(EXAMPLE.read_text().replace("linspace(0.6, 1.0, 10)", "linspace(0.6, 1.0, 1)"))
    edited = run()
    assert edited["block_errors"] > 100 > first["block_errors"]
