"""Claims of papers: judged on curves made by hand, and a paper's comparison from its preset to its claims."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import benchmarks
from benchmarks.cli import main as cli
from benchmarks.papers.claims import Better, Between, Cheaper, Finding, Gain, Meets, Misspelt, judged
from benchmarks.papers.reproduce import CLAIMS, run_reproduction
from benchmarks.runs.resampling import bootstrap_interval
from benchmarks.runs.statistics import Interval
from benchmarks.runs.store import Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import SAMPLE_COLUMNS, CompareRun
from benchmarks.systems.curves import CurveRow
from benchmarks.systems.summary import curves, with_intervals
from bridge.air.transmission import Transmission, transmit
from bridge.systems.context import Context
from bridge.systems.parts.texts import TextLink
from phy.channels.flat import AWGN
from phy.random import Stream
from phy.units import EsN0
from semantic.metrics.text import character_error_rate
from semantic.scenes import dataset

PRESETS = Path(benchmarks.__file__).parent / "presets"


def stored(
    folder: Path, metric: str, points: Mapping[str, Mapping[float, Sequence[float]]]
) -> list[CurveRow]:
    """A run whose systems have these values of the metric, one a source, at each SNR."""
    with Store(folder, "compare", SAMPLE_COLUMNS, {}, {}) as store:
        for system, curve in points.items():
            for snr_db, values in curve.items():
                about = {"system": system, "family": system, "modality": "image", "cbr": "1/48"}
                about |= {"snr_db": snr_db, "policy": "mean", "channel": "awgn", "engine": "compiled"}
                store.register(f"{system} {snr_db}", {**about, "metrics": [metric]})
                row = dict.fromkeys(SAMPLE_COLUMNS, "") | {"trial": 0, "failed": 0, "arrived": None}
                row |= {"channel_uses": 100, "information_bits": 100}
                store.add_all(
                    [
                        (
                            f"{system} {snr_db}",
                            f"{n}/0",
                            {**row, "source": f"{n}", "metrics": json.dumps({metric: v})},
                        )
                        for n, v in enumerate(values)
                    ]
                )
        return curves(store)


def test_better_is_judged_by_source_and_in_the_metrics_direction(tmp_path: Path) -> None:
    spread = [0.1, 0.5, 0.9, 0.3, 0.7, 0.2, 0.8, 0.5]  # sources differ by far more than systems
    ours = {
        0.0: [v + 0.02 + (0.001, -0.001)[n % 2] for n, v in enumerate(spread)],
        3.0: [v + 0.03 for v in spread],
        9.0: [v - 0.5 - 0.01 * n for n, v in enumerate(spread)],
    }
    rows = stored(tmp_path / "scene", "scene", {"a": ours, "b": dict.fromkeys(ours, spread)})
    claim = Better("a", "b", ("scene",), "well", high_db=3)
    found = claim.hold(rows, "scene", "1/48", 0.95)
    assert (found.verdict, found.published, found.metric, found.size) == ("holds", "well", "scene", "-")
    assert found.statement == "a is better than b up to 3 dB"
    assert found.here.startswith("0.525 against 0.500 at 0 to 3 dB: by 0.025 [0.02")
    assert found.p is not None and found.p < 0.01
    worse = Better("b", "a", ("scene",), high_db=3).hold(rows, "scene", "1/48", 0.95)
    assert (worse.verdict, worse.p) == ("does not hold", found.p)
    assert Better("a", "b", ("scene",)).hold(rows, "scene", "1/48", 0.95).verdict == "does not hold"
    errors = stored(tmp_path / "lpips", "lpips-alex", {"a": ours, "b": dict.fromkeys(ours, spread)})
    assert Better("b", "a", ("lpips",), high_db=3).hold(errors, "lpips-alex", "1/48", 0.95).verdict == "holds"


def test_better_is_undecided_where_sources_disagree(tmp_path: Path) -> None:
    values = [0.4, 0.6, 0.4, 0.6, 0.4, 0.61]
    rows = stored(tmp_path, "scene", {"a": {0.0: values}, "b": {0.0: [0.5] * 6}})
    found = Better("a", "b", ("scene",)).hold(rows, "scene", "1/48", 0.95)
    assert found.verdict == "undecided" and found.p is not None and found.p > 0.5


@pytest.mark.parametrize(
    ("percent", "size"), [(5.0, "larger"), (17.0, "as published"), (60.0, "smaller"), (None, "-")]
)
def test_the_size_of_a_published_gain_is_judged(tmp_path: Path, percent: float | None, size: str) -> None:
    """A12: a gain of 17 % holds for "better by 5 %", 17 % and 60 % alike: the size tells them apart."""
    ours = [0.5 * (1 + gain) for gain in (0.15, 0.17, 0.18, 0.2, 0.21, 0.22, 0.23, 0.25)]
    rows = stored(tmp_path, "lpips-vgg", {"a": {0.0: [0.5] * 8}, "b": {0.0: ours}})  # smaller is better
    gain = None if percent is None else Gain(percent, ("lpips-vgg",))
    found = Better("a", "b", ("lpips-vgg",), gain=gain).hold(rows, "lpips-vgg", "1/48", 0.95)
    assert (found.verdict, found.published) == ("holds", "-" if percent is None else f"{percent:g} %")
    assert found.size == size
    assert "17 % [" in found.here  # (0.6006 - 0.5) / 0.6006
    other = Gain(5.0, ("ms-ssim",))
    assert Better("a", "b", (), gain=other).hold(rows, "lpips-vgg", "1/48", 0.95).size == "-"


def test_claims_that_are_judged_together_are_corrected() -> None:
    """A12: of p = 0.01, 0.03 and 0.6 the first two are below 5 % alone, together 0.03 and 0.06."""
    alone = [
        Finding("first", "-", "scene", "", "holds", 0.01),
        Finding("second", "-", "scene", "", "reported"),
        Finding("third", "-", "scene", "", "does not hold", 0.03),
        Finding("fourth", "-", "scene", "", "undecided", 0.6),
        Finding("fifth", "-", "scene", "", "not judged"),
    ]
    found = judged(alone, 0.95)
    assert [each.verdict for each in found] == [each.verdict for each in alone]
    assert [each.together for each in found] == ["holds", "reported", "undecided", "undecided", "not judged"]
    assert [each.together for each in judged(alone, 0.9)][2] == "does not hold"
    assert judged([alone[1]], 0.95)[0].together == "reported"


def test_what_a_run_cannot_tell_is_said(tmp_path: Path) -> None:
    """A14: no SNR in a claim's range, or one source: a word in its place, and no "[nan, nan]"."""
    rows = stored(tmp_path, "scene", {"a": {3.0: [0.6]}, "b": {3.0: [0.5]}})
    for claim, words in (
        (Better("a", "b", ("scene",), high_db=0), "no SNR in its range"),
        (
            Better("a", "b", ("scene",)),
            "0.600 against 0.500 at 3 dB: by 0.100, of one source, which says nothing of others",
        ),
    ):
        found = claim.hold(rows, "scene", "1/48", 0.95)
        assert (found.verdict, found.here, found.p) == ("not judged", words, None)
    assert Meets("a", "b", ("scene",), "-").hold(rows, "scene", "1/48", 0.95).here == "not at 3 dB"


def test_channel_uses_are_counted(tmp_path: Path) -> None:
    values: dict[float, list[float]] = {0.0: [0.5, 0.6], 3.0: [0.5, 0.6]}
    rows = stored(tmp_path, "scene", {"a": values, "b": values, "c": values})  # each takes 100
    found = [
        Cheaper("a", others, "less").hold(rows, "-", "1/48", 0.95) for others in (("b",), ("b", "c"), ("d",))
    ]
    assert [each.verdict for each in found] == ["does not hold", "holds", "not judged"]
    assert [each.here for each in found[:2]] == ["100 against 100", "100 against 100 + 100"]
    assert [each.p for each in found] == [None] * 3


@pytest.mark.parametrize(
    ("damaged", "verdict"), [(0.8, "holds"), (0.2, "does not hold"), (None, "not judged")]
)
def test_misspelt_texts_still_tell_something(tmp_path: Path, damaged: float | None, verdict: str) -> None:
    """Six sources that tell 0.5 to 1 whole at 9 dB; at 3 dB a share of that, with their check sums wrong."""
    whole = [0.5 + 0.1 * n for n in range(6)]
    points = {9.0: [(value, 0) for value in whole]}
    points[3.0] = [(v if damaged is None else v * (damaged + 0.01 * n), int(damaged is not None))
                   for n, v in enumerate(whole)]  # fmt: skip
    with Store(tmp_path, "compare", SAMPLE_COLUMNS, {}, {}) as store:
        for snr_db, values in points.items():
            about = {"system": "a", "family": "a", "modality": "image", "cbr": "1/48", "snr_db": snr_db}
            about |= {"policy": "mean", "channel": "awgn", "engine": "compiled", "metrics": ["scene-text"]}
            store.register(f"a {snr_db}", about)
            row = dict.fromkeys(SAMPLE_COLUMNS, "") | {"trial": 0, "arrived": None}
            row |= {"channel_uses": 100, "information_bits": 100}
            store.add_all(
                [
                    (
                        f"a {snr_db}",
                        f"{n}/0",
                        {**row, "source": f"{n}", "failed": f, "metrics": json.dumps({"scene-text": v})},
                    )
                    for n, (v, f) in enumerate(values)
                ]
            )
        rows = curves(store)
    found = Misspelt("a", ("scene-text",), "-").hold(rows, "scene-text", "1/48", 0.95)
    assert found.verdict == verdict
    if damaged is not None:
        assert found.here.startswith(f"{damaged + 0.025:.2f}"[:3]) and found.here.endswith(
            "of a whole one's at 3 dB"
        )


@pytest.mark.slow
def test_a_report_of_one_source_at_one_snr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A14: ``reproduce vlf-msc --max-sources 1 --snr 3``: table, figures, and every claim in its place."""
    systems = {"vlf-msc": {3.0: [0.6]}, "text-only": {3.0: [0.5]}, "image-only": {3.0: [0.4]}}
    run = CompareRun({}, {}, with_intervals(stored(tmp_path / "run", "scene", systems), 0.95), False)
    monkeypatch.setattr("benchmarks.papers.reproduce.run_compare", lambda *given: run)
    spec = CompareSpec(systems="text-uncoded", snr=3.0, cbr="1/48", max_sources=1)
    found = run_reproduction("vlf-msc", spec, tmp_path / "run")
    assert len(found.findings) == len(CLAIMS["vlf-msc"])
    by_verdict = {
        f.verdict: [e.statement for e in found.findings if e.verdict == f.verdict] for f in found.findings
    }
    counted = "vlf-msc takes fewer channel uses than text-only and image-only"  # which one source tells, too
    assert by_verdict.keys() == {"not judged", "holds"} and by_verdict["holds"] == [counted]
    assert [finding.here for finding in found.findings][:2] == [
        "the run has none of scene-text, sentence, bleu of vlf-msc and text-only",
        "no SNR in its range",
    ]
    written = (tmp_path / "run" / "claims.json").read_text()
    assert "NaN" not in written and "nan" not in found.to_text()
    assert found.to_text().count("not judged") == 2 * (len(found.findings) - 1)
    assert any(path.name == "image-scene-cbr-1over48.png" for path in found.files)


def test_between_and_meets_report_what_is_there(tmp_path: Path) -> None:
    curves = {
        "flat": {0.0: [0.6, 0.7], 6.0: [0.7, 0.7], 12.0: [0.6, 0.6]},
        "steep": {0.0: [0.1, 0.1], 6.0: [0.5, 0.5], 12.0: [0.9, 0.9]},
        "best": {0.0: [0.9, 0.9], 6.0: [0.9, 0.9], 12.0: [1.0, 1.0]},
    }
    rows = stored(tmp_path, "scene", curves)
    flat = Between("flat", ("scene",), "at all SNRs", 0.6, 0.7).hold(rows, "scene", "1/48", 0.95)
    assert (flat.here, flat.verdict) == ("0.600 to 0.700 at 0 to 12 dB", "reported")
    # means: 0.65, 0.7, 0.6 against 0.1, 0.5, 0.9: from -0.2 at 6 dB to 0.3 at 12 dB
    meets = Meets("flat", "steep", ("scene",), "9 dB").hold(rows, "scene", "1/48", 0.95)
    assert meets.here == "at 8.40 dB, with no SNR at which either is surely better"  # of two sources
    assert (
        Meets("best", "steep", ("scene",), "-").hold(rows, "scene", "1/48", 0.95).here == "not at 0 to 12 dB"
    )
    assert (
        Meets("steep", "best", ("scene",), "-").hold(rows, "scene", "1/48", 0.95).here
        == "better from 0 dB on"
    )


@pytest.mark.parametrize(
    ("paper", "preset"),
    [
        ("multi-sc", "multi-sc"),
        ("multi-sc", "multi-sc-photographs"),
        ("vlf-msc", "vlf-msc"),
        ("multi-sc-texts",) * 2,
    ],
)
def test_the_presets_have_the_systems_and_metrics_of_the_claims(paper: str, preset: str) -> None:
    settings = yaml.safe_load((PRESETS / f"{preset}.yaml").read_text())
    measured = {name.partition(":")[0] for name in (*settings["metrics"], *settings.get("text_metrics", ()))}
    for claim in CLAIMS[paper]:
        assert set(claim.systems) <= set(settings["systems"])
        assert not claim.metrics or measured & set(claim.metrics)
    assert set(settings) <= set(CompareSpec.model_fields)


@pytest.mark.slow
def test_a_paper_from_preset_to_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: list[Any]
) -> None:
    from tiny.systems import write_models

    folders = write_models(tmp_path / "models")
    preset = yaml.safe_load((PRESETS / "vlf-msc.yaml").read_text())
    quick = {
        name: {"max_tokens": 4, **({"steps": 3} if name != "image-only" else {})}
        for name in preset["options"]
    }
    spec = CompareSpec.model_validate(
        {
            **preset,
            "models": ",".join(f"{role}={folder}" for role, folder in folders.items()),
            "options": {name: {**preset["options"][name], **quick[name]} for name in preset["options"]},
            "metrics": ["scene"],
            "text_metrics": ["scene-text"],
            "max_sources": 2,
            "snr": [0.0, 9.0],
            "cbr": ["1/1"],
        }
    )
    intervals = []

    def counting(*given: Any) -> Interval:
        intervals.append(given)
        return bootstrap_interval(*given)

    monkeypatch.setattr("benchmarks.systems.summary.bootstrap_interval", counting)
    found = run_reproduction("vlf-msc", spec, tmp_path / "run")
    # each mean's once, for table, claims and figures, from a run that was opened once
    assert len(intervals) == sum(len(row.metrics) for row in found.run.rows if not row.is_envelope)
    assert [each.closed for each in connections] == [True]
    assert found.run.broken == ()
    judged_by = [
        *["scene-text", "scene"] * 2,
        *["scene"] * 2,
        "scene-text",
        *["scene"] * 2,
        *["channel uses"] * 2,
    ]
    assert [finding.metric for finding in found.findings] == judged_by
    assert "vlf-msc is better than text-only from 9 dB" in found.to_text()
    with (tmp_path / "run" / "claims.csv").open() as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == [f.verdict for f in found.findings]
    assert any(path.suffix == ".pdf" for path in found.files)
    assert all(path.stat().st_size > 1000 for path in found.files)
    again = run_reproduction("vlf-msc", spec, tmp_path / "run")
    assert again.findings == found.findings


def test_an_unknown_paper_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["reproduce", "deep-sc"])
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err == "semphy: no paper 'deep-sc': there are multi-sc, vlf-msc, multi-sc-texts\n"
    )


@pytest.mark.slow
def test_the_correctors_texts_lie_inside_the_snrs_of_their_preset() -> None:
    """Uncoded and behind the weak code damaged texts are misspelt at some SNR; behind LDPC they are lost."""
    settings = yaml.safe_load((PRESETS / "multi-sc-texts.yaml").read_text())
    texts = [scene.captions[0] for scene in dataset.load(8, difficulty="medium")]
    damage: dict[str, list[float]] = {}
    for carriage in ("uncoded", "conv", "ldpc"):
        scheme = settings["options"][f"multi-sc@{carriage}"]["text_scheme"]
        link = TextLink(Context(AWGN()), "latin-1", scheme)
        damage[carriage] = []
        for snr_db in settings["snr"]:
            rates = []
            for text in texts:
                streams = Stream(1, "misspelt", carriage, snr_db, text).batch(range(8))
                heard = transmit(Transmission(link.parts("t", text)), EsN0(snr_db), streams)
                failed = [link.collect("t", each).value for each in heard if each.failed]
                rates += [character_error_rate(text, each) for each in failed]
            damage[carriage] += [float(np.median(rates))] if len(rates) > 5 else []
    assert all(any(0.01 <= rate <= 0.15 for rate in damage[weak]) for weak in ("uncoded", "conv"))
    assert damage["ldpc"] and min(damage["ldpc"]) > 0.25


def test_every_claim_about_texts_names_systems_of_its_preset() -> None:
    settings = yaml.safe_load((PRESETS / "multi-sc-texts.yaml").read_text())
    assert {name for claim in CLAIMS["multi-sc-texts"] for name in claim.systems} == set(settings["systems"])
    assert all(
        claim.low_db in settings["snr"] and claim.high_db in settings["snr"]
        for claim in CLAIMS["multi-sc-texts"]
        if isinstance(claim, Better)
    )
