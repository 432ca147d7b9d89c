"""A Python file of the user's own: what it consists of, and running it as exactly that.

It is known by what it runs and reads, never by its own name, place or date:

- the bytes of its source;
- the bytes of every module that it imports, at the top or anywhere else, and that these import, apart from
  the standard library, installed packages and this project. They are looked for beside the file first, then
  where Python looks. A package counts with all modules in it;
- the files that the sources, the object made from them and its options name (`bridge.named`).

What runs is what was read: sources are compiled from the bytes that were counted, not taken from
``__pycache__`` or from what the process imported before. Modules beside the file can be imported while it
runs, so at its top; afterwards the process finds its own again.
"""

from __future__ import annotations

import ast
import importlib
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from bridge.named import attributes, by_content, named, texts
from semantic.zoo.digests import digest_of

__all__ = ["OwnCode"]

_OURS = frozenset({"benchmarks", "bridge", "phy", "semantic", "semphy"})
_INSTALLED = frozenset({"dist-packages", "site-packages"})


@dataclass(frozen=True)
class OwnCode:
    """A file and the modules that it imports.

    Attributes
    ----------
    path:
        The file.
    sources:
        Place and bytes of each module by its dotted name; the file itself has the empty one, and a folder
        that is a package without a source no bytes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "mine.py")
    ...     _ = file.write_text("class Mine: gain = 2.0")
    ...     own = OwnCode.read(file)
    ...     _ = file.write_text("class Mine: gain = 3.0")
    ...     own.take("Mine").gain, OwnCode.read(file).take("Mine").gain  # what runs is what was read
    (2.0, 3.0)
    """

    path: Path
    sources: Mapping[str, tuple[Path, bytes]]

    @classmethod
    def read(cls, path: str | Path) -> OwnCode:
        """Read a file and what it imports, without running any of it.

        Raises
        ------
        ValueError
            If there is no such file, it or a module cannot be read, or its name does not end in ``.py``.
        """
        path = Path(path).expanduser()
        if not path.is_file():
            raise ValueError(f"there is no file {str(path)!r}")
        if path.suffix != ".py":
            raise ValueError(f"{str(path)!r} is no Python file: its name must end in .py")
        importlib.invalidate_caches()
        sources = {"": (path, _read(path))}
        wanted, known = _imported(sources[""][1]), set[str]()
        while wanted - known:
            name = min(wanted - known)
            known.add(name)
            for title, file in _modules(name, path.parent):
                sources[title] = file, b"" if file.is_dir() else _read(file)
                wanted |= _imported(sources[title][1])
        return cls(path, sources)

    def take(self, name: str) -> Any:
        """Run the file and return what it calls ``name``.

        Raises
        ------
        ValueError
            If it cannot be run, or has nothing of that name.
        """
        module = self.load()
        if not hasattr(module, name):
            raise ValueError(f"{str(self.path)!r} has no {name!r}")
        return getattr(module, name)

    def load(self) -> ModuleType:
        """Run the file as a module, once a process for each state of it and of the files that it names.

        Raises
        ------
        ValueError
            If it raises something; quotes it.
        """
        title = f"own_{digest_of(str(self.path.resolve()), self._digest)}"
        known = sys.modules.get(title)
        if known is not None and vars(known).get("__files__") == self._files(known):
            return known
        finder = _Finder({**self.sources, title: self.sources[""]})
        with _importable(finder, [name for name in self.sources if name]):
            module = finder.run(title)
            vars(module)["__modules__"] = [sys.modules[name] for name in self.sources if name in sys.modules]
        vars(module)["__files__"] = self._files(module)
        return module

    def identity(self, name: str, made: object = None, options: Mapping[str, Any] | None = None) -> str:
        """Digest of all that determines what an object of this file computes, 16 hexadecimal digits.

        Parameters
        ----------
        name:
            What the file calls the object, or the class that made it.
        made:
            The object, whose attributes may name files.
        options:
            What it was made with.
        """
        folder = self.path.parent
        files = self._files(self.load()) | named(self.attributes(made), folder)
        told = by_content(dict(options or {}), folder)
        return digest_of(self._digest, name, repr(sorted(files.items())), repr(told))

    def attributes(self, made: object) -> dict[str, Any]:
        """Attributes of an object and of its classes, but for those that come from this project's."""
        return attributes(made, _OURS)

    @cached_property
    def _digest(self) -> str:
        """Of the sources, without the files that they name."""
        return digest_of(*(part for name in sorted(self.sources) for part in (name, self.sources[name][1])))

    def _files(self, module: ModuleType) -> dict[str, str]:
        """Files that the sources, and the variables of the modules they became, name."""
        values: dict[str, Any] = {}
        for _, content in self.sources.values():
            values |= {repr(text): text for text in texts(content)}
        for index, each in enumerate((module, *vars(module).get("__modules__", ()))):
            title = each.__name__ if index else ""
            values |= {f"{title}.{name}": value for name, value in vars(each).items() if name[:2] != "__"}
        return named(values, self.path.parent)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error


def _imported(source: bytes) -> set[str]:
    """First names of the modules that a source imports anywhere in it, where they may be the user's."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):  # what cannot be parsed says so when it is run
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - _OURS


def _modules(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """A module of the user's, or all of a package, by dotted names; a folder without a source as it is."""
    spec = _find(name, folder)
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        yield name, Path(str(spec.origin))
    for place in spec.submodule_search_locations or ():
        root = Path(place)
        for file in sorted(root.rglob("*.py")):
            *inside, stem = file.relative_to(root).with_suffix("").parts
            if all(part.isidentifier() for part in (*inside, stem)):
                yield ".".join((name, *inside, *([stem] if stem != "__init__" else []))), file
                for depth in range(len(inside) + 1):
                    package = root.joinpath(*inside[:depth])
                    if not (package / "__init__.py").is_file():
                        yield ".".join((name, *inside[:depth])), package


def _find(name: str, folder: Path) -> ModuleSpec | None:
    """Where the user's module of this name lies; None if it is installed, or nowhere."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    found = [PathFinder.find_spec(name, [str(folder)]), *(finder.find_spec(name, None) for finder in finders)]
    specs = [spec for spec in found if spec is not None]
    # As Python has it, a folder that may just hold data gives way to every module of its name.
    spec = next((spec for spec in specs if spec.origin), specs[0] if specs else None)
    if spec is None:
        return None
    place = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
    standard = place.is_relative_to(sysconfig.get_path("stdlib")) or not place.exists()
    return None if standard or _INSTALLED & set(place.parts) else spec


class _Finder(MetaPathFinder, Loader):
    """Imports what was read, as it was read."""

    def __init__(self, sources: Mapping[str, tuple[Path, bytes]]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.sources:
            return None
        file, _ = self.sources[fullname]
        if file.is_dir():
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(file)]
            return spec
        if file.suffix != ".py":  # a compiled extension
            return spec_from_file_location(fullname, file)
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return spec_from_file_location(fullname, file, loader=self, submodule_search_locations=inside)

    def exec_module(self, module: ModuleType) -> None:
        file, content = self.sources[module.__name__]
        exec(compile(content, str(file), "exec", dont_inherit=True), vars(module))

    def run(self, title: str) -> ModuleType:
        """Make a module and run it, or raise ValueError."""
        file, _ = self.sources[title]
        spec = spec_from_file_location(title, file, loader=self)
        if spec is None:
            raise ValueError(f"{str(file)!r} is no Python file")
        module = sys.modules[title] = module_from_spec(spec)  # dataclasses look for their module there
        try:
            self.exec_module(module)
        except BaseException as error:
            del sys.modules[title]
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ValueError(f"{str(file)!r} cannot be imported: {type(error).__name__}: {error}") from error
        return module


@contextmanager
def _importable(finder: _Finder, names: Collection[str]) -> Iterator[None]:
    """Let modules be imported anew from a finder; afterwards the process has those that it had."""
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(kept)
