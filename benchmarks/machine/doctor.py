"""What works on this machine, what to type if it does not, and what there is to choose from."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

__all__ = ["Check", "examine"]


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes
    ----------
    name:
        What was looked at.
    works:
        Whether it can be used.
    needed:
        Whether semphy as a whole does not work without it.
    detail:
        What was found.
    cure:
        What to type if it does not work; empty if it does.
    """

    name: str
    works: bool
    needed: bool
    detail: str
    cure: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as ``--json`` prints it."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the finding as lines."""
        mark = "ok  " if self.works else "FAIL" if self.needed else "no  "
        line = f"{mark}  {self.name:<33} {self.detail}"
        return line if self.works else f"{line}\n{'':<40}-> {self.cure}"


def examine() -> list[Check]:
    """Look at everything that a command of semphy may need; imports what it looks at."""
    return list(_examine())


def _examine() -> Iterator[Check]:
    version = platform.python_version()
    yield Check(
        "python",
        sys.version_info >= (3, 11),
        True,
        f"{version} on {platform.machine()}",
        "install Python 3.11 or 3.12",
    )
    yield _probe("torch", True, "pip install 'torch>=2.9.1,<2.14'", _torch)
    yield _probe("sionna", True, "pip install 'sionna>=2.2,<3'", _sionna)
    yield _probe(
        "compiled engine",
        False,
        "pip install 'numba>=0.61'; if its cache cannot be written, set NUMBA_CACHE_DIR to a folder of yours",
        _compiled,
    )
    yield _probe("av (PyAV)", True, "pip install 'av>=16'", _av)
    yield _probe(
        "pillow",
        True,
        "pip install 'pillow>=12'",
        lambda: (
            f"{_version('pillow')} with JPEG, JPEG 2000 and WebP"
            if _pillow("jpg", "jpg_2000", "webp")
            else ""
        ),
    )
    yield _probe(
        "avif",
        False,
        "pip install 'pillow>=12' (its wheels read and write AVIF)",
        lambda: "through Pillow" if _pillow("avif") else "",
    )
    yield _probe(
        "heif",
        False,
        "pip install pillow-heif",
        lambda: f"pillow-heif {_imported('pillow_heif', 'pillow-heif')}",
    )
    for name in ("transformers", "diffusers"):
        yield _installed(name, f"pip install {name}", "models")
    yield _torchvision()
    yield _installed("tensorflow", "pip install 'semphy[tensorflow]'", "its tensors through bridge.interop")
    yield _installed("jax", "pip install 'semphy[jax]'", "its arrays through bridge.interop")
    yield from _bpg_tools()
    yield from _networks_of_metrics()
    yield from _models()
    yield from _data_sets()


def _probe(name: str, needed: bool, cure: str, find: Callable[[], str]) -> Check:
    """Call a finder: it returns the detail, or raises or returns nothing when the thing does not work."""
    try:
        detail = find()
    except Exception as error:  # whatever a broken installation raises is what is to be shown
        return Check(name, False, needed, _short(error), cure)
    return Check(name, bool(detail), needed, detail or "not in this installation", "" if detail else cure)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}"


def _version(distribution: str) -> str:
    return metadata.version(distribution)


def _imported(module: str, distribution: str) -> str:
    importlib.import_module(module)
    return _version(distribution)


def _torch() -> str:
    import torch

    from benchmarks.runs.sweep import cores

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    return f"{torch.__version__}, {torch.get_num_threads()} threads on {cores()} cores, {device}"


def _sionna() -> str:
    from sionna.phy.fec.ldpc import LDPC5GEncoder

    LDPC5GEncoder(64, 128)  # reads the tables of the base graphs
    return _version("sionna")


def _compiled() -> str:
    """Send a block through the default chain: the first call of all compiles, later ones load from disk."""
    import numba
    from numba.core import event

    from phy.chain.chain import ChainCode, CompiledChain
    from phy.channels.flat import AWGN
    from phy.coding.ldpc.ldpc5g import LDPC5G
    from phy.coding.propagation.lanes import decode_frames
    from phy.modulation import Modulation
    from phy.random import Stream
    from phy.units import EsN0

    chain = CompiledChain(ChainCode.of(LDPC5G(64, 128)), Modulation("bpsk"), AWGN())
    start = time.perf_counter()
    with event.install_recorder("numba:compile") as recorder:  # silent where the cache has the function
        chain.count(Stream(0), EsN0(0.0), 0, 1)
    seconds = time.perf_counter() - start
    how = "compiled and now" if recorder.buffer else "already compiled and"
    folder = decode_frames.stats.cache_path
    return f"numba {numba.__version__}; first call took {seconds:.1f} s, {how} cached in {folder}"


def _av() -> str:
    import av

    av.CodecContext.create("libx265", "w")
    av.CodecContext.create("hevc", "r")
    return f"{av.__version__} with libx265 and the HEVC decoder (BPG)"


def _pillow(*features: str) -> bool:
    from PIL import features as pillow

    return all(pillow.check(feature) for feature in features)


def _torchvision() -> Check:
    """Nothing here needs it, but model libraries that find a broken one fail where none would do."""
    from semantic.zoo.presets import torchvision_state

    state = torchvision_state()
    if not state.startswith("broken"):
        found = "not installed" if state == "absent" else _version("torchvision")
        return Check("torchvision", True, False, f"{found}, not needed")
    detail, _, cure = state.removeprefix("broken: ").rpartition("; ")
    return Check("torchvision", False, False, detail, cure)


def _bpg_tools() -> Iterator[Check]:
    for tool in ("bpgenc", "bpgdec"):
        path = shutil.which(tool)
        yield Check(
            tool,
            path is not None,
            False,
            path or "not on the PATH; only a cross-check of our BPG files uses it",
            "" if path else "build libbpg 0.9.8 (https://bellard.org/bpg)",
        )


def _networks_of_metrics() -> Iterator[Check]:
    from semantic.metrics.lpips import BACKBONES
    from semantic.metrics.stlpips import NETWORKS
    from semantic.zoo.published import Published

    published: list[Published] = [*BACKBONES.values(), NETWORKS]
    for networks in published:
        name, size = networks.fetched_as, f"{networks.size_bytes / 2**20:.0f} MiB"
        if networks.is_here:
            yield Check(name, True, False, f"{size}, licence {networks.licence}")
        else:
            detail = f"weights are not on this machine ({size})"
            yield Check(name, False, False, detail, f"semphy fetch {name}")


def _installed(name: str, cure: str, purpose: str) -> Check:
    """Look whether a package is there without importing it, which takes some of them many seconds."""
    if importlib.util.find_spec(name) is None:
        return Check(name, False, False, f"not installed ({purpose})", cure)
    try:
        version = _version(name)
    except metadata.PackageNotFoundError:  # such as tensorflow-cpu
        version = "installed"
    return Check(name, True, False, f"{version} ({purpose})")


def _models() -> Iterator[Check]:
    from semantic.zoo.presets import PRESETS, cached

    here = cached()
    for preset in PRESETS.values():
        size = f"{preset.size_bytes / 1e9:.2f} GB, " if preset.size_bytes else ""
        about = f"{preset.role}, {size}{preset.licence}"
        works = preset in here
        detail = about if works else f"not on this machine: {about}"
        yield Check(f"models:{preset.name}", works, False, detail, "" if works else preset.command)


def _data_sets() -> Iterator[Check]:
    from semantic.samples.downloads import DATA_SETS, data_directory

    for found in DATA_SETS.values():
        if found.place is not None:
            yield Check(found.name, True, False, str(found.place))
        else:
            detail = (
                f"not, or not wholly, in {data_directory() / found.name} ({found.size_bytes / 1e9:.2f} GB)"
            )
            yield Check(found.name, False, False, detail, f"semphy fetch {found.name}")
