"""LPIPS against the paper's formula written out, and its weights against the published layout."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from semantic.metrics import lpips
from semantic.metrics.lpips import BACKBONES, LPIPS, Net
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.weights import Checkpoint

# Shapes of ``features`` in torchvision's alexnet and vgg16.
LAYOUT: dict[Net, dict[int, tuple[int, int, int, int]]] = {
    "alex": {
        0: (64, 3, 11, 11),
        3: (192, 64, 5, 5),
        6: (384, 192, 3, 3),
        8: (256, 384, 3, 3),
        10: (256, 256, 3, 3),
    },
    "vgg": {
        0: (64, 3, 3, 3),
        2: (64, 64, 3, 3),
        5: (128, 64, 3, 3),
        7: (128, 128, 3, 3),
        10: (256, 128, 3, 3),
        12: (256, 256, 3, 3),
        14: (256, 256, 3, 3),
        17: (512, 256, 3, 3),
        19: (512, 512, 3, 3),
        21: (512, 512, 3, 3),
        24: (512, 512, 3, 3),
        26: (512, 512, 3, 3),
        28: (512, 512, 3, 3),
    },
}
# Sums of the tensors in the authors' lpips/weights/v0.1/{alex,vgg}.pth.
HEAD_SUMS: dict[Net, list[float]] = {
    "alex": [2.349532, 16.143028, 39.268440, 27.197178, 20.317176],
    "vgg": [6.925992, 8.858335, 17.515005, 51.521324, 47.034851],
}
HEAD_CHANNELS: dict[Net, list[int]] = {"alex": [64, 192, 384, 256, 256], "vgg": [64, 128, 256, 512, 512]}
NETS: tuple[Net, Net] = ("alex", "vgg")

State = dict[str, torch.Tensor]


def random_backbone(net: Net) -> State:
    """Seeded weights at He's scale, so that all activations are alive, with a classifier to be ignored."""
    generator = torch.Generator().manual_seed(7)
    state = {"classifier.6.bias": torch.zeros(1000)}
    for index, shape in LAYOUT[net].items():
        scale = float(np.sqrt(2 / np.prod(shape[1:])))
        state[f"features.{index}.weight"] = torch.randn(shape, generator=generator) * scale
        state[f"features.{index}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return state


@pytest.fixture(scope="module", params=NETS)
def case(request: pytest.FixtureRequest) -> tuple[LPIPS, State]:
    state = random_backbone(request.param)
    return LPIPS(request.param, state), state


def pictures(count: int, height: int = 64, width: int = 80) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count)) * 2 - 1


def activations(net: Net, state: State, x: torch.Tensor) -> list[torch.Tensor]:
    """The five activations, layer by layer in plain function calls."""

    def conv(values: torch.Tensor, index: int, stride: int, padding: int) -> torch.Tensor:
        w, b = state[f"features.{index}.weight"].double(), state[f"features.{index}.bias"].double()
        return F.relu(F.conv2d(values, w, b, stride=stride, padding=padding))

    if net == "alex":
        a1 = conv(x, 0, 4, 2)
        a2 = conv(F.max_pool2d(a1, 3, 2), 3, 1, 2)
        a3 = conv(F.max_pool2d(a2, 3, 2), 6, 1, 1)
        a4 = conv(a3, 8, 1, 1)
        return [a1, a2, a3, a4, conv(a4, 10, 1, 1)]
    taps = []
    for block in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
        x = F.max_pool2d(x, 2) if taps else x
        for index in block:
            x = conv(x, index, 1, 1)
        taps.append(x)
    return taps


def reference_distance(net: Net, state: State, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Equation 1 of Zhang et al. 2018 in double precision."""
    heads = load_file(Path(lpips.__file__).parent / "lpips_heads" / f"{net}.safetensors")
    shift = torch.tensor([-0.030, -0.088, -0.188]).double()[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450]).double()[:, None, None]
    total = torch.zeros(a.shape[0]).double()
    features = [activations(net, state, (x.double() - shift) / scale) for x in (a, b)]
    for index, (fa, fb) in enumerate(zip(*features, strict=True)):
        ya, yb = (f / (f.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for f in (fa, fb))
        w = heads[f"lin{index}"].double()[:, None, None]
        total += (w * (ya - yb) ** 2).sum(1).mean((1, 2))
    return total


@pytest.mark.slow
def test_distance_is_the_papers_formula(case: tuple[LPIPS, State]) -> None:
    metric, state = case
    a, b = pictures(2), pictures(3)[:2]
    expected = reference_distance(metric.net, state, a, b)
    assert expected.min() > 0.01
    torch.testing.assert_close(metric(a, b).double(), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(metric(a, a), torch.zeros(2))


def test_eight_bit_pictures_map_to_minus_one_and_one(case: tuple[LPIPS, State]) -> None:
    metric, state = case
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 256, (2, 40, 48, 3), dtype=np.uint8)
    x[0, 0], x[0, 1] = 0, 255
    a, b = (torch.from_numpy(p).permute(2, 0, 1)[None].double() / 255 * 2 - 1 for p in (x, y))
    expected = float(reference_distance(metric.net, state, a, b))
    assert metric.distance(x, y) == pytest.approx(expected, rel=1e-4)
    assert metric.distance(x, x) == 0.0


def test_features_are_numbered_and_shaped_as_in_torchvision(case: tuple[LPIPS, State]) -> None:
    metric, state = case
    own = {f"features.{key}": value for key, value in metric.features.state_dict().items()}
    assert own.keys() == {key for key in state if key.startswith("features.")}
    shapes = {f"features.{index}.weight": shape for index, shape in LAYOUT[metric.net].items()}
    assert {key: tuple(value.shape) for key, value in own.items() if value.ndim == 4} == shapes
    assert all(torch.equal(value, state[key]) for key, value in own.items())
    assert not any(parameter.requires_grad for parameter in metric.parameters())


def test_heads_are_the_published_ones(case: tuple[LPIPS, State]) -> None:
    metric, _ = case
    assert [tuple(head.shape) for head in metric.heads] == [(c,) for c in HEAD_CHANNELS[metric.net]]
    np.testing.assert_allclose([float(head.sum()) for head in metric.heads], HEAD_SUMS[metric.net], rtol=1e-6)
    assert all(float(head.min()) >= 0 for head in metric.heads)


def test_gradients_reach_the_picture_even_where_features_vanish(case: tuple[LPIPS, State]) -> None:
    metric, _ = case
    image = pictures(1).requires_grad_()
    metric(torch.zeros(1, 3, 64, 80), image).sum().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize(("net", "side"), [("alex", 31), ("vgg", 16)])
def test_the_smallest_pictures(net: Net, side: int) -> None:
    metric = LPIPS(net, random_backbone(net))
    assert metric(pictures(1, side, side), pictures(2, side, side)[:1]).shape == (1,)
    with pytest.raises(ValueError, match=rf"{side} pixels or more, got \[1, 3, {side - 1}, 64\]"):
        metric(pictures(1, side - 1, 64), pictures(1, side - 1, 64))


def test_shapes_that_do_not_fit_are_quoted(case: tuple[LPIPS, State]) -> None:
    metric, _ = case
    with pytest.raises(ValueError, match=r"\[2, 3, 64, 80\] and \[1, 3, 64, 80\]"):
        metric(pictures(2), pictures(1))
    with pytest.raises(ValueError, match=r"\[64, 64, 3\] of uint8 and \[64, 65, 3\] of uint8"):
        metric.distance(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65, 3), np.uint8))


def test_weights_of_another_net_are_refused() -> None:
    with pytest.raises(ValueError, match="not torchvision's backbone for LPIPS-vgg"):
        LPIPS("vgg", random_backbone("alex"))
    with pytest.raises(ValueError, match="alex and vgg, got 'squeeze'"):
        lpips.load("squeeze")  # type: ignore[arg-type]


# Checkpoints on disk. -------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PyTorch's checkpoint directory, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def published(folder: Path, state: State) -> Checkpoint:
    """Write a checkpoint as if it were the published one of AlexNet."""
    file = folder / "source.pth"
    torch.save(state, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Checkpoint(BACKBONES["alex"].file, file.as_uri(), digest, file.stat().st_size, "lpips-alex")


@pytest.mark.parametrize("net", NETS)
def test_missing_backbone_names_the_command(hub: Path, net: Net) -> None:
    with pytest.raises(WeightsMissing, match=rf"{hub}.*semphy fetch lpips-{net}$"):
        lpips.load(net)
    with pytest.raises(WeightsMissing, match=r"nowhere\.pth"):
        lpips.load(net, "nowhere.pth")


def test_pinned_digests_begin_as_the_file_names_say() -> None:
    for checkpoint in BACKBONES.values():
        assert len(checkpoint.sha256) == 64
        assert checkpoint.sha256[:8] in checkpoint.file
        assert checkpoint.url == f"https://download.pytorch.org/models/{checkpoint.file}"


def test_fetched_backbone_is_loaded_from_the_checkpoint_directory(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = random_backbone("alex")
    checkpoint = published(tmp_path, state)
    monkeypatch.setitem(BACKBONES, "alex", checkpoint)
    assert checkpoint.fetch() == hub / "alexnet-owt-7be5be79.pth"
    a, b = pictures(1), pictures(2)[:1]
    direct = LPIPS("alex", state)(a, b)
    assert torch.equal(lpips.load("alex")(a, b), direct)
    assert torch.equal(lpips.load("alex", tmp_path / "source.pth")(a, b), direct)
    before = (hub / checkpoint.file).stat().st_mtime_ns
    BACKBONES["alex"].fetch()
    assert (hub / checkpoint.file).stat().st_mtime_ns == before


def test_a_file_with_another_digest_is_not_opened(hub: Path, tmp_path: Path) -> None:
    file = hub / BACKBONES["alex"].file
    file.write_bytes(b"not weights at all")
    digest = hashlib.sha256(b"not weights at all").hexdigest()
    with pytest.raises(ValueError, match=rf"{digest}, not 7be5be79.*semphy fetch lpips-alex"):
        lpips.load("alex")


def test_a_damaged_download_is_not_kept(hub: Path, tmp_path: Path) -> None:
    right = published(tmp_path, {"features.0.bias": torch.zeros(64)})
    wrong = Checkpoint(right.file, right.url, "0" * 64, right.size_bytes, right.fetched_as)
    with pytest.raises(ValueError, match="is not what it was: invalid hash"):
        wrong.fetch()
    assert [file.name for file in hub.iterdir() if file.suffix != ".lock"] == []
