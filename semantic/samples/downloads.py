"""Data sets by name: where they are published, under what licence, and how they come to this machine.

They lie in the user's data directory, ``SEMPHY_DATA`` or else ``~/.local/share/semphy``, a folder each; what
was fetched into the latter is found in any case. While one is on its way it is called ``NAME.partial``, and
one process alone works on it; a download that broke off goes on where it stopped, if the server has the same
file. The table is ``semantic/data/downloads.toml``.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tarfile
import tomllib
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as resources
from pathlib import Path

from semantic.files import locked, write_text
from semantic.zoo.published import Report

__all__ = ["DATA_SETS", "DataSet", "RemoteFile", "Subset", "data_directories", "data_directory"]

_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_NOT_UNPACKED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError),
    *(RuntimeError, NotImplementedError),  # the module's words for an encrypted zip, and for a rare method
)


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set; archives (tar, zip) are unpacked and not kept.

    Attributes
    ----------
    url:
        Where it is published; its last part is the file's name.
    size_bytes:
        To the byte where ``sha256`` is given; otherwise about.
    sha256:
        Its digest, or empty where none is known. The size that the server states is checked in any case.
    """

    url: str
    size_bytes: int
    sha256: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Subset:
    """Pictures of a data set that are taken together.

    Attributes
    ----------
    names:
        Of their files, without suffix.
    alone:
        Pattern of the same files in the data directory, where they lie without the rest of the data set.
    """

    names: tuple[str, ...]
    alone: str


@dataclass(frozen=True)
class DataSet:
    """One published data set.

    Attributes
    ----------
    name:
        Of its folder, and what ``semphy fetch`` calls it.
    licence:
        As stated where it is published.
    purpose:
        One line on what it is.
    files:
        What to download.
    counts:
        How many files match each pattern when it is complete.
    pictures:
        Pattern of its pictures.
    parts:
        Some of its pictures by name, behind a colon: ``voc2012:eval``.
    """

    name: str
    licence: str
    purpose: str
    files: tuple[RemoteFile, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    pictures: str = ""
    parts: Mapping[str, Subset] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """What the download amounts to, about."""
        return sum(file.size_bytes for file in self.files)

    @property
    def fetched_as(self) -> str:
        """What ``semphy fetch`` calls it."""
        return self.name

    @property
    def checked(self) -> str:
        """How it is known to be what it should be."""
        if all(file.sha256 for file in self.files):
            return "SHA-256 pinned"
        return "checked by size and number of files, no SHA-256 is known"

    @property
    def placed_by(self) -> str:
        """Variable of the environment that says where it is to lie."""
        return "SEMPHY_DATA"

    @property
    def is_here(self) -> bool:
        """Whether a data directory holds all of it, by the number of its files."""
        return self.place is not None

    @property
    def place(self) -> Path | None:
        """Its folder, if a data directory holds all of it."""
        folders = (directory / self.name for directory in data_directories())
        return next((folder for folder in folders if not self.missing(folder)), None)

    def missing(self, folder: Path) -> list[str]:
        """What a folder lacks to be the whole of it, in words."""
        found = {pattern: sum(1 for _ in folder.glob(pattern)) for pattern in self.counts}
        return [
            f"{found[pattern]} of {count} {pattern}"
            for pattern, count in self.counts.items()
            if found[pattern] != count
        ]

    def fetch(self, report: Report | None = None) -> Path:
        """Download it unless it is here, and return its folder: see `Published`.

        Raises
        ------
        OSError
            If there is no connection, or it broke off; what came is kept for the next call.
        ValueError
            If what came is not what was published, or something else lies in the folder.
        """
        if self.place is not None:
            return self.place
        folder = data_directory() / self.name

        def wait() -> None:
            if report is not None:
                report("waiting for another process", 0, self.size_bytes)

        with locked(folder, wait):
            return _fetch(self, folder, report)


def _read_table() -> dict[str, DataSet]:
    text = resources("semantic").joinpath("data", "downloads.toml").read_text(encoding="utf-8")
    sets = [
        DataSet(
            entry["name"],
            entry["licence"],
            entry["purpose"],
            tuple(RemoteFile(**file) for file in entry["file"]),
            entry["counts"],
            entry["pictures"],
            {name: _subset(**part) for name, part in entry.get("parts", {}).items()},
        )
        for entry in tomllib.loads(text)["set"]
    ]
    return {found.name: found for found in sets}


def _subset(list: str, alone: str) -> Subset:  # the table's own words
    names = resources("semantic").joinpath("data", list).read_text(encoding="utf-8").split()
    return Subset(tuple(names), alone)


DATA_SETS = _read_table()
"""All data sets by name."""


def data_directory() -> Path:
    """``SEMPHY_DATA``, or else ``~/.local/share/semphy``."""
    return data_directories()[0]


def data_directories() -> list[Path]:
    """Where data sets are looked for: ``SEMPHY_DATA`` if it is set, and ``~/.local/share/semphy``."""
    own = os.environ.get("SEMPHY_DATA")
    return [*([Path(own)] if own else []), Path.home() / ".local" / "share" / "semphy"]


def _fetch(data_set: DataSet, folder: Path, report: Report | None) -> Path:
    """Fetch it while nobody else does, unless somebody has just done so."""
    if not data_set.missing(folder):
        return folder
    if folder.exists():
        raise ValueError(
            f"{folder} holds something else than the whole of {data_set.name} "
            f"({'; '.join(data_set.missing(folder))}): move it away, or set SEMPHY_DATA to another folder"
        )
    partial = folder.with_name(f"{data_set.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    for file in data_set.files:
        _bring(file, partial, report)
    missing = data_set.missing(partial)
    if missing:
        raise ValueError(
            f"{data_set.name} came incomplete: {'; '.join(missing)} in {partial}; delete that to begin anew"
        )
    for pattern in (".*.done", ".*.version"):
        for mark in partial.glob(pattern):
            mark.unlink()
    return partial.rename(folder)


def _bring(file: RemoteFile, folder: Path, report: Report | None) -> None:
    """Download, check and unpack a file, unless a former call did."""
    done, target = folder / f".{file.name}.done", folder / file.name
    if done.exists():
        return
    if not target.exists():
        coming = folder / f"{file.name}.part"
        _download(file, coming, report)
        _check(file, coming)
        coming.rename(target)
    if target.suffix in (".tar", ".zip"):
        _unpack(target, folder)
        target.unlink()
    done.touch()


def _download(file: RemoteFile, target: Path, report: Report | None) -> None:
    """Append to ``target`` what it lacks, or begin anew where that may be of another version."""
    have = target.stat().st_size if target.exists() else 0
    mark = target.with_name(f".{file.name}.version")
    version = mark.read_text(encoding="utf-8") if mark.is_file() else ""
    if not version and not file.sha256:  # nothing would tell that two versions were glued together
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and version:
        headers["If-Range"] = version
    request = urllib.request.Request(file.url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            if answer.status != http.client.PARTIAL_CONTENT:  # the server sends it from the beginning
                have = 0
                write_text(mark, _version(answer))
            elif version and _version(answer) not in ("", version):  # a server that does not know If-Range
                target.unlink()
                _download(file, target, report)
                return
            total = have + int(answer.headers.get("Content-Length") or file.size_bytes - have)
            with target.open("ab" if have else "wb") as stream:
                while chunk := answer.read(_CHUNK):
                    stream.write(chunk)
                    have += len(chunk)
                    if report is not None:
                        report(file.name, have, total)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise OSError(f"{file.url} was refused: {error}") from error
        if error.headers.get("Content-Range", f"*/{have}").rpartition("/")[2] != str(have):
            target.unlink()  # it is longer than what the server has: another version
            _download(file, target, report)
        return  # nothing is lacking; whether it is the right thing is checked next
    except (OSError, http.client.HTTPException) as error:
        raise OSError(f"the download of {file.url} failed after {have} bytes: {error}") from error
    if have < total:
        raise OSError(
            f"the download of {file.url} broke off after {have} of {total} bytes; the same command goes on"
        )


def _version(answer: http.client.HTTPResponse) -> str:
    """What tells a version of a file from others, as ``If-Range`` takes it; empty if nothing does."""
    tag = answer.headers.get("ETag") or ""
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified") or ""


def _check(file: RemoteFile, path: Path) -> None:
    """Delete what is not the pinned file, so that the next call begins anew."""
    if not file.sha256:
        return
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        path.unlink()
        raise ValueError(f"{file.url} is not what it was: its SHA-256 is {digest}, not {file.sha256}")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack, without what macOS adds to archives.

    Raises
    ------
    ValueError
        If the archive is damaged or encrypted, or reaches out of its folder; it is deleted then.
    """
    try:
        if archive.suffix == ".tar":
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        else:
            with zipfile.ZipFile(archive) as packed:
                wanted = [name for name in packed.namelist() if not name.startswith("__MACOSX")]
                packed.extractall(folder, wanted)  # checks the digests in it; drops ".." from names
    except _NOT_UNPACKED as error:
        archive.unlink()
        raise ValueError(f"{archive.name} cannot be unpacked: {error}") from error
