"""What a row means: sources and trials are data, arrived or failed by a policy; or errors, and no rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mode
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmarks.runs.store import Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import CompareRun, run_compare
from benchmarks.systems.plots import plot_compare
from semantic.metrics.image import psnr
from semantic.networks.pixels import MEAN_COLOUR
from semantic.samples.pictures import sample_pictures

Run = Callable[..., tuple[int, str, str]]


def compared(out: Path | None = None, **given: Any) -> CompareRun:
    return run_compare(CompareSpec.model_validate({"snr": [12.0], "metrics": ["psnr"], **given}), out)


def mean(run: CompareRun, system: str, metric: str = "psnr") -> float:
    (row,) = [row for row in run.rows if row.system == system]
    return row.metrics[metric].mean


# -- what does not fit --------------------------------------------------------------------------------------


@pytest.fixture
def survivors(tmp_path: Path) -> Path:
    """A large smooth picture, and a small busy one that takes more bits a pixel."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    y, x = np.mgrid[0:256, 0:256]
    Image.fromarray(np.stack([x, y, (x + y) // 2], -1).astype(np.uint8)).save(folder / "large.png")
    busy = np.random.default_rng(5).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(busy).save(folder / "small.png")
    return folder


@pytest.mark.slow
def test_a_survivor_makes_no_mean(survivors: Path) -> None:
    """A2: the robust scheme cannot carry the small picture, which counts as failed in its mean."""
    schemes = "1/3-qpsk,2/3-qam16"
    run = compared(systems="bpg-ldpc", images=str(survivors), cbr="1/12", schemes=schemes)
    weak, envelope = (
        [row for row in run.rows if row.system == name] for name in ("bpg-ldpc[1/3-qpsk]", "bpg-ldpc")
    )
    assert [(row.failures, row.images, row.errors) for row in weak] == [(1, 2, 0)]
    assert weak[0].channel_uses == (256 * 256 * 3 // 12 + 32 * 32 * 3 // 12) / 2
    assert [row.scheme for row in envelope] == ["2/3-qam16"]
    small = np.asarray(Image.open(survivors / "small.png"))
    shown = psnr(small, np.broadcast_to(np.array(MEAN_COLOUR, np.uint8), small.shape))
    assert weak[0].by_source("psnr")["small.png"] == pytest.approx(shown)


@pytest.mark.slow
def test_fewer_channel_uses_are_not_better() -> None:
    """A3: pictures that no longer fit stay in the mean, with the budget's channel uses."""
    found = [
        compared(systems="bpg-ldpc", schemes="1/2-qpsk", snr=[9.0], cbr=cbr, image_size=64)
        for cbr in ("1/12", "1/40", "1/60", "1/100")
    ]
    rows = [run.rows[0] for run in found]
    assert rows[0].failures < rows[-1].failures == rows[-1].images
    means = [row.metrics["psnr"].mean for row in rows]
    assert means == sorted(means, reverse=True)
    assert [row.channel_uses for row in rows] == [64 * 64 * 3 // uses for uses in (12, 40, 60, 100)]
    pictures = [picture for _, picture in sample_pictures(size=64)]
    grey = [psnr(each, np.broadcast_to(np.array(MEAN_COLOUR, np.uint8), each.shape)) for each in pictures]
    assert means[-1] == pytest.approx(np.mean(grey))


@pytest.mark.slow
def test_a_picture_too_small_for_any_scheme_is_a_table_that_says_so(run: Run, tmp_path: Path) -> None:
    """A4: no KeyError after all the work, nor in the figures."""
    arguments = ("--systems", "jpeg-ldpc", "--snr", "6", "--max-sources", "1", "--image-size", "32")
    status, out, _ = run(
        "compare", *arguments, "--cbr", "1/12", "--metrics", "psnr", "--out", str(tmp_path / "run")
    )
    assert status == 0
    assert out.splitlines()[1].split()[4:7] == ["256", "1.000", "0"]
    with Store.read(tmp_path / "run") as store:
        assert plot_compare(store, formats=("png",))


def test_a_sentence_heeds_its_channel_uses() -> None:
    """A19: a sentence that takes more fails as an empty one, a shorter one goes."""
    given = {"systems": "text-ldpc", "max_sources": 3, "text_metrics": ["cer"]}
    whole = compared(**given).rows[0]
    assert whole.failures == 0
    needed = sorted(sample.channel_uses for sample in whole.samples)
    tight = compared(**given, channel_uses=needed[0]).rows[0]
    assert tight.failures == sum(uses > needed[0] for uses in needed) > 0
    assert [sample.metrics["cer"] for sample in tight.samples] == [float(s.failed) for s in tight.samples]
    assert {sample.channel_uses for sample in tight.samples} == {needed[0]}
    assert compared(**given, channel_uses=10).rows[0].failures == 3


def test_what_did_not_fit_is_a_row_of_its_own_kind() -> None:
    """Nothing was heard: no information bits, and the remark says why."""
    row = compared(systems="text-ldpc", max_sources=1, channel_uses=10).rows[0]
    (sample,) = row.samples
    assert (sample.failed, sample.channel_uses, sample.information_bits, sample.arrived) == (True, 10, 0, "")
    assert sample.remark.startswith("not sent: text-ldpc[1/2-qpsk] takes ")
    assert sample.remark.endswith("channel uses for sentence-1, more than the 10 given")
    assert row.ebno_db is None


# -- what raises --------------------------------------------------------------------------------------------

OWN = '''
"""Sends so many symbols, whatever it is given; accounts for others if it is told to."""
import numpy as np, torch
from bridge.air.ledger import Entry
from bridge.air.transmission import SymbolPart, Transmission
from bridge.systems.system import Reconstruction
from phy.links.analog import AnalogLink
from phy.units import BudgetExceeded

class Mine:
    modality, delivers, adapts, policy = "image", ("image",), False, "grey"
    name = family = "my-jscc"

    def __init__(self, context, *, symbols=100, accounts=None, raises="", at="", returns=0):
        self.link, self.symbols = AnalogLink(context.channel), symbols
        self.accounts, self.raises, self.at, self.returns = accounts or symbols, raises, at, returns

    def check(self, channel_uses):
        pass

    def encode(self, source, channel_uses, snr):
        if self.at in ("", source.name) and self.raises:
            kind = BudgetExceeded if self.raises == "budget" else OSError
            raise kind(f"{self.raises} at {source.name}")
        entry = Entry("symbols", 0, 0, 0, 0, 0, self.accounts)
        part = SymbolPart("symbols", torch.ones(self.symbols, dtype=torch.complex64), self.link, (entry,))
        return Transmission((part,), source.size)

    def decode(self, reception):
        return Reconstruction(np.full((*reception.size, 3), self.returns, np.uint8))
'''


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Settings that compare the system above with these options, on three scenes of 64 x 64."""
    file = tmp_path / "mine.py"
    file.write_text(OWN)

    def settings(**options: Any) -> dict[str, Any]:
        name = f"{file}:Mine"
        shared = {"images": "scenes:easy", "max_sources": 3, "cbr": "1/96"}
        return {"systems": [name], "options": {name: options}, **shared}

    return settings


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"symbols": 4096}, "ValueError: my-jscc sends 4,096 of at most 128 channel uses"),
        (
            {"symbols": 4096, "accounts": 128},
            "ValueError: my-jscc sends 4,096 of at most 128 channel uses",
        ),
        ({"symbols": 128, "accounts": 10}, "ValueError: my-jscc sends 128 channel uses and accounts for 10"),
    ],
)
def test_channel_uses_are_counted_at_the_channel(
    own: Callable[..., dict[str, Any]], options: dict[str, Any], said: str
) -> None:
    """A7: more symbols than the bandwidth ratio allows are an error, whatever the account says."""
    run = compared(**own(**options))
    assert len(run.broken) == 3
    assert all(line.endswith(said) for line in run.broken)
    assert [(row.errors, list(row.metrics)) for row in run.rows] == [(3, [])]


def test_an_own_system_fails_by_its_policy_where_it_says_so(own: Callable[..., dict[str, Any]]) -> None:
    run = compared(**own(raises="budget", at="scene-easy-1-1", returns=255))
    (row,) = run.rows
    assert (row.failures, row.errors, row.images) == (1, 0, 3)
    (failed,) = [sample for sample in row.samples if sample.failed]
    assert (failed.source, failed.remark) == ("scene-easy-1-1", "not sent: budget at scene-easy-1-1")
    assert (failed.channel_uses, failed.information_bits) == (128, 0)
    white = compared(**own(returns=255)).rows[0].by_source("psnr")
    grey = compared(**own(returns=128)).rows[0].by_source("psnr")
    assert row.by_source("psnr") == {**white, failed.source: grey[failed.source]}


def test_errors_are_retried_and_the_exit_status_says_so(
    run: Run, tmp_path: Path, own: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A13: status 1 while a row is an error, the same command tries it again, and then all is data."""
    settings = own(raises="disk full", at="scene-easy-1-1")
    (tmp_path / "mine.py").write_text(
        OWN.replace("if self.at", "if 'FAULT' in __import__('os').environ and self.at")
    )
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump({**settings, "snr": [12.0], "metrics": ["psnr"]}))
    command = ("compare", "--config", str(spec), "--out", str(tmp_path / "run"))
    monkeypatch.setenv("FAULT", "here")
    for _ in range(2):  # it stays an error, and is not counted twice
        status, out, err = run(*command)
        assert status == 1
        assert out.splitlines()[1].split()[4:7] == ["100", "0.000", "1"]
        assert (
            "1 row is an error, which the same command tries again; the first: my-jscc, scene-easy-1-1: "
            in err
        )
        assert err.splitlines()[-1].endswith("OSError: disk full at scene-easy-1-1")
    with Store.read(tmp_path / "run") as store:
        (condition,) = store.conditions()
        assert (len(store.rows(condition.id)), len(store.errors(condition.id))) == (2, 1)
    monkeypatch.delenv("FAULT")
    status, out, err = run(*command)
    assert (status, out.splitlines()[1].split()[6]) == (0, "0")
    with Store.read(tmp_path / "run") as store:
        assert (len(store.rows(condition.id)), len(store.errors(condition.id))) == (3, 0)


# -- one ratio, one channel ---------------------------------------------------------------------------------


def test_a_ratio_written_twice_is_one_curve() -> None:
    """A18."""
    spec = CompareSpec(systems="bpg-ldpc", snr="0", cbr="0.020833333333333325,1/48,0.16666666666666666")
    assert spec.cbr == ("1/48", "1/6")


def test_other_source_other_noise(own: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Errors of two sources at one SNR do not fall in the same places; those of one source do, again."""
    sentences = ["a" * 200, "b" * 200]
    places = []
    for order in (sentences, sentences[::-1]):
        file = tmp_path / "texts.txt"
        file.write_text("\n".join(order))
        run = compared(systems="text-uncoded", texts=str(file), snr=[4.0], text_metrics=["cer"])
        texts = [sample.arrived for sample in run.rows[0].samples if sample.arrived]
        arrived = {mode(text): text for text in texts}  # most characters are right
        places.append(
            {name: [ord(got) ^ ord(name) for got in arrived[name]] for name in ("a", "b") if name in arrived}
        )
    assert places[0] == places[1]
    assert sum(map(bool, places[0]["a"])) > 5 and sum(map(bool, places[0]["b"])) > 5
    assert places[0]["a"] != places[0]["b"]
