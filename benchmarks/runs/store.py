"""Where raw results live: one SQLite file a run, rows added in transactions and never counted twice.

A run directory holds ``spec.yaml`` (for people and ``--config``), ``results.sqlite`` (the truth),
``curves.csv`` and ``figures/``. Rates and intervals are derived from the rows, never stored.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from benchmarks.runs import database
from benchmarks.runs.conditions import Condition, differences
from benchmarks.runs.database import decoded, refusals
from benchmarks.runs.versions import command_line, versions
from benchmarks.settings.errors import InputError
from semantic.files import write_text

__all__ = ["Row", "Store"]

_TABLES = ("meta", "sessions", "conditions", "rows")
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    started TEXT NOT NULL,
    command TEXT NOT NULL,
    versions TEXT NOT NULL,
    spec TEXT NOT NULL
);
CREATE TABLE conditions (
    id TEXT PRIMARY KEY, description TEXT NOT NULL, stop TEXT
);
"""
_ERRORS = """
CREATE TABLE IF NOT EXISTS errors (
    condition TEXT NOT NULL REFERENCES conditions (id), item NOT NULL, session INTEGER NOT NULL,
    source TEXT NOT NULL, trial INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (condition, item)
)
"""
Row = tuple[str, int | str, Mapping[str, Any]]
"""Condition, item and values by column."""


class Store:
    """Raw rows of a run, on disk or, without a folder, in memory.

    A row belongs to a condition and an item (for ``ber`` the first block of a chunk, for ``compare`` a
    picture and trial); the pair is the primary key. Items on which something raised have no row: they stand
    apart, with the reason, until they have one. A store is a context manager: leaving it releases the file.

    Parameters
    ----------
    folder:
        The run directory; it is made where there is none. None keeps everything in memory.
    kind:
        Name of the command, such as ``"ber"``; a directory with another kind of run is refused.
    columns:
        Column names of a row, mapped to their SQLite types.
    spec:
        Resolved settings, written to ``spec.yaml`` and to the session's record.
    identity:
        The part of the settings that all sessions of one directory share.

    Raises
    ------
    InputError
        If the folder cannot be used, or holds something else.

    Examples
    --------
    >>> with Store(None, "ber", {"blocks": "INTEGER NOT NULL"}, spec={}, identity={}) as store:
    ...     store.register("at-0-dB", {"snr_db": 0.0})
    ...     store.add("at-0-dB", 0, {"blocks": 64})
    ...     store.rows("at-0-dB")
    [{'item': 0, 'blocks': 64}]
    """

    def __init__(
        self,
        folder: Path | None,
        kind: str,
        columns: Mapping[str, str],
        spec: Mapping[str, Any],
        identity: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.session: int | None = None
        self.columns = tuple(columns)
        self.versions = versions()
        with ExitStack() as undo:
            self._db = database.open_to_add(folder)
            undo.callback(self.close)
            with self.transaction():
                if not database.examine(self._db, _TABLES):
                    self._create(kind, columns, identity)
                self._db.execute(_ERRORS)  # runs of older versions have no such table
            self._check(kind, identity)
            self._begin(kind, spec)
            undo.pop_all()  # it stays open

    def _begin(self, kind: str, spec: Mapping[str, Any]) -> None:
        """Record a session, with what it was told."""
        command = command_line()
        with self.transaction():
            self.session = self._db.execute(
                "INSERT INTO sessions (started, command, versions, spec) VALUES (?, ?, ?, ?)",
                (datetime.now(UTC).isoformat(), command, json.dumps(self.versions), json.dumps(spec)),
            ).lastrowid
        if self.folder is not None:
            record = {"kind": kind, "spec": dict(spec), "versions": self.versions, "command": command}
            with refusals(self.folder):
                write_text(self.folder / "spec.yaml", yaml.safe_dump(record, sort_keys=False))

    @classmethod
    def read(cls, folder: str | Path) -> Store:
        """Open a run to look at it; `kind` and `spec` tell what it is.

        Raises
        ------
        InputError
            If there is no run.
        """
        store = cls.__new__(cls)
        store.folder, store.session = Path(folder), None
        with ExitStack() as undo:
            store._db = database.open_to_look(store.folder)
            undo.callback(store._db.close)
            with refusals(store.folder):
                if not database.examine(store._db, _TABLES):
                    raise InputError(f"{str(folder)!r} holds an empty run")
            store.columns = tuple(decoded(store._meta("columns")))
            store.versions = decoded(store._latest("versions"))
            undo.pop_all()  # it stays open
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def kind(self) -> str:
        """Name of the command that made the run."""
        return self._meta("kind")

    @property
    def spec(self) -> dict[str, Any]:
        """Resolved settings of the latest session."""
        spec: dict[str, Any] = decoded(self._latest("spec"))
        return spec

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all that is written inside be there together or, if anything raises, not at all.

        Transactions may lie inside one another; the outermost counts.

        Raises
        ------
        InputError
            If the file cannot be written.

        Examples
        --------
        >>> with Store(None, "ber", {"blocks": "INTEGER NOT NULL"}, spec={}, identity={}) as store:
        ...     try:
        ...         with store.transaction():
        ...             store.register("at-0-dB", {"snr_db": 0.0})
        ...             raise KeyError
        ...     except KeyError:
        ...         store.conditions()
        []
        """
        if self._db.in_transaction:
            yield
            return
        with refusals(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise

    def register(self, condition: str, description: Mapping[str, Any]) -> None:
        """Make a condition known; one that is known already goes on, under the names of this session."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO conditions (id, description) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET description = excluded.description",
                (condition, json.dumps(description)),
            )

    def want(self, items: Mapping[str, Mapping[str, str]]) -> None:
        """Record which items of which conditions this session names, each with what it calls their source."""
        kinds: list[Mapping[str, str]] = []
        for each in items.values():
            if each not in kinds:
                kinds.append(each)
        found = {"items": kinds, "conditions": {name: kinds.index(each) for name, each in items.items()}}
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", ("wanted", json.dumps(found)))

    def wanted(self) -> dict[str, dict[str, str]] | None:
        """What the latest session recorded by `want`; None where none did."""
        if not self._query("SELECT 1 FROM meta WHERE name = 'wanted'"):
            return None
        found = decoded(self._meta("wanted"))
        return {name: found["items"][kind] for name, kind in found["conditions"].items()}

    def makers(self) -> list[tuple[str, str, dict[str, str | None]]]:
        """Condition and item of every row, with the versions of the session that made it."""
        known = {session: decoded(text) for session, text in self._query("SELECT id, versions FROM sessions")}
        found = self._query("SELECT condition, item, session FROM rows")
        return [(condition, item, known[session]) for condition, item, session in found]

    def add(self, condition: str, item: int | str, values: Mapping[str, Any]) -> None:
        """Add one row in a transaction of its own; see `add_all`."""
        self.add_all([(condition, item, values)])

    def add_all(self, rows: Sequence[Row], errors: Sequence[Row] = ()) -> None:
        """Add rows in one transaction: all of them or, if this process ends before it, none.

        Parameters
        ----------
        rows:
            Condition, item and values of each.
        errors:
            Condition and item of what raised, with ``source``, ``trial`` and ``reason``; in place of what
            the same item raised before.

        Raises
        ------
        InputError
            If one of them exists: another process works on the same run.
        """
        names = ", ".join(self.columns)
        marks = ", ".join("?" * len(self.columns))
        statement = f"INSERT INTO rows (condition, item, session, {names}) VALUES (?, ?, ?, {marks})"
        records = [
            (condition, item, self.session, *(_storable(values[name]) for name in self.columns))
            for condition, item, values in rows
        ]
        with self._alone(), self.transaction():
            self._db.executemany(statement, records)
            self._db.executemany(
                "DELETE FROM errors WHERE condition = ? AND item = ?", [row[:2] for row in rows]
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO errors VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        condition,
                        item,
                        self.session,
                        *(_storable(about[name]) for name in ("source", "trial", "reason")),
                    )
                    for condition, item, about in errors
                ],
            )

    def merge(
        self, condition: str, items: Sequence[int | str], item: int | str, values: Mapping[str, Any]
    ) -> None:
        """Put one row in the place of several.

        Raises
        ------
        InputError
            If one of them is gone: another process works on the same run.
        """
        with self._alone(), self.transaction():
            for each in items:
                gone = self._db.execute(
                    "DELETE FROM rows WHERE condition = ? AND item = ?", (condition, each)
                )
                if gone.rowcount != 1:
                    raise sqlite3.IntegrityError(f"there is no row {each}")
            self.add(condition, item, values)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise InputError(
                f"another process works on {str(self.folder)!r}; wait for it or stop it"
            ) from error

    def finish(self, condition: str, stop: str | None) -> None:
        """Record why a condition ended, or with None that it goes on."""
        with self.transaction():
            self._db.execute("UPDATE conditions SET stop = ? WHERE id = ?", (stop, condition))

    def conditions(self) -> list[Condition]:
        """All conditions in the order in which they were registered."""
        found = self._query("SELECT id, description, stop FROM conditions ORDER BY rowid")
        return [Condition(name, decoded(description), stop) for name, description, stop in found]

    def items(self, condition: str) -> set[int | str]:
        """Items of a condition that have a row."""
        return {item for (item,) in self._query("SELECT item FROM rows WHERE condition = ?", condition)}

    def rows(self, condition: str) -> list[dict[str, Any]]:
        """Rows of a condition in the order of their items, with ``item`` among their columns."""
        names = ("item", *self.columns)
        found = self._query(
            f"SELECT {', '.join(names)} FROM rows WHERE condition = ? ORDER BY item", condition
        )
        return [dict(zip(names, row, strict=True)) for row in found]

    def errors(self, condition: str) -> list[dict[str, Any]]:
        """What raised in a condition: ``item``, ``source``, ``trial`` and ``reason`` of each."""
        if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'errors'"):
            return []  # a run of an older version, opened to look at it
        names = ("item", "source", "trial", "reason")
        found = self._query(
            f"SELECT {', '.join(names)} FROM errors WHERE condition = ? ORDER BY item", condition
        )
        return [dict(zip(names, row, strict=True)) for row in found]

    def close(self) -> None:
        """Release the file."""
        if self.session is None:  # opened to look at it
            self._db.close()
        else:
            database.settle(self._db)

    def _query(self, statement: str, *given: object) -> list[tuple[Any, ...]]:
        with refusals(self.folder):
            return self._db.execute(statement, given).fetchall()

    def _create(self, kind: str, columns: Mapping[str, str], identity: Mapping[str, Any]) -> None:
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        fields = ", ".join(f"{name} {sqltype}" for name, sqltype in columns.items())
        self._db.execute(
            f"CREATE TABLE rows (condition TEXT NOT NULL REFERENCES conditions (id), item NOT NULL, "
            f"session INTEGER NOT NULL REFERENCES sessions (id), {fields}, PRIMARY KEY (condition, item))"
        )
        meta = {"kind": kind, "columns": json.dumps(list(columns)), "identity": json.dumps(identity)}
        self._db.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta.items())

    def _check(self, kind: str, identity: Mapping[str, Any]) -> None:
        if self.kind != kind:
            raise InputError(f"{str(self.folder)!r} holds a run of semphy {self.kind}; choose another --out")
        if decoded(self._meta("columns")) != list(self.columns):
            raise InputError(
                f"{str(self.folder)!r} was made by another version of semphy; choose another --out"
            )
        # Through JSON, as the stored one went: tuples become lists.
        changed = differences(decoded(self._meta("identity")), json.loads(json.dumps(identity)))
        if changed:
            raise InputError(
                f"{str(self.folder)!r} holds another run ({'; '.join(changed)}); choose another --out"
            )

    def _meta(self, name: str) -> str:
        found = self._query("SELECT value FROM meta WHERE name = ?", name)
        if not found:
            raise InputError(f"{str(self.folder)!r} holds a damaged run: it does not say its {name}")
        return str(found[0][0])

    def _latest(self, name: str) -> str:
        found = self._query(f"SELECT {name} FROM sessions ORDER BY id DESC LIMIT 1")
        if not found:
            raise InputError(f"{str(self.folder)!r} holds an empty run")
        return str(found[0][0])


def _storable(value: Any) -> Any:
    """Text without surrogates, which SQLite does not take; names of files have them that are no UTF-8."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
