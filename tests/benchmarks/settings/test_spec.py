"""Settings: ranges, precedence, one-line errors, names of conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks.runs.conditions import condition_id, differences
from benchmarks.settings.ber import BerSpec, parse_range
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_settings, yaml_value

SNR = {"snr": {"kind": "ebno", "values_db": "1"}}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0:1:0.1", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)),
        ("-6:0:3", (-6.0, -3.0, 0.0)),
        ("4:3:-0.5", (4.0, 3.5, 3.0)),
        ("0:1:0.3", (0.0, 0.3, 0.6, 0.9)),
        ("0:1:0.5,2,3", (0.0, 0.5, 1.0, 2.0, 3.0)),
        ("2, 1, 2", (2.0, 1.0)),
        ("-2.5", (-2.5,)),
    ],
)
def test_ranges(text: str, values: tuple[float, ...]) -> None:
    assert parse_range(text) == values


@pytest.mark.parametrize(
    "text", ["", "a", "0:1", "0:x:1", "0:1:0.5:2", "nan", "0:inf:1", "1,,2", "0:1:0", "1:0:1"]
)
def test_bad_range_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="range") as caught:
        parse_range(text)
    assert repr(text) in str(caught.value)


def test_endless_range_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        parse_range("0:1e9:1e-9")


def test_yaml_knows_no_base_60() -> None:
    # PyYAML's own loader reads 240.5, 602 and "1e6".
    assert yaml_value("[0:4:0.5, 0:10:2, 1e6, -3, .5]") == ["0:4:0.5", "0:10:2", 1e6, -3, 0.5]


def test_flag_over_set_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "code: {k: 100, n: 300}\nmodulation: qpsk\nseed: 7\nsnr: {kind: esno, values_db: 0:4:2}\n"
    )
    spec = read_settings(BerSpec, file, ["code.k=110", "seed=8"], {"seed": 9, "code.name": None})
    assert (spec.code.k, spec.code.n, spec.modulation, spec.seed) == (110, 300, "qpsk", 9)
    assert (spec.channel, spec.snr.kind, spec.snr.values_db) == ("awgn", "esno", (0.0, 2.0, 4.0))


def test_record_of_a_run_is_a_configuration(tmp_path: Path) -> None:
    import yaml

    spec = read_settings(BerSpec, flags={**SNR, "code.name": "turbo"}).resolved(1548, "bpsk", "awgn")
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump({"kind": "ber", "spec": spec.model_dump(mode="json"), "versions": {}}))
    assert read_settings(BerSpec, file) == spec


@pytest.mark.parametrize(
    ("flags", "k", "n", "algorithm", "iterations"),
    [
        ({}, 512, 1024, "sum-product", 20),
        ({"code.k": 100}, 100, 200, "sum-product", 20),
        ({"code.name": "none"}, 1024, 1024, "hard", None),
        ({"code.name": "none", "code.k": 8}, 8, 8, "hard", None),
        ({"code.name": "polar5g", "code.k": 64}, 64, 128, "scl", None),
        ({"code.name": "conv"}, 512, None, "viterbi", None),
        ({"code.name": "turbo", "code.decoder.iterations": 3}, 512, None, "bcjr", 3),
    ],
)
def test_defaults_follow_the_code(
    flags: dict[str, Any], k: int, n: int | None, algorithm: str, iterations: int | None
) -> None:
    code = read_settings(BerSpec, flags={**SNR, **flags}).code
    assert (code.k, code.n, code.decoder.algorithm, code.decoder.iterations) == (k, n, algorithm, iterations)


@pytest.mark.parametrize("text", ["1e6", "1000000", 1e6, "1_000_000"])
def test_counts_may_be_written_in_several_ways(text: str | float) -> None:
    assert read_settings(BerSpec, flags={**SNR, "stop.max_blocks": text}).stop.max_blocks == 1_000_000


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("code.k", -3, ["code.k", "-3"]),
        ("code.k", 0, ["code.k", "0"]),
        ("code.n", 100, ["rate", "k=512", "n=100"]),
        ("code.name", "ldpc", ["code.name", "'ldpc'", "ldpc5g", "polar5g"]),
        ("code.rate", 0.5, ["code.rate", "code.k"]),
        ("code.decoder.algorithm", "scl", ["'scl'", "sum-product"]),
        ("code.decoder.llr_bits", 6, ["llr_bits", "6", "minsum"]),
        ("code.decoder.schedule", "random", ["schedule", "'random'", "flooding"]),
        ("engine", "gpu", ["engine", "'gpu'", "compiled", "sionna"]),
        ("target_bler", "2", ["target_bler", "2"]),
        ("stop.max_blocks", "1.5", ["stop.max_blocks", "1.5"]),
        ("stop.max_blocks", "many", ["stop.max_blocks", "'many'"]),
        ("stop.below_bler", 2, ["stop.below_bler", "2"]),
        ("snr.values_db", "0:a:1", ["'0:a:1'", "first:last:step"]),
        ("snr", {"kind": "snr", "values_db": [1]}, ["snr.kind", "'snr'", "ebno"]),
        ("confidence", 1.5, ["confidence", "1.5"]),
        ("seed", -1, ["seed", "-1"]),
    ],
)
def test_error_is_one_line_that_quotes(name: str, value: object, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_settings(BerSpec, flags={**SNR, name: value})
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_missing_snr_says_what_to_give() -> None:
    with pytest.raises(InputError, match="--ebno or --esno"):
        read_settings(BerSpec)


@pytest.mark.parametrize("override", ["code.k", "=3", "seed.x=1"])
def test_bad_override(override: str) -> None:
    with pytest.raises(InputError) as caught:
        read_settings(BerSpec, overrides=["seed=1", override], flags=SNR)
    assert override.split("=")[0] in str(caught.value)


@pytest.mark.parametrize("content", ["[1, 2]", "a: {", "\xff"])
def test_bad_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_settings(BerSpec, file)
    assert "\n" not in str(caught.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read_settings(BerSpec, flags=SNR).seed = 2  # type: ignore[misc]


def test_condition_does_not_depend_on_order_but_on_every_value() -> None:
    one = condition_id({"a": 1, "b": {"c": "x", "d": None}})
    assert one == condition_id({"b": {"d": None, "c": "x"}, "a": 1})
    assert one != condition_id({"a": 1, "b": {"c": "x", "d": 0}})
    # fixed for all time: results on disk are found by it
    assert condition_id({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad808"


def test_differences_are_named() -> None:
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == [
        "a.c = 2, now 3",
        "d = None, now 4",
    ]
