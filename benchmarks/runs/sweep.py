"""Work items through one or several local processes, accepted in order.

Items are computed ahead but accepted strictly in the order in which their tasks yield them, so what a task
sees, and when it calls itself finished, does not depend on the number of workers. An item that takes long is
worked off in slices, each of which is accepted, so that little is lost whenever a process ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from typing import Protocol, TypeVar

from benchmarks.settings.errors import InputError
from phy.threads import cores

__all__ = ["SLICE_SECONDS", "Task", "open_pool", "processes", "quiet_threads", "run", "submit"]

Work = TypeVar("Work")
Done = TypeVar("Done")
Taken = TypeVar("Taken", contravariant=True)

SLICE_SECONDS = 15.0
"""Work that takes longer comes back in parts, where it can be parted."""

_STOPPING = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}


class Task(Protocol[Work, Taken]):
    """Something that needs a sequence of items computed, one condition as a rule."""

    @property
    def finished(self) -> bool:
        """Whether no further result is wanted; asked before each item is computed or accepted."""

    def items(self) -> Iterator[Work]:
        """Work items in order, drawn lazily and possibly ahead of their acceptance."""

    def accept(self, item: Work, result: Taken) -> Work | None:
        """Take the result of the next item, and return what it leaves to do of it, as an item."""


def run(
    tasks: Iterable[Task[Work, Done]],
    work: Callable[[Work], Done],
    workers: int = 1,
    pool: ProcessPoolExecutor | None = None,
) -> None:
    """Compute the items of every task and hand them back in order.

    Parameters
    ----------
    tasks:
        Taken in order; with several workers the next task may be drawn while the last items of the one before
        are still being computed.
    work:
        A function at the top level of a module, so that other processes find it.
    workers:
        Processes; 1 computes in this one.
    pool:
        From `open_pool`, for those who run again and again; otherwise processes are started and ended here.

    Raises
    ------
    InputError
        If ``workers`` is not positive, no other process can be started, or one was killed from outside.
    """
    stream = ((task, item) for task in tasks for item in _wanted(task))
    with open_pool(workers) if pool is None else nullcontext(pool) as others:
        if others is None:
            for task, item in stream:
                left: Work | None = item
                while left is not None and not task.finished:
                    left = task.accept(left, work(left))
            return
        try:
            _run_ahead(stream, work, others, ahead=workers + 1)
        except BrokenProcessPool as error:
            raise InputError(
                "a worker process ended from outside, most likely for want of memory; "
                "use fewer --workers or a smaller --batch-size"
            ) from error


def _wanted(task: Task[Work, Done]) -> Iterator[Work]:
    for item in task.items():
        if task.finished:
            return
        yield item


def _run_ahead(
    stream: Iterator[tuple[Task[Work, Done], Work]],
    work: Callable[[Work], Done],
    pool: ProcessPoolExecutor,
    ahead: int,
) -> None:
    pending: deque[tuple[Task[Work, Done], Work, Future[Done]]] = deque()
    while True:
        while len(pending) < ahead and (drawn := next(stream, None)) is not None:
            pending.append((*drawn, submit(pool, work, drawn[1])))
        if not pending:
            return
        task, item, future = pending.popleft()
        if task.finished:
            future.cancel()
        elif (left := task.accept(item, future.result())) is not None:
            pending.appendleft((task, left, submit(pool, work, left)))


def submit(pool: ProcessPoolExecutor, work: Callable[[Work], Done], item: Work) -> Future[Done]:
    """Hand work to `processes`.

    Raises
    ------
    InputError
        If the system has no room for another process.
    """
    with _born_deaf():  # it is submitting that starts a worker
        return pool.submit(work, item)


@contextmanager
def _born_deaf() -> Iterator[None]:
    """Hold back Ctrl-C and its like, for this process while it starts others, and for these until they end.

    Such signals reach the whole group; the parent decides.

    Raises
    ------
    InputError
        If the system has no room for what processes share.
    """
    holds = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING) if holds else set()
    try:
        yield
    except (OSError, ImportError) as error:  # no semaphores: /dev/shm is full, read-only or not there
        raise InputError(
            f"no other processes can be started here ({error}): use --workers 1, or make room in /dev/shm, "
            "where they keep their locks"
        ) from error
    finally:
        if holds:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def open_pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes that `run` may use several times; None for one worker, which needs no other process.

    Raises
    ------
    InputError
        If ``workers`` is not positive, or the system has no room for what processes share.
    """
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    if workers == 1:
        yield None
        return
    with processes(workers) as pool:
        yield pool


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that start with the first `submit`, share the cores, and end with this, whatever they do.

    Raises
    ------
    InputError
        If the system has no room for what processes share.
    """
    threads = max(1, cores() // count)
    quiet_threads(threads)
    others = set(multiprocessing.active_children())
    with _born_deaf():
        pool = ProcessPoolExecutor(
            count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(threads,),
        )
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        # Items computed ahead of a finished task may take minutes; nobody wants them any more. All files are
        # written in one step, and a worker that somebody stopped would never notice a milder signal.
        for process in set(multiprocessing.active_children()) - others:
            process.kill()


def _start_worker(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where signals cannot be held back at birth
    threading.Thread(target=_follow_parent, daemon=True).start()
    import torch

    torch.set_num_threads(threads)


def _follow_parent() -> None:
    """End with the parent even when it was killed without a chance to say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def quiet_threads(threads: int | None = None) -> None:
    """Keep idle OpenMP threads from spinning, and limit them in processes started from here.

    Works for processes that have not loaded PyTorch yet.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
