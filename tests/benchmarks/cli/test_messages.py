"""What is said of names that do not exist: what came, what works, and what was most likely meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
COMPARE = ["compare", "--snr", "9", "--images", "scenes:easy", "--max-sources", "1", "--metrics", "psnr"]


def refused(run: Run, *arguments: str) -> str:
    status, out, err = run(*arguments)
    assert (status, out) == (2, ""), (arguments, out, err)
    assert len(err.splitlines()) == 1, err
    return err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mcs", "--schemes", "3gpp"], "scheme '3gpp' is neither a set (witt, witt-rayleigh, nr) nor"),
        (["compare", "--systems", "bpg-lpdc", "--snr", "1"], "did you mean bpg-ldpc?"),
        (["compare", "--systems", "mutli-sc", "--snr", "1"], "did you mean multi-sc?"),
        (["ber", "--set", "cod.k=2", "--ebno", "1"], "no setting cod.k; did you mean code.k?"),
        (["bre", "--ebno", "1"], "mean 'ber'"),
        (["ber", "--ebon", "1"], "--ebno"),
        (["list", "sytems"], "did you mean systems?"),
    ],
)
def test_the_nearest_name_is_offered(run: Run, arguments: list[str], words: str) -> None:
    assert words in refused(run, *arguments)


def test_list_shows_one_kind(run: Run) -> None:
    found = json.loads(run("list", "systems", "codecs", "--json")[1])
    assert set(found) == {"systems", "semantic systems", "codecs"}
    assert "bpg-ldpc" in found["systems"] and "multi-sc" in found["semantic systems"]
    assert run("list", "codecs")[1].startswith("codecs  bpg, ")


def test_crossing_says_what_a_run_has(run: Run, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    out = str(tmp_path / "run")
    texts = ["--texts", str(tmp_path / "words.txt"), "--systems", "text-uncoded,text-ldpc", "--snr", "0,9"]
    assert run("compare", *texts, "--out", out)[0] == 0
    names = ["text-ldpc[1/2-qpsk]", "text-uncoded[1-qpsk]"]
    said = refused(run, "crossing", out, *names, "--metric", "foo")
    assert said == f"semphy: the run has no metric 'foo' of {names[0]}; it has bleu, cer, wer\n"
    said = refused(run, "crossing", out, "text-lpdc[1/2-qpsk]", names[1], "--metric", "cer")
    assert "no system 'text-lpdc[1/2-qpsk]'; did you mean text-ldpc[1/2-qpsk]?" in said
    said = refused(run, "crossing", out, *names, "--metric", "cer", "--cbr", "1/24")
    assert "no bandwidth ratio '1/24'" in said
    assert "'soon'" in refused(run, "crossing", out, *names, "--metric", "cer", "--cbr", "soon")


def test_models_and_devices_that_cannot_be_are_found_before_any_work(run: Run, tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    clip.mkdir()
    (clip / "config.json").write_text('{"model_type": "clip", "architectures": ["CLIPModel"]}')
    for system, models, words in (
        ("bpg-ldpc", "captioner=/nonexistent/deep/model", "captioner=/nonexistent/deep/model is neither"),
        ("text-only", "captioner=/nonexistent/deep/model", "captioner=/nonexistent/deep/model is neither"),
        ("vlm-csc", f"text-jscc={clip}", f"text-jscc={clip} is CLIPModel, and must be TextJSCC"),
        ("vlm-csc", f"blip={clip}", f"blip={clip} is clip, and must be llava, blip or MeaningCaptioner"),
        ("vlm-csc", f"blip={tmp_path}", "is a folder without config.json"),
        ("bpg-ldpc", "jscc=tiny-jsc", "did you mean tiny-jscc?"),
    ):
        said = refused(run, *COMPARE, "--systems", system, "--models", f"tiny,{models}")
        assert words in said, said
    for device in ("tpu", "cuda:99"):
        for command in (
            (*COMPARE, "--systems", "bpg-ldpc"),
            ("reproduce", "vlf-msc", "--out", str(tmp_path / "r")),
        ):
            said = refused(run, *command, "--device", device)
            assert f"device '{device}' does not work here, there are cpu" in said
        said = refused(
            run, "captioners", "--models", "tiny-blip", "--images", "scenes:easy", "--device", device
        )
        assert f"device '{device}' does not work here" in said
    said = refused(run, *COMPARE, "--systems", "bpg-ldpc", "--dtype", "float8")
    assert "dtype: input should be 'float32', 'bfloat16' or 'float16', got 'float8'" in said
    assert not (tmp_path / "r").exists()
