"""YAML that settings files may and may not hold, and what is said of settings that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.settings.ber import BerSpec
from benchmarks.settings.documents import yaml_value
from benchmarks.settings.errors import InputError
from benchmarks.settings.mcs import McsSpec
from benchmarks.settings.reading import read_settings

LAUGHS = "a: &a [ha, ha]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""600 bytes that stand for 2 * 9**8 words."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("snr: 3\nseed: 1\nseed: 2\n", r"^line 3 of 'f.yaml': 'seed' stands there a second time$"),
        ("code: {k: 64, n: 128, k: 32}\n", r"^line 1 of 'f.yaml': 'k' stands there a second time$"),
        (LAUGHS, r"^line 2 of 'f.yaml': alias \*a is not read, write out what it stands for$"),
        ("[" * 20_000, r"^line 1 of 'f.yaml': more than 32 lists and groups inside each other$"),
        (
            "seed: !!python/name:os.system x",
            r"^line 1 of 'f.yaml': tag \S+ is not read, write the value alone$",
        ),
        ("seed: [1, 2\ncode: {", r"^line 2 of 'f.yaml': .{10,80}$"),
        ("? [a]\n: 1", r"^line 1 of 'f.yaml': found unhashable key$"),
    ],
)
def test_what_settings_may_not_hold_is_one_short_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        yaml_value(text, "'f.yaml'")


def test_words_of_yaml_1_2() -> None:
    assert yaml_value("{a: no, b: off, c: y, d: 2024-01-01, e: true, f: ~, g: 1e6, h: 0x10}") == {
        "a": "no",
        "b": "off",
        "c": "y",
        "d": "2024-01-01",
        "e": True,
        "f": None,
        "g": 1e6,
        "h": "0x10",
    }


def test_what_runs_record_is_read_as_it_was() -> None:
    values = {
        "a": ["no", "0:3:1", "2024-01-01", "on"],
        "b": [1e-05, 1e300, -0.5, 7, True, None],
        "c": {},
    }
    assert yaml_value(yaml.safe_dump(values)) == values


def read(model: Any, text: str, folder: Path) -> Any:
    file = folder / "f.yaml"
    file.write_text(text)
    return read_settings(model, file)


def test_plain_numbers_are_taken(tmp_path: Path) -> None:
    spec = read(BerSpec, "snr: 10\ntarget_bler: 0.1\nrv: 0\nharq: ir:1\n", tmp_path)
    assert (spec.snr.kind, spec.snr.values_db, spec.target_bler, spec.rv) == ("esno", (10.0,), (0.1,), (0,))
    assert read(BerSpec, "snr: [0, 2.5]\n", tmp_path).snr.values_db == (0.0, 2.5)
    assert read(BerSpec, "snr: {kind: ebno, values_db: 3}\n", tmp_path).snr.kind == "ebno"
    assert read(McsSpec, "snr: -5,20\n", tmp_path).snr.values_db == (-5.0, 20.0)


def test_a_comparison_takes_plain_numbers_and_words(tmp_path: Path) -> None:
    from benchmarks.settings.compare import CompareSpec

    spec = read(
        CompareSpec, "systems: bpg-ldpc\nsnr: 10\ncbr: 0.1\nmetrics: psnr\nschemes: 1/2-qpsk\n", tmp_path
    )
    assert (spec.snr, spec.cbr, spec.metrics) == ((10.0,), ("1/10",), ("psnr",))
    with pytest.raises(InputError, match="must be one of grey, mean, best-effort, got 'no'"):
        read(CompareSpec, "systems: bpg-ldpc\nsnr: 10\npolicy: no\n", tmp_path)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["cod.k=2"], r"^there is no setting cod\.k; did you mean code\.k\? there are "),
        (["modulatoin=qpsk"], r"^there is no setting modulatoin; did you mean modulation\? there are "),
        (["fog=1"], r"^there is no setting fog; there are code\.name, .*confidence$"),
        (["seed=x", "turns=y"], r"^turns: .* got 'y'; seed: .* got 'x'$"),
        (["seed=[" + "1, " * 500 + "1]"], r"^seed: .{1,60}, got \[(1, )+.{0,3} \.\.\.$"),
        (["seed=[1"], r"^line 1 of --set seed=\[1: "),
    ],
)
def test_all_that_is_wrong_is_said_with_what_was_meant(overrides: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_settings(BerSpec, overrides=overrides, flags={"snr": "1"})


def test_a_missing_snr_is_asked_for_by_the_options_of_the_command() -> None:
    from benchmarks.settings.captioners import CaptionersSpec
    from benchmarks.settings.compare import CompareSpec

    for model, words in (
        (BerSpec, "^snr is missing; give --ebno or --esno, --p of a binary channel, or --target-bler$"),
        (CompareSpec, "^snr is missing; give --snr, such as --snr 0:12:3$"),
        (CaptionersSpec, "^models is missing; give --models, .*; images is missing; give --images, "),
    ):
        with pytest.raises(InputError, match=words):
            read_settings(model)
