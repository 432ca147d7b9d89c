"""The link-adaptation table: limits by theory, schemes as they are named, resumable."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy import integrate

from benchmarks.cli.main import main
from benchmarks.links.counting import Chunk, Counts
from benchmarks.links.mcs import limit_db, run_mcs
from benchmarks.settings.mcs import McsSpec
from benchmarks.settings.reading import read_settings
from bridge.air.schemes import parse_schemes


def spec(**flags: Any) -> McsSpec:
    return read_settings(McsSpec, flags={name.replace("__", "."): value for name, value in flags.items()})


def test_limits() -> None:
    assert limit_db("awgn", 1.0, 0.1) == pytest.approx(0.0, abs=1e-6)
    # BPSK: 1/2 log2(1 + 2 Es/N0)
    assert limit_db("awgn", 0.5, 0.1, real=True) == pytest.approx(10 * math.log10(0.5), abs=1e-6)
    for rate in (0.05, 1.0, 8.0):
        found = limit_db("rayleigh", rate, 0.1)
        assert found is not None
        snr = 10 ** (found / 10)
        ergodic = integrate.quad(lambda g, s=snr: math.exp(-g) * math.log2(1 + s * g), 0, 60)[0]
        assert ergodic == pytest.approx(rate, rel=1e-5)
    block = limit_db("rayleigh-block", 2.0, 0.1)
    assert block is not None
    assert -math.expm1(-3 / 10 ** (block / 10)) == pytest.approx(0.1, rel=1e-5)
    assert limit_db("tdl-a", 1.0, 0.1) is None


def test_schemes_become_code_blocks() -> None:
    nr = spec()
    for scheme in parse_schemes("nr"):
        code = nr.of(scheme).code
        assert code.k == 8448
        assert code.n is not None and code.n % scheme.bits_per_symbol == 0
        assert code.k / code.n == pytest.approx(float(scheme.rate), rel=1e-3)
    witt = [spec(schemes="witt").of(scheme).code for scheme in parse_schemes("witt")]
    assert {code.n for code in witt} == {6144}
    assert [code.k for code in witt] == [2048, 3072, 4096, 3072, 4096, 3072]


@pytest.mark.slow
def test_table_rises_stays_above_capacity_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = spec(
        schemes="1/3-qpsk,1/2-qpsk,1/2-qam16",
        block_bits=256,
        target_bler="0.1",
        stop__block_errors=50,
        decoder__algorithm="minsum",
        decoder__schedule="layered",
        decoder__iterations=10,
    )
    found = run_mcs(small, tmp_path / "run")
    assert [row.scheme for row in found.schemes] == ["1/3-qpsk", "1/2-qpsk", "1/2-qam16"]
    assert [row.bits_per_use for row in found.schemes] == pytest.approx([2 / 3, 1.0, 2.0], rel=1e-2)
    snrs = [row.target.esno_db or math.nan for row in found.schemes]
    assert snrs == sorted(snrs)
    for row in found.schemes:
        # min-sum at 256 bits: between the normal approximation, at about 1 dB, and 4 dB from capacity
        assert row.gap_db is not None and 0.8 < row.gap_db < 4
        target = row.target
        assert target.esno_low_db is not None and target.esno_high_db is not None
        assert target.esno_low_db <= (target.esno_db or math.nan) <= target.esno_high_db
    with (tmp_path / "run" / "schemes.csv").open() as file:
        assert [row["scheme"] for row in csv.DictReader(file)] == ["1/3-qpsk", "1/2-qpsk", "1/2-qam16"]

    def forbidden(chunk: Chunk) -> Counts:
        raise AssertionError(chunk)

    monkeypatch.setattr("benchmarks.links.crew.count", forbidden)
    assert run_mcs(small, tmp_path / "run").schemes == found.schemes


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["mcs", "--schemes", "1/2-qpsk", "--block-bits", "64", "--block-errors", "20", "--json"])
    assert not ended.value.code
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"spec", "versions", "schemes", "points"}
    assert result["schemes"][0]["k"] == 64
    for arguments in (["--schemes", "9/2-qpsk"], ["--target-bler", "2"], ["--block-bits", "9999"]):
        with pytest.raises(SystemExit) as ended:
            main(["mcs", *arguments])
        out, err = capsys.readouterr()
        assert (ended.value.code, out, len(err.splitlines())) == (2, "", 1), err
