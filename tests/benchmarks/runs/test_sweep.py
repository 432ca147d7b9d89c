"""Processes that a sweep starts: where there are none to be had, and whom they heed."""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

import pytest

from benchmarks.runs import sweep
from benchmarks.settings.errors import InputError


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_no_room_for_locks_is_one_line(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """What a semaphore raises where /dev/shm is full, or read-only."""
    reason = OSError(code, os.strerror(code))

    def refuse(*given: Any, **named: Any) -> None:
        raise reason

    monkeypatch.setattr(sweep, "ProcessPoolExecutor", refuse)
    with pytest.raises(InputError, match=f"{reason.strerror}.*--workers 1"), sweep.open_pool(2):
        pass


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs masks of signals")
def test_signals_are_held_back_only_while_a_process_starts() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with sweep._born_deaf():
        held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert held - before == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


class Halves:
    """A task of one item, of which half comes back each time until nothing is left."""

    def __init__(self, size: int) -> None:
        self.size, self.done, self.finished = size, list[int](), False

    def items(self) -> Any:
        yield self.size

    def accept(self, item: int, result: int) -> int | None:
        self.done.append(result)
        self.finished = item == result
        return item - result or None


def half(size: int) -> int:
    return (size + 1) // 2


def test_what_an_item_leaves_is_done_before_the_next_item() -> None:
    tasks = [Halves(8), Halves(3)]
    sweep.run(tasks, half)
    assert [task.done for task in tasks] == [[4, 2, 1, 1], [2, 1]]
    assert all(task.finished for task in tasks)
