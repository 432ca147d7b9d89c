"""Files that are there as a whole, as they were before, or not at all, whenever a process may end."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

__all__ = ["NotWritten", "locked", "write_text", "written"]


class NotWritten(OSError):  # noqa: N818 - what it says is the name of the state
    """A file could not be written; the message is one line with its path and the system's reason."""


@contextmanager
def written(file: str | Path) -> Iterator[Path]:
    """Give a path beside a file; what the caller writes there becomes the file in one step.

    Whoever reads meanwhile finds the former file, or none. The path has the file's suffix, from which
    libraries tell the format; its name is hidden, and belongs to this process and thread.

    Parameters
    ----------
    file:
        What is to be written; its folder is made where there is none.

    Raises
    ------
    NotWritten
        If the system refuses, for want of space or of leave; the former file stays.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "words.txt")
    ...     with written(file) as beside:
    ...         size = beside.write_text("a dog")
    ...         print(file.exists())
    ...     print(file.read_text())
    False
    a dog
    """
    file = Path(file)
    beside = file.with_name(f".{file.stem}.{os.getpid()}-{threading.get_ident()}{file.suffix}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as whole:
            os.fsync(whole.fileno())  # or a power cut leaves the new name with nothing in it
        beside.replace(file)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise NotWritten(f"cannot write {str(file)!r}: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write_text(file: str | Path, text: str) -> None:
    """Write a text as UTF-8, in one step; see `written`."""
    with written(file) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def locked(place: Path, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keep other processes from a folder or file while they ask for it in the same way.

    Parameters
    ----------
    place:
        What to keep; a hidden file beside it bears the lock, which ends with the process that has it.
    wait:
        Called once where another process has it, before it is waited for.

    Raises
    ------
    NotWritten
        If there cannot be such a file.
    """
    from filelock import FileLock, Timeout

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f".{place.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            wait()
            lock.acquire()
    except OSError as error:
        raise NotWritten(f"cannot write beside {str(place)!r}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
