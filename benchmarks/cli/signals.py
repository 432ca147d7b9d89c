"""Ctrl-C, SIGTERM and SIGHUP end a command in order: what is done is kept, and the last word is one line."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["heeded", "status"]

_KINDS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_PATIENCE = 3  # signals after which a command does not wait for its last files
_received: list[int] = []


@contextmanager
def heeded() -> Iterator[None]:
    """Let the first of these signals raise KeyboardInterrupt, the second nothing, the third end the process.

    Behind the first one curves are written; an impatient second Ctrl-C does not lose them. A signal that
    whoever started the process has it ignore, as ``nohup`` does, stays ignored.
    """
    _received.clear()
    before: dict[int, Any] = {
        kind: signal.getsignal(kind) for kind in _KINDS if signal.getsignal(kind) is not signal.SIG_IGN
    }
    for kind in before:
        signal.signal(kind, _heed)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _heed(kind: int, frame: FrameType | None) -> None:
    _received.append(kind)
    for stream in (1, 2):
        _leave_if_hung_up(stream)
    if len(_received) == 1:
        raise KeyboardInterrupt
    if len(_received) == _PATIENCE:
        os.write(2, b"ended at once; what was stored is kept\n")
        os._exit(status())


def _leave_if_hung_up(stream: int) -> None:
    """Write to nowhere where a terminal was that is gone: every further word would raise."""
    try:
        os.ttyname(stream)
        os.write(stream, b"")
    except OSError as error:
        if error.errno == errno.EIO:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def status() -> int:
    """Exit status of a command that a signal ended, that of the shells: 128 and its number."""
    return 128 + (_received[0] if _received else signal.SIGINT)
