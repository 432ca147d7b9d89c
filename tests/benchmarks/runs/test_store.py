"""The store: rows are there once, survive, and belong to one kind of run."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.runs.results import write_csv
from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError

COLUMNS = {"errors": "INTEGER NOT NULL", "note": "TEXT"}


def make(folder: Path | None, kind: str = "test", identity: dict[str, Any] | None = None) -> Store:
    return Store(folder, kind, COLUMNS, {"seed": 1}, identity or {"seed": 1, "code": {"k": 512}})


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    store.register("c", {"snr": 1.0})
    for item in (128, 0, 64):
        store.add("c", item, {"errors": item + 1, "note": None})
    expected = [{"item": item, "errors": item + 1, "note": None} for item in (0, 64, 128)]
    assert store.rows("c") == expected
    store.close()
    again = make(tmp_path / "run")
    again.register("c", {"snr": 2.0})
    assert again.rows("c") == expected
    assert again.conditions()[0].description == {"snr": 2.0}  # its names are those of the last session
    again.finish("c", "enough")
    assert again.conditions()[0].stop == "enough"
    again.close()


def test_nothing_is_counted_twice(tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    store.register("c", {})
    store.add("c", 0, {"errors": 1, "note": "first"})
    with pytest.raises(InputError, match="another process"):
        store.add_all([("c", 64, {"errors": 2, "note": None}), ("c", 0, {"errors": 3, "note": None})])
    assert [row["note"] for row in store.rows("c")] == ["first"]  # the whole transaction went back


def test_in_memory_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = make(None)
    store.register("c", {})
    store.add("c", "picture/0", {"errors": 1, "note": "x"})
    assert store.rows("c") == [{"item": "picture/0", "errors": 1, "note": "x"}]
    assert list(tmp_path.iterdir()) == []


def test_record_names_versions_and_command(tmp_path: Path) -> None:
    make(tmp_path / "run").close()
    record = yaml.safe_load((tmp_path / "run" / "spec.yaml").read_text())
    assert record["kind"] == "test"
    assert record["spec"] == {"seed": 1}
    assert {"semphy", "python", "torch", "sionna", "commit"} <= set(record["versions"])
    assert record["command"]


def test_a_store_closes_at_the_end_of_its_context(tmp_path: Path, connections: list[Any]) -> None:
    with make(tmp_path / "run") as store:
        assert [each.closed for each in connections] == [False]
        store.register("c", {})
    with pytest.raises(KeyError), Store.read(tmp_path / "run") as store:
        assert [condition.id for condition in store.conditions()] == ["c"]
        raise KeyError
    assert [each.closed for each in connections] == [True] * 2


def test_other_runs_are_refused(tmp_path: Path, connections: list[Any]) -> None:
    folder = tmp_path / "run"
    make(folder).close()
    with pytest.raises(InputError, match="semphy test"):
        make(folder, kind="other")
    with pytest.raises(InputError, match=r"code\.k = 512, now 256"):
        make(folder, identity={"seed": 1, "code": {"k": 256}})
    assert [each.closed for each in connections] == [True] * 3


def test_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(InputError, match="no run"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_unusable_folder(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="cannot use"):
        make(tmp_path / where)


def test_damaged_database(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 10)
    with pytest.raises(InputError, match="cannot use"):
        make(tmp_path)


@pytest.mark.parametrize("table", ["meta", "sessions", "conditions", "rows"])
def test_a_lost_table_is_one_line(tmp_path: Path, table: str) -> None:
    make(tmp_path / "run").close()
    with sqlite3.connect(tmp_path / "run" / "results.sqlite") as found:
        found.execute(f"DROP TABLE {table}")
    found.close()
    for opened in (make, Store.read):
        with pytest.raises(InputError, match=f"damaged .there is no table {table}"):
            opened(tmp_path / "run")


def test_overwritten_pages_are_found_on_opening(tmp_path: Path) -> None:
    with make(tmp_path / "run") as store, store.transaction():
        store.register("c", {"snr": 1.0})
        for item in range(2000):
            store.add("c", item, {"errors": item, "note": "x" * 40})
    file = tmp_path / "run" / "results.sqlite"
    content = bytearray(file.read_bytes())
    content[-3 * 4096 : -2 * 4096] = bytes(range(256)) * 16
    file.write_bytes(content)
    for opened in (make, Store.read):
        with pytest.raises(InputError, match=r"^cannot use .*results\.sqlite is damaged"):
            opened(tmp_path / "run")


def test_text_that_is_no_json_is_one_line(tmp_path: Path) -> None:
    with make(tmp_path / "run") as store:
        store.register("c", {"snr": 1.0})
        store._db.execute("UPDATE conditions SET description = 'snr'")
        with pytest.raises(InputError, match="damaged: 'snr' is no JSON"):
            store.conditions()


def test_a_folder_in_the_place_of_the_settings_is_one_line(tmp_path: Path) -> None:
    make(tmp_path / "run").close()
    (tmp_path / "run" / "spec.yaml").unlink()
    (tmp_path / "run" / "spec.yaml").mkdir()
    with pytest.raises(InputError, match=r"^cannot use .*spec\.yaml': Is a directory"):
        make(tmp_path / "run")


def test_a_full_disk_is_one_line_and_keeps_what_was_stored(tmp_path: Path) -> None:
    with make(tmp_path / "run") as store:
        store.register("c", {"snr": 1.0})
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")  # what SQLite calls a full disk
        with pytest.raises(InputError, match="disk is full; [0-9,]+ bytes are free"), store.transaction():
            for index in range(1000):
                store.register(f"d{index}", {"snr": 1.0})
        with pytest.raises(InputError, match="disk is full"):
            store.add("c", 0, {"errors": 1, "note": "x" * 100_000})
    with make(tmp_path / "run") as store:
        assert [condition.id for condition in store.conditions()] == ["c"]
        assert store.rows("c") == []


def test_what_is_written_together_is_one_transaction(tmp_path: Path) -> None:
    said = list[str]()
    with make(tmp_path / "run") as store:
        store._db.set_trace_callback(said.append)
        with store.transaction():
            for index in range(100):
                store.register(f"c{index}", {"snr": 1.0})
            store.add("c0", 0, {"errors": 1, "note": None})
            store.finish("c0", "enough")
    assert [text for text in said if text in ("BEGIN IMMEDIATE", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"]


def test_rows_become_one(tmp_path: Path) -> None:
    with make(tmp_path / "run") as store:
        store.register("c", {})
        for item in (0, 64, 80, 100):
            store.add("c", item, {"errors": item, "note": None})
        store.merge("c", [64, 80], 64, {"errors": 144, "note": "both"})
        assert [(row["item"], row["errors"]) for row in store.rows("c")] == [(0, 0), (64, 144), (100, 100)]
        with pytest.raises(InputError, match="another process"):
            store.merge("c", [64, 80], 64, {"errors": 0, "note": None})
        assert store.items("c") == {0, 64, 100}  # the whole transaction went back


def test_a_killed_run_and_a_finished_one_can_be_read(tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    store.register("c", {"snr": 1.0})
    store.add("c", 0, {"errors": 1, "note": None})
    shutil.copytree(tmp_path / "run", tmp_path / "killed")  # what lies there while the process lives
    store.close()
    assert (tmp_path / "killed" / "results.sqlite-wal").stat().st_size
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["results.sqlite", "spec.yaml"]
    # Bytes 18 and 19 of a file that needs no log beside it, and so no leave to write, are 1.
    assert (tmp_path / "run" / "results.sqlite").read_bytes()[18:20] == b"\1\1"
    for name in ("run", "killed"):
        with Store.read(tmp_path / name) as found:
            assert found.rows("c") == [{"item": 0, "errors": 1, "note": None}]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything is writable for root")
def test_a_run_that_nobody_may_write_to_can_be_read(tmp_path: Path) -> None:
    store = make(tmp_path / "run")
    store.register("c", {"snr": 1.0})
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    store.close()
    for name in ("run", "killed"):
        for path in (tmp_path / name).iterdir():
            path.chmod(0o444)
        (tmp_path / name).chmod(0o555)
        with Store.read(tmp_path / name) as found:
            assert [condition.id for condition in found.conditions()] == ["c"]
        with pytest.raises(InputError, match="^cannot use"):
            make(tmp_path / name)


def test_database_cut_off_at_birth_is_begun_anew(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "results.sqlite").close()
    (tmp_path / "results.sqlite").touch()
    store = make(tmp_path)
    assert store.kind == "test"


def test_reading_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run"):
        Store.read(tmp_path)
    make(tmp_path / "run").close()
    store = Store.read(tmp_path / "run")
    assert (store.kind, store.spec, store.columns) == ("test", {"seed": 1}, ("errors", "note"))


def test_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [{"a": 1, "b": None}, {"a": 2.5, "b": "c,d"}])
    with (tmp_path / "x.csv").open() as file:
        assert list(csv.reader(file)) == [["a", "b"], ["1", ""], ["2.5", "c,d"]]
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
