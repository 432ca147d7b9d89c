"""What produced a result: versions, commit, command."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["DISTRIBUTIONS", "command_line", "source_commit", "versions"]

DISTRIBUTIONS = ("semphy", "torch", "sionna", "numpy", "scipy", "av", "pillow")
"""Packages that results depend on."""


def versions() -> dict[str, str | None]:
    """Versions of this project, Python and the packages that results depend on, and the source's commit.

    A package that is not installed, and the commit of a source that is not under Git, is None.
    """
    return {
        **{name: _version(name) for name in DISTRIBUTIONS},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "commit": source_commit(),
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def source_commit() -> str | None:
    """Git commit that this source was checked out from, with ``+changes`` if files were edited since."""
    # An installed copy may lie inside somebody else's repository: ask whether this very file is tracked.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", ":/")
    return f"{commit}+changes" if commit and changed else commit


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def command_line() -> str:
    """Return the command that started this process, as it could be typed again."""
    program = Path(sys.argv[0])
    name = "python -m benchmarks" if program.name == "__main__.py" else program.name
    return " ".join([name, *map(shlex.quote, sys.argv[1:])])
