"""What settings ask for and this machine lacks is said at once, in one line with one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.machine import fetching
from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.needs import lacking, lacking_of

Run = Callable[..., tuple[int, str, str]]
MODELS = [
    *("models:llava-interleave-qwen-0.5b", "models:fcn-resnet50", "models:bart-spelling"),
    *("models:stable-diffusion-1.5", "models:ip-adapter-sd15", "models:blip-base"),
]
NETWORKS = ["lpips-alex", "st-lpips", "models:clip-vit-b32"]


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("TORCH_HOME", "SEMPHY_DATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def test_a_preset_is_all_that_its_settings_ask_for() -> None:
    things = fetching.plan(["preset:multi-sc-photographs"])
    assert [thing.fetched_as for thing in things] == [*MODELS, *NETWORKS, "kodak24"]
    assert [thing.fetched_as for thing in fetching.plan(["preset:kodak"])] == ["kodak24"]
    captioners = ["models:llava-interleave-qwen-0.5b", "models:llava-1.5-7b"]
    assert [thing.fetched_as for thing in fetching.plan(["preset:table-1"])] == captioners
    assert fetching.plan(["preset:demo-scenes"]) == []  # all bundled
    with pytest.raises(ValueError, match="'beauty' is neither a file nor a preset; presets are"):
        fetching.plan(["preset:beauty"])


def test_what_is_here_or_of_ones_own_is_not_asked_for(empty: Path) -> None:
    for number in range(1, 25):
        file = empty / "SEMPHY_DATA/kodak24" / f"kodim{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    settings = {"systems": ["single-text"], "images": "kodak24", "metrics": ["psnr", "dists"]}
    own = f"hub,captioner={empty},segmenter=tiny-segmenter,corrector=none"
    things = lacking_of({**settings, "models": own, "options": {"single-text": {"slice": "none"}}})
    assert [thing.fetched_as for thing in things] == ["models:stable-diffusion-1.5", "lpips-vgg"]


def test_nothing_is_lacking_where_all_is_bundled() -> None:
    assert lacking(CompareSpec(systems="multi-sc,bpg-ldpc", snr=3, images="scenes")) == []


def test_a_comparison_says_all_that_it_lacks(run: Run) -> None:
    status, out, err = run("compare", "--config", "multi-sc-photographs", "--images", "voc2012:eval")
    assert (status, out) == (2, "") and err.count("\n") == 1
    wanted = [*MODELS, *NETWORKS, "voc2012"]
    assert err.endswith(f"are missing on this machine; get them with: semphy fetch {' '.join(wanted)}\n")
    assert "models:stable-diffusion-1.5 (2.13 GB, licence creativeml-openrail-m)" in err
    status, out, err = run("compare", "--systems", "vlm-csc", "--models", "hub", "--snr", "3")
    assert status == 2 and err.endswith("semphy fetch models:blip-base models:stable-diffusion-1.5\n")


def test_a_metric_alone_is_one_line_too(run: Run) -> None:
    arguments = ("--systems", "bpg-ldpc", "--snr", "3", "--schemes", "1/2-qpsk", "--image-size", "32")
    status, _, err = run("compare", *arguments, "--metrics", "st-lpips-alex")
    assert status == 2 and err.count("\n") == 1 and err.endswith("get it with: semphy fetch st-lpips\n")
    status, _, err = run("compare", *arguments, "--images", "kodak24")
    assert status == 2 and "semphy fetch kodak24 (15 MB), or give a folder" in err
