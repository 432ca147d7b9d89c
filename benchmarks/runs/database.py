"""The file of a run: opened to add to it or to look at it, examined first, every complaint of it one line.

While a run goes on, its file has a write-ahead log beside it: a process that is killed loses the transaction
it was in, and a reader disturbs nobody. Whoever is the last to close the file takes the log into it, so that
a finished run can be read from where nothing can be written.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.settings.errors import InputError

__all__ = ["DATABASE", "decoded", "examine", "open_to_add", "open_to_look", "refusals", "settle"]

DATABASE = "results.sqlite"

_WAIT = 60.0  # seconds for another process's transaction


def open_to_add(folder: Path | None) -> sqlite3.Connection:
    """Open the file of a run directory, which is made where there is none; None is memory.

    Raises
    ------
    InputError
        If the folder cannot be used, or holds something else.
    """
    with refusals(folder):
        place = ":memory:" if folder is None else _claim(folder)
        found = sqlite3.connect(place, timeout=_WAIT, isolation_level=None)
        with _closing_if_it_raises(found):
            found.execute("PRAGMA journal_mode = WAL")  # a file system without shared memory keeps its own
            found.execute("PRAGMA synchronous = NORMAL")
    return found


def open_to_look(folder: Path) -> sqlite3.Connection:
    """Open the file of a run directory, which nothing needs leave to write to.

    Raises
    ------
    InputError
        If there is no run.
    """
    path = folder / DATABASE
    if not path.is_file():
        raise InputError(f"{str(folder)!r} holds no run (no {DATABASE}); --out of a command makes one")
    with refusals(folder):
        try:
            # A run that was killed may leave a log to be taken in, which takes leave to write.
            return _looking(path, "mode=rw")
        except sqlite3.OperationalError:
            log = path.with_name(f"{path.name}-wal")
            empty = not log.is_file() or not log.stat().st_size
            return _looking(path, "mode=ro&immutable=1" if empty else "mode=ro")


def _looking(path: Path, how: str) -> sqlite3.Connection:
    found = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, timeout=_WAIT, isolation_level=None)
    with _closing_if_it_raises(found):
        found.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return found


@contextmanager
def _closing_if_it_raises(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


def examine(database: sqlite3.Connection, tables: Collection[str]) -> bool:
    """Whether a file holds a run; False if it is empty.

    Raises
    ------
    sqlite3.DatabaseError
        If pages of it are damaged, or it has some of the tables and not all.
    """
    there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(verdict.replace("***", "").split()))
    missing = sorted(set(tables) - there)
    if there and missing:
        raise sqlite3.DatabaseError(f"there is no table {', '.join(missing)}")
    return bool(there)


def decoded(text: Any) -> Any:
    """Read JSON that a run holds.

    Raises
    ------
    InputError
        If it is none: the file is damaged where nothing else tells.
    """
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"{DATABASE} of the run is damaged: {text!r:.60} is no JSON ({error})") from error


def settle(database: sqlite3.Connection) -> None:
    """Take the log into the file, unless another process still works on it, and close it."""
    with contextlib.suppress(sqlite3.Error):  # all rows are safe in the log
        database.execute("PRAGMA busy_timeout = 0")
        database.execute("PRAGMA journal_mode = DELETE")
    database.close()


@contextmanager
def refusals(folder: Path | None) -> Iterator[None]:
    """Turn what the system and SQLite say of a run directory into an `InputError`.

    That a row is there already is for the caller to explain (`sqlite3.IntegrityError`).
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (OSError, sqlite3.Error) as error:
        reason = " ".join(str(error).split())
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            reason = f"{DATABASE} is damaged ({reason}); take a copy of yours, or another --out"
        elif folder is not None and "disk" in reason:
            reason = f"{reason}; {_free(folder)} bytes are free there, and what was stored before is kept"
        raise InputError(f"cannot use {str(folder)!r} as a run directory: {reason}") from error


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free:,}"
    except OSError:
        return "unknown"


def _claim(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / DATABASE
    if any(folder.iterdir()) and not file.exists():  # in this order: another process may just begin the run
        raise InputError(f"{str(folder)!r} has files in it and no run; choose another --out")
    return file
