"""Fixtures of the tests of benchmarks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest


class Connection(sqlite3.Connection):
    """A connection that remembers whether it was closed."""

    closed = False

    def close(self) -> None:
        super().close()
        self.closed = True


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Connections to runs that are made from here on, with ``closed``."""
    made, connect = list[Connection](), sqlite3.connect

    def remember(*given: Any, **named: Any) -> Connection:
        made.append(connect(*given, factory=Connection, **named))
        return made[-1]

    monkeypatch.setattr("benchmarks.runs.store.sqlite3.connect", remember)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line in this process: status, standard output and standard error of some arguments."""
    from benchmarks.cli.main import main

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call
