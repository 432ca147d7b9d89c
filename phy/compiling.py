"""Functions compiled by Numba, whose machine code one process keeps for the next.

Numba keeps the code of a function as long as the function's own file stays as it is. Kernels here inline one
another across files, so code would outlive a change of what it was made from, and count wrongly in silence.
Here code belongs to the state of all sources of this room together. It lies in ``NUMBA_CACHE_DIR``, or else
in the user's cache folder, so that it outlives an installation, too; where neither can be written to, every
process compiles anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.runtime.nrt import rtsys

__all__ = ["cache_folder", "compiled", "inlined"]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that releases Python's lock.

    Examples
    --------
    >>> @compiled
    ... def half(x):
    ...     return x / 2
    >>> half(3.0)
    1.5
    """
    return _kept(njit(nogil=True)(function))


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function that is inlined wherever a compiled one calls it."""
    return _kept(njit(nogil=True, forceinline=True)(function))


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """Where the code of this state of the sources lies; None where nothing can be kept."""
    state = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted(root.rglob("*.py")):
        state.update(str(file.relative_to(root)).encode() + hashlib.sha256(file.read_bytes()).digest())
    places = [Path(config.CACHE_DIR)] if config.CACHE_DIR else []
    own = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):  # a container's user may have no home
        places.append(Path(own) if own else Path.home() / ".cache")
    for place in places:
        folder = place / "semphy" / state.hexdigest()[:16]
        if _writable(folder):
            return folder
    return None


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _kept(dispatcher: Any) -> Any:
    """Give a compiled function the place where its code lies, which is all that ``cache=True`` does."""
    function = dispatcher.py_func
    # What is not of this package, as in a session or a test, has no state that could be told.
    if function.__module__.partition(".")[0] == __name__.partition(".")[0] and cache_folder() is not None:
        dispatcher._cache = _Cache(function)
    return dispatcher


class _Locator(_CacheLocator):
    """Tells Numba the folder; what lies there is of this state of the sources by its name."""

    def __init__(self, function: Any, file: str) -> None:
        self._line = function.__code__.co_firstlineno
        self._module = function.__module__

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_func, py_file)

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return self._module

    def get_disambiguator(self) -> str:
        return f"{self._module}-{self._line}"


class _Implementation(CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class _Cache(FunctionCache):
    _impl_class = _Implementation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba loads all rules by which it compiles first, and SciPy with them, in a third of a second. Code
        # that is compiled needs none, only the functions for memory; compiling loads the rules by itself.
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)
