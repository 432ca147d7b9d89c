"""``semphy compare --payload``: texts, vectors and pictures over carriages, from the command line to rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import yaml

from benchmarks.runs.store import Store

Run = Callable[..., tuple[int, str, str]]
PRESETS = Path(__file__).parents[3] / "benchmarks" / "presets"
ROWS = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)


def compare(run: Run, payload: str, carriages: Sequence[str], *arguments: str) -> list[dict[str, Any]]:
    """Rows of a comparison that works."""
    status, out, err = run(
        "compare", "--payload", payload, "--carriage", ",".join(carriages), *arguments, "--json"
    )
    assert status == 0, err
    return json.loads(out)["rows"]


def stored(folder: Path) -> dict[tuple[str, float], list[dict[str, Any]]]:
    """Raw rows by system and SNR, their JSON read."""
    store = Store.read(folder)
    found = {}
    for condition in store.conditions():
        about = condition.description
        found[about["system"], about["snr_db"]] = [
            {**row, **{name: json.loads(row[name]) for name in ("metrics", "notes", "ledger")}}
            for row in store.rows(condition.id)
        ]
    store.close()
    return found


def check_ledgers(rows: Sequence[dict[str, Any]]) -> None:
    """Entries add up to the channel uses of each row, and bits to those that were packed."""
    for row in rows:
        entries = row["ledger"]
        assert sum(entry["channel_uses"] for entry in entries) == row["channel_uses"]
        assert {entry["payload"].split("/")[0] for entry in entries} == {"payload"}
        packed = sum(entry["source_bits"] + entry["header_bits"] for entry in entries)
        assert packed <= row["notes"]["payload_bits"]
        analog = any(entry["payload"] == "payload/values" for entry in entries)
        assert row["information_bits"] == (0 if analog else packed)


# -- each kind, end to end ----------------------------------------------------------------------------------


def test_texts(run: Run, tmp_path: Path) -> None:
    ways = ["digital:latin-1:qpsk", "digital:latin-1|huffman:qpsk", "digital:arithmetic:1-qpsk"]
    rows = compare(
        run,
        "text",
        ways,
        *("--snr", "12", "--channel-uses", "600", "--max-sources", "4", "--out", str(tmp_path / "run")),
    )
    assert [row["system"] for row in rows] == [f"text-{way}" for way in ways]
    for row in rows:
        assert (row["images"], row["failure_rate"], row["modality"]) == (4, 0.0, "text")
        assert {name: each["mean"] for name, each in row["metrics"].items()} == {
            "bleu": 1,
            "cer": 0,
            "wer": 0,
        }
    assert [row["channel_uses"] for row in rows[:2]] == [
        600,
        600,
    ]  # filled; the uncoded one takes what it needs
    assert rows[2]["channel_uses"] < 200
    for (system, _), found in stored(tmp_path / "run").items():
        check_ledgers(found)
        assert all(row["arrived"] for row in found)
        if "huffman" in system:
            assert {row["notes"]["coder"] for row in found} == {"huffman"}


@pytest.mark.parametrize("source", ["sample", "mine.npy", "mine.safetensors"])
def test_vectors(run: Run, source: str, tmp_path: Path) -> None:
    """The same channel uses for digital and analog, from the bundled vectors and from files."""
    np.save(tmp_path / "mine.npy", ROWS)
    safetensors.numpy.save_file({"hidden": ROWS}, tmp_path / "mine.safetensors")
    where = source if source == "sample" else str(tmp_path / source)
    count, uses = (768, 1676) if source == "sample" else (64, 140 + 4 * 32)
    ways = ["digital:lloyd-max:2:qpsk", "digital:uniform:2,dither:qam16", "analog:repeat=fill"]
    rows = compare(
        run,
        "embedding",
        ways,
        *("--embeddings", where, "--snr", "15", "--channel-uses", str(uses), "--trials", "2"),
        *("--max-sources", "3", "--out", str(tmp_path / "run"), "--embedding-metrics", "snr-out,cosine,mse"),
    )
    assert [row["channel_uses"] for row in rows] == [uses] * 3
    assert [(row["images"], row["trials"], row["failure_rate"]) for row in rows] == [(3, 2, 0.0)] * 3
    assert [row["ebno_db"] is None for row in rows] == [False, False, True]
    means = [{name: each["mean"] for name, each in row["metrics"].items()} for row in rows]
    assert all(mean["cosine"] > 0.9 and mean["mse"] < 0.2 for mean in means)
    # Four rounds at 15 dB; 3 vectors twice make 6 * count draws of the noise.
    spread = 10 * math.log10(1 + 4.5 * math.sqrt(2 / (6 * count)))
    assert means[2]["snr-out"] == pytest.approx(15 + 10 * math.log10(4), abs=spread)
    found = stored(tmp_path / "run")
    for each in found.values():
        check_ledgers(each)
        assert len(each) == 6
    (entries,) = {json.dumps(row["ledger"]) for row in found["embedding-analog:repeat=fill", 15.0]}
    assert [entry["channel_uses"] for entry in json.loads(entries)] == [140, uses - 140]


def test_pictures(run: Run, tmp_path: Path) -> None:
    ways = ["digital:jpeg:1/2-qam16", "digital:raw:1-qam64", "digital:raw:1/2-qam16|1-qam64", "analog"]
    rows = compare(
        run,
        "image",
        ways,
        *("--image-size", "32", "--cbr", "2", "--snr", "30", "--metrics", "psnr", "--max-sources", "2"),
        *("--out", str(tmp_path / "run")),
    )
    assert [row["system"] for row in rows] == [f"image-{way}" for way in ways]
    budget = 2 * 3 * 32 * 32
    assert all(row["channel_uses"] <= budget and row["failure_rate"] == 0 for row in rows)
    assert rows[0]["channel_uses"] > budget - 10  # a file that fills its budget
    psnr = [row["metrics"]["psnr"]["mean"] for row in rows]
    assert psnr[0] > 30
    assert psnr[1:3] == [100.0, 100.0]  # every pixel is right
    # Analog at 30 dB: the error is N0 times the mean square of p - 127.5, which is below 127.5^2.
    assert psnr[3] > 30 + 10 * math.log10(255**2 / 127.5**2) - 0.5
    for each in stored(tmp_path / "run").values():
        check_ledgers(each)
    kept = list((tmp_path / "run" / "pictures").iterdir())
    assert 1 <= len(kept) <= 4


@pytest.mark.slow
def test_curves_of_vectors_are_drawn(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", ROWS)
    compare(
        run,
        "embedding",
        ["analog", "digital:fp16:1/2-qpsk"],
        *("--embeddings", str(tmp_path / "mine.npy"), "--snr", "0,10", "--out", str(tmp_path / "run")),
    )
    status, out, err = run("plot", str(tmp_path / "run"), "--json")
    assert status == 0, err
    names = {Path(name).stem for name in json.loads(out)["files"]}
    assert {"embedding-snr-out", "embedding-cosine", "embedding-mse"} <= names


def test_vectors_that_arrive_exactly_have_finite_rows(run: Run, tmp_path: Path) -> None:
    """fp32 at a high SNR: the error is zero, and JSON knows no infinity."""
    np.save(tmp_path / "mine.npy", ROWS)
    (row,) = compare(
        run, "embedding", ["digital:fp32:1/2-qpsk"], "--embeddings", str(tmp_path / "mine.npy"), "--snr", "9"
    )
    assert row["metrics"]["snr-out"]["mean"] == 100.0
    assert row["metrics"]["mse"]["mean"] == 0.0


def test_policies_of_vectors(run: Run, tmp_path: Path) -> None:
    """Uncoded at 12 dB hardly a block is without an error, and hardly a value with one."""
    np.save(tmp_path / "mine.npy", ROWS)
    means = {}
    for policy in ("mean", "best-effort"):
        (row,) = compare(
            run,
            "embedding",
            ["digital:lloyd-max:4:1-qam16"],
            *("--embeddings", str(tmp_path / "mine.npy"), "--snr", "12", "--trials", "4", "--policy", policy),
        )
        assert row["failure_rate"] > 0.5
        means[row["policy"]] = row["metrics"]["cosine"]["mean"]
    assert set(means) == {"zero", "best-effort"}
    assert means["best-effort"] > 0.7 > 0.5 > means["zero"]


# -- resuming -----------------------------------------------------------------------------------------------

KEPT = ("source", "trial", "failed", "remark", "channel_uses", "information_bits", "metrics", "ledger")


@pytest.mark.slow
def test_resuming_and_extending_end_at_the_same_rows(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", ROWS)
    ways = ["digital:lloyd-max:3+soft:1/3-qpsk|1/2-qpsk", "analog:repeat=2+mmse", "digital:bf16:1/2-qpsk"]
    shared = ("--embeddings", str(tmp_path / "mine.npy"), "--channel", "rayleigh-block")

    def rows(name: str) -> dict[Any, Any]:
        found = stored(tmp_path / name)
        return {
            key: sorted(({k: row[k] for k in KEPT} for row in each), key=lambda r: (r["source"], r["trial"]))
            for key, each in found.items()
        }

    full = ("--snr", "2,9", "--trials", "4")
    first = compare(run, "embedding", ways, *shared, *full, "--out", str(tmp_path / "whole"))
    again = compare(run, "embedding", ways, *shared, *full, "--out", str(tmp_path / "whole"))
    assert first == again
    # The first SNR, carriages and trials only, and then the rest.
    compare(
        run, "embedding", ways[1:], *shared, "--snr", "9", "--trials", "2", "--out", str(tmp_path / "parts")
    )
    assert rows("parts") != rows("whole")
    compare(run, "embedding", ways, *shared, *full, "--out", str(tmp_path / "parts"))
    assert rows("parts") == rows("whole")
    failed = [row["failed"] for each in rows("whole").values() for row in each]
    assert 0 < sum(failed) < len(failed)


# -- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--payload", "embedding"], "--carriage"),
        (["--carriage", "analog"], "go together"),
        ([], "nothing to compare"),
        (["--payload", "smell", "--carriage", "analog"], "smell"),
        (["--payload", "embedding", "--carriage", "carrier-pigeon"], "carrier-pigeon"),
        (["--payload", "embedding", "--carriage", "analog:loud"], "'loud'"),
        (["--payload", "embedding", "--carriage", "digital:lloyd-max:2"], "'2'"),
        (["--payload", "embedding", "--carriage", "digital:lloyd-max:99:qpsk"], "99"),
        (["--payload", "embedding", "--carriage", "digital:magic:qpsk"], "magic"),
        (["--payload", "embedding", "--carriage", "digital:fp16+hard:qpsk"], "+hard"),
        (["--payload", "embedding", "--carriage", "digital:pq:/nowhere.safetensors:qpsk"], "/nowhere"),
        (["--payload", "embedding", "--carriage", "analog", "--policy", "previous"], "got 'previous'"),
        (["--payload", "embedding", "--carriage", "digital:fp16:qpsk"], "channel uses"),
        (["--payload", "embedding", "--carriage", "analog:repeat=fill"], "channel uses"),
        (["--payload", "embedding", "--carriage", "digital:fp16:qpsk", "--channel-uses", "99"], "99"),
        (["--payload", "embedding", "--carriage", "digital:fp16:9/8-qpsk"], "9/8"),
        (["--payload", "embedding", "--carriage", "digital:lloyd-max:1:1/2-qpsk|1/2-qpsk"], "bit plane"),
        (["--payload", "text", "--carriage", "analog"], "analog"),
        (["--payload", "text", "--carriage", "digital:morse:1/2-qpsk"], "morse"),
        (["--payload", "text", "--carriage", "digital:tokens:/nowhere:1/2-qpsk"], "/nowhere"),
        (["--payload", "image", "--carriage", "digital:gif:1/2-qpsk"], "gif"),
        (["--payload", "image", "--carriage", "digital:jpeg:qpsk"], "one scheme"),
        (["--payload", "image", "--carriage", "digital:jpeg:1/2-qpsk|1/2-qpsk"], "one scheme"),
        (["--payload", "image", "--carriage", "digital:raw:1/2-qpsk", "--image-size", "32"], "channel uses"),
        (["--payload", "embedding", "--carriage", "analog", "--embedding-metrics", "psnr"], "psnr"),
        (["--payload", "embedding", "--carriage", "analog", "--embeddings", "/nowhere.npy"], "/nowhere.npy"),
        (["--payload", "embedding", "--carriage", "analog", "--embeddings", "zeros.npy"], "zeros"),
        (["--payload", "embedding", "--carriage", "analog", "--embeddings", "text.npy"], "text.npy"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    run: Run, arguments: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("zeros.npy", np.stack([ROWS[0], np.zeros(64)]))
    np.save("huge.npy", 1e6 * ROWS)
    Path("text.npy").write_text("not an array", encoding="ascii")
    status, out, err = run("compare", *arguments, "--snr", "3", "--max-sources", "3", "--metrics", "psnr")
    assert (status, out) == (2, "")
    lines = [line for line in err.splitlines() if line.startswith("semphy:")]
    assert len(lines) == 1 and err.splitlines()[-1] == lines[0], err
    assert word in lines[0]
    assert "Traceback" not in err


# -- presets ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["embedding", "embedding-bits", "text"])
def test_presets_run(run: Run, name: str) -> None:
    preset = yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))
    status, out, err = run(
        *("compare", "--config", name, "--snr", "12", "--max-sources", "2", "--trials", "1", "--json")
    )
    assert status == 0, err
    rows = json.loads(out)["rows"]
    assert [row["system"] for row in rows] == [f"{preset['payload']}-{way}" for way in preset["carriage"]]
    assert all(row["images"] == 2 for row in rows)
    if name != "text":
        assert {row["channel_uses"] for row in rows} == {preset["channel_uses"]}


SPREADING = ("latin-1", "huffman", "arithmetic")


@pytest.mark.slow
def test_wrong_bits_spread_farther_in_shorter_codes(run: Run) -> None:
    """The preset ``text`` at 7 dB: a wrong bit costs a character, or all until the code words fall into step,
    or everything behind it; shorter texts do not make up for it.
    """
    ways = [f"digital:{way}" for way in ("huffman:1/2-qpsk", *(f"{name}:1-qpsk" for name in SPREADING))]
    status, out, err = run(
        *("compare", "--config", "text", "--carriage", ",".join(ways), "--snr", "7", "--trials", "4"),
        *("--max-sources", "30", "--text-metrics", "cer", "--json"),
    )
    assert status == 0, err
    rows = {row["system"].removeprefix("text-digital:"): row for row in json.loads(out)["rows"]}
    cer = {name: row["metrics"]["cer"] for name, row in rows.items()}
    assert all(cer[name]["mean"] == 0 for name in cer if "1/2" in name)
    order = [cer[f"{coder}:1-qpsk"] for coder in SPREADING]
    for shorter, longer in pairwise(order):
        assert shorter["high"] < longer["low"]
    # A character of 8 bits is wrong if any of them is: 1 - (1 - Q(sqrt(SNR)))^8.
    wrong = 0.5 * math.erfc(math.sqrt(10**0.7 / 2))
    assert order[0]["low"] < 1 - (1 - wrong) ** 8 < order[0]["high"]
    uses = [rows[f"{coder}:1-qpsk"]["channel_uses"] for coder in SPREADING]
    assert uses == sorted(uses, reverse=True)


def test_another_codebook_in_the_same_file_is_another_condition(run: Run, tmp_path: Path) -> None:
    codebook = tmp_path / "codes.safetensors"
    carriage = f"digital:pq:{codebook}:1/2-qpsk"

    def identities() -> set[str]:
        store = Store.read(tmp_path / "run")
        found = {condition.id for condition in store.conditions()}
        store.close()
        return found

    for scale in (1.0, 2.0):
        grid = scale * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], np.float32)
        safetensors.numpy.save_file({"codebooks": grid[None]}, codebook)
        compare(
            run, "embedding", [carriage], "--snr", "9", "--max-sources", "1", "--out", str(tmp_path / "run")
        )
        assert len(identities()) == scale
