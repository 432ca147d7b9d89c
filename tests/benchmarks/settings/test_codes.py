"""Several codes in one command, codes from files, and which engine simulates them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.sparse import csr_matrix

from benchmarks.links.ber import run_ber
from benchmarks.runs.store import Store
from benchmarks.settings.ber import BerSpec, resolve_engine
from benchmarks.settings.codes import CodeSpec, DecoderSpec, split_names
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_curves
from phy.coding.ldpc.alist import write_alist

# Hamming (7, 4): every pair of columns differs, any two of them add up to a third.
HAMMING = csr_matrix(np.array([[1, 0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]))


@pytest.fixture
def hamming(tmp_path: Path) -> Path:
    path = tmp_path / "hamming.alist"
    path.write_text(write_alist(HAMMING))
    return path


def curves(code: str, **flags: Any) -> tuple[BerSpec, ...]:
    settings = {name.replace("__", "."): value for name, value in flags.items()}
    return read_curves(flags={"snr": {"kind": "ebno", "values_db": "2"}, "code.name": code, **settings})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ldpc5g", ["ldpc5g"]),
        ("ldpc5g, none", ["ldpc5g", "none"]),
        ("alist:a,puncture=0-3+9,shorten=4,conv", ["alist:a,puncture=0-3+9,shorten=4", "conv"]),
        ("qc:a=b,qc:c=d", ["qc:a=b", "qc:c=d"]),
    ],
)
def test_names_split_at_commas_but_not_before_settings(text: str, names: list[str]) -> None:
    assert split_names(text) == names


def test_each_code_takes_what_it_has() -> None:
    specs = curves(
        "ldpc5g,turbo,none",
        code__k=40,
        code__n=100,
        code__decoder__algorithm="minsum",
        code__decoder__iterations=3,
    )
    codes = [spec.code for spec in specs]
    assert [(code.name, code.k, code.n) for code in codes] == [
        ("ldpc5g", 40, 100),
        ("turbo", 40, 100),
        ("none", 40, 40),
    ]
    assert [code.decoder.algorithm for code in codes] == ["minsum", "bcjr", "hard"]
    assert [code.decoder.iterations for code in codes] == [3, 3, None]


@pytest.mark.parametrize(
    ("code", "flags", "words"),
    [
        ("conv,polar5g", {"code__decoder__iterations": 3}, "iterations"),
        ("conv,none", {"code__decoder__algorithm": "minsum"}, "minsum"),
        ("conv,conv", {}, "twice"),
        ("conv,ldpc", {}, "'ldpc'"),
        ("conv,", {}, "''"),
        ("ldpc5g", {"code__decoder__llr_bits": 6}, "min-sum"),
        ("ldpc5g", {"code__decoder__llr_bits": 9, "code__decoder__algorithm": "minsum"}, "9"),
        ("turbo", {"code__decoder__llr_bits": 6}, "llr_bits"),
        (
            "turbo",
            {"code__decoder__factor": 0.8},
            "factor belongs to normalized-minsum and max-log, got factor=0.8 with bcjr",
        ),
        ("ldpc5g", {"code__decoder__factor": 0.8}, "factor belongs to normalized-minsum.* sum-product"),
        (
            "ldpc5g",
            {"code__decoder__offset": 0.4, "code__decoder__algorithm": "normalized-minsum"},
            "offset belongs to offset-minsum, got offset=0.4 with normalized-minsum",
        ),
        (
            "ldpc5g",
            {"code__decoder__factor": 2, "code__decoder__algorithm": "normalized-minsum"},
            "at most 1, got 2",
        ),
    ],
)
def test_mistakes_are_named(code: str, flags: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        curves(code, **flags)


def test_one_run_holds_several_codes_and_takes_more(tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = {"code__k": 32, "stop__max_blocks": 64}
    both = run_ber(curves("conv,none", **settings), out)
    assert [point.code for point in both.points] == ["conv", "none"]
    assert [code["name"] for code in both.spec["code"]] == ["conv", "none"]
    assert both.spec["engine"] == "auto"
    assert [point.engine for point in both.points] == ["sionna", "compiled"]
    more = run_ber(curves("polar5g,conv", **settings), out)
    assert more.points[1] == both.points[0]
    assert len((out / "curves.csv").read_text().splitlines()) == 4
    # the record of a run is a configuration
    again = run_ber(read_curves(out / "spec.yaml"), out)
    assert again.points == more.points
    with pytest.raises(InputError, match="modulation"):
        run_ber(curves("conv", modulation="qpsk", **settings), out)

    from benchmarks.links.drawing.plots import load_curves, plot_ber

    with Store.read(out) as store:
        found = load_curves(store)
    assert [curve.condition["code"]["name"] for curve in found] == ["conv", "none", "polar5g"]
    axes = plot_ber(found).axes[0]
    assert axes.get_xlabel().startswith("$E_b")


def test_matrix_from_a_file(hamming: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    spec = curves(f"alist:{hamming}", stop__max_blocks=256)
    found = run_ber(spec, out)
    assert (found.spec["code"]["k"], found.spec["code"]["n"]) == (4, 7)
    assert found.points[0].code == "alist:hamming"
    assert found.points[0].engine == "compiled"
    assert found.points[0].bits == 4 * 256
    # the same matrix elsewhere and under another name is the same condition, another one is not
    (tmp_path / "moved").mkdir()
    copy = hamming.rename(tmp_path / "moved" / "seven-four.alist")
    again = run_ber(curves(f"alist:{copy}", stop__max_blocks=256), out)
    assert [point.counts for point in again.points] == [point.counts for point in found.points]
    assert again.points[0].code == "alist:seven-four"
    copy.write_text(write_alist(HAMMING[:, :6]))
    other = run_ber(curves(f"alist:{copy}", stop__max_blocks=64), out)
    assert other.points != found.points
    assert other.spec["code"]["k"] == 3
    # the record names the matrix it is about
    record = yaml.safe_load((out / "spec.yaml").read_text())
    record["spec"]["code"]["digest"] = found.spec["code"]["digest"]
    record["spec"]["code"]["k"] = None
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(record))
    with pytest.raises(InputError, match="not the one"):
        run_ber(read_curves(changed))


def test_matrix_that_does_not_fit_is_refused(hamming: Path) -> None:
    with pytest.raises(InputError, match="k=4, got k=5"):
        run_ber(curves(f"alist:{hamming}", code__k=5))
    with pytest.raises(InputError, match="nowhere"):
        run_ber(curves("alist:/nowhere/x.alist"))


@pytest.mark.parametrize(
    ("code", "channel", "engine", "expected"),
    [
        ("ldpc5g", "awgn", "auto", "compiled"),
        ("ldpc5g", "rayleigh", "auto", "compiled"),
        ("none", "rayleigh-block", "auto", "compiled"),
        ("ldpc5g", "rayleigh:coherence=24", "auto", "compiled"),
        ("alist:x", "rician:k_db=6", "auto", "compiled"),
        ("ldpc5g", "awgn", "sionna", "sionna"),
        ("turbo", "awgn", "auto", "sionna"),
        ("alist:x", "awgn", "auto", "compiled"),
        ("turbo", "awgn", "compiled", "code turbo"),
        ("ldpc5g", "tdl-a", "compiled", "compiled"),
        ("alist:x", "awgn", "sionna", "sionna engine does not cover code"),
    ],
)
def test_engine(code: str, channel: str, engine: str, expected: str) -> None:
    spec = curves(code, channel=channel, engine=engine)[0]
    if expected in ("sionna", "compiled"):
        assert resolve_engine(spec) == expected
        return
    with pytest.raises(InputError, match=expected):
        resolve_engine(spec)


def test_fixed_point_needs_the_compiled_engine() -> None:
    fixed = {"code__decoder__llr_bits": 6, "code__decoder__algorithm": "minsum"}
    assert resolve_engine(curves("ldpc5g", **fixed)[0]) == "compiled"
    with pytest.raises(InputError, match="llr_bits=6"):
        resolve_engine(curves("ldpc5g", **fixed, engine="sionna")[0])


def test_factor_and_offset_tell_conditions_apart_only_where_they_are_unusual() -> None:
    """Left out, or given as what they are anyway, the condition is the one that runs had before them."""

    def condition(rule: str, **more: Any) -> dict[str, Any]:
        flags = {f"code__decoder__{name}": value for name, value in more.items()}
        return curves("ldpc5g", code__decoder__algorithm=rule, **flags)[0].condition()

    plain = condition("normalized-minsum")
    assert plain["code"]["decoder"] == {
        "algorithm": "normalized-minsum",
        "schedule": "flooding",
        "iterations": 20,
        "early_stop": True,
        "llr_bits": None,
    }
    assert condition("normalized-minsum", factor=0.75) == plain
    assert condition("normalized-minsum", factor=0.8)["code"]["decoder"]["factor"] == 0.8
    assert condition("offset-minsum", offset=0.5) == condition("offset-minsum")
    assert condition("offset-minsum", offset=0.4) != condition("offset-minsum")


@pytest.mark.slow
def test_the_factor_reaches_every_engine() -> None:
    """A factor of 1 is min-sum, an offset of 0 too: the same errors, and others than the usual ones."""
    shared = {
        "code__k": 64,
        "code__decoder__iterations": 6,
        "stop__max_blocks": 256,
        "stop__block_errors": 999,
    }
    for engine in ("compiled", "sionna", "torch"):

        def errors(rule: str, engine: str = engine, **more: Any) -> int:
            flags = {f"code__decoder__{name}": value for name, value in {"algorithm": rule, **more}.items()}
            return run_ber(curves("ldpc5g", engine=engine, **shared, **flags)).points[0].bit_errors

        plain = errors("minsum")
        assert errors("normalized-minsum", factor=1) == errors("offset-minsum", offset=0) == plain > 0
        assert errors("normalized-minsum") != plain != errors("offset-minsum")


def test_curves_of_one_run_may_differ_in_their_factor(tmp_path: Path) -> None:
    from benchmarks.links.drawing.plots import load_curves

    settings = {"code__k": 32, "code__decoder__algorithm": "normalized-minsum", "stop__max_blocks": 64}
    run_ber(curves("ldpc5g", **settings), tmp_path)
    run_ber(curves("ldpc5g", code__decoder__factor=0.9, **settings), tmp_path)
    first, second = (tmp_path / "curves.csv").read_text().splitlines()[1:]
    assert ",,," in first and ",0.9,," in second
    with Store.read(tmp_path) as store:
        labels = [curve.label for curve in load_curves(store)]
    assert labels == [
        "ldpc5g (32, 64), normalized-minsum 20, bpsk, awgn",
        "ldpc5g (32, 64), normalized-minsum 20, factor 0.9, bpsk, awgn",
    ]


def test_the_list_of_a_polar_decoder_is_a_setting() -> None:
    """The usual list leaves conditions as they are; another is another condition, and another decoder."""
    usual = CodeSpec(name="polar5g", k=64)
    longer = CodeSpec(name="polar5g", k=64, decoder=DecoderSpec(list_size=32))
    assert "list_size" not in usual.identity()["decoder"]
    assert CodeSpec(name="polar5g", k=64, decoder=DecoderSpec(list_size=8)).identity() == usual.identity()
    assert longer.identity()["decoder"]["list_size"] == 32
    assert longer.decoder.of("sionna").list_size == 32
    for name, settings, words in (
        ("ldpc5g", {"list_size": 4}, "only polar codes take list_size"),
        ("polar5g", {"list_size": 4, "algorithm": "sc"}, "list_size belongs to scl"),
        ("polar5g", {"list_size": 33}, "list size must be from 1 to 32, got 33"),
    ):
        with pytest.raises(ValueError, match=words):
            CodeSpec(name=name, k=64, decoder=DecoderSpec(**settings))


def test_versions_tell_rows_apart_only_where_a_code_has_changed() -> None:
    assert "version" not in CodeSpec().identity()
    versions = {name: CodeSpec(name=name).identity()["version"] for name in ("conv", "turbo", "polar5g")}
    assert versions == {"conv": 3, "turbo": 2, "polar5g": 2}


def test_quotes_take_commas_into_names() -> None:
    names = 'none,alist:"my code,v2.alist",puncture=0-3,conv'
    assert split_names(names) == ["none", 'alist:"my code,v2.alist",puncture=0-3', "conv"]
    assert CodeSpec(name=split_names(names)[1]).label == "alist:my code,v2,puncture=0-3"
