"""Digests of models: by what they are, and by nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from semantic.zoo.digests import digest_of, digest_of_file, digest_of_model, stamp

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.arange(4, dtype=torch.float16)}
CONFIG = {"architectures": ["Toy"], "width": 4, "_name_or_path": "/home/somebody/toy", "inner": {"depth": 2}}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    (folder / "unet").mkdir(parents=True)
    save_file(TENSORS, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({"c": torch.ones(3)}, folder / "unet" / "diffusion.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "merges.txt").write_text("a b\n")
    (folder / "README.md").write_text("A toy.")
    return folder


def test_the_digest_is_written_down() -> None:
    """Runs of the past are found again: whoever changes this number makes all of them strangers."""
    content = (len(b"a").to_bytes(8, "little") + b"a") + (len(b"bc").to_bytes(8, "little") + b"bc")
    assert digest_of("a", b"bc") == hashlib.sha256(content).hexdigest()[:16]
    assert digest_of("a", "bc") != digest_of("ab", "c")


def test_a_model_has_the_digest_that_it_always_had(model: Path) -> None:
    assert digest_of_model(model) == "593b7ba13bc0e2cd"


def copied(model: Path) -> Path:
    return Path(shutil.copytree(model, model.parent / "elsewhere" / "of another name"))


def carded(model: Path) -> Path:
    (model / "README.md").write_text("A toy, praised.")
    for name in (
        "loss.csv",
        "LICENSE",
        "sample.png",
        "model.safetensors.index.json",
        ".gitignore",
        "log.txt",
    ):
        (model / name).write_text("{}")
    (model / ".cache").mkdir()
    (model / ".cache" / "config.json").write_text("no JSON")
    return model


def touched(model: Path) -> Path:
    for file in model.rglob("*"):
        os.utime(file, (1, 1))
    return model


def indented(model: Path) -> Path:
    config = {**dict(reversed(CONFIG.items())), "_name_or_path": "elsewhere"}
    (model / "config.json").write_bytes(json.dumps(config, indent=2).replace("\n", "\r\n").encode())
    return model


def in_shards(model: Path) -> Path:
    (model / "model.safetensors").unlink()
    for number, name in enumerate(TENSORS, 1):
        save_file({name: TENSORS[name]}, model / f"model-0000{number}-of-00002.safetensors")
    return model


def with_another_header(model: Path) -> Path:
    save_file(TENSORS, model / "model.safetensors", metadata={"trained": "on a Monday"})
    return model


def with_a_pickle_beside(model: Path) -> Path:
    (model / "pytorch_model.bin").write_bytes(b"which nobody loads")
    return model


def by_links(model: Path) -> Path:
    folder = model.parent / "links"
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "round").symlink_to(folder)
    return folder


@pytest.mark.parametrize(
    "change",
    [copied, carded, touched, indented, in_shards, with_another_header, with_a_pickle_beside, by_links],
    ids=lambda change: change.__name__,
)
def test_what_does_not_count(model: Path, change: Callable[[Path], Path]) -> None:
    before = digest_of_model(model)
    assert digest_of_model(change(model)) == before


def tensors(**changes: torch.Tensor) -> Callable[[Path], None]:
    return lambda model: save_file({**TENSORS, **changes}, model / "model.safetensors")


def written(name: str, content: str) -> Callable[[Path], None]:
    return lambda model: (model / name).write_text(content) and None


@pytest.mark.parametrize(
    "change",
    [
        tensors(b=torch.tensor([0, 1, 2, 4], dtype=torch.float16)),
        tensors(b=TENSORS["b"].view(torch.int16)),
        tensors(a=TENSORS["a"].reshape(3, 2)),
        tensors(c=torch.zeros(0)),
        lambda model: save_file({"a": TENSORS["a"], "d": TENSORS["b"]}, model / "model.safetensors"),
        lambda model: (model / "unet").rename(model / "vae"),
        lambda model: (model / "model.safetensors").rename(model / "adapter.safetensors"),
        written("config.json", json.dumps({**CONFIG, "width": 5})),
        written("config.json", json.dumps({**CONFIG, "inner": {"depth": 3}})),
        written("merges.txt", "b a\n"),
        written("tokenizer.json", "{}"),
        written("chat_template.jinja", "{{ text }}"),
    ],
    ids=["bytes", "type", "shape", "one more", "name", "folder inside", "file", "config", "deep", *"mtj"],
)
def test_what_counts(model: Path, change: Callable[[Path], object]) -> None:
    before = digest_of_model(model)
    change(model)
    assert digest_of_model(model) != before


def test_tensors_replaced_with_size_and_time_kept(model: Path) -> None:
    """What ``rsync -t`` does: another file of the same size and date under the same name."""
    file = model / "model.safetensors"
    before, about = digest_of_model(model), file.stat()
    for replaced in (file.with_suffix(".new"), file):  # renamed into its place, and written over
        save_file({**TENSORS, "a": TENSORS["a"] + len(replaced.suffix)}, replaced, metadata={"format": "pt"})
        os.utime(replaced, ns=(about.st_atime_ns, about.st_mtime_ns))
        replaced.replace(file)
        after = file.stat()
        assert (after.st_size, after.st_mtime_ns) == (about.st_size, about.st_mtime_ns)
        assert digest_of_model(model) != before
        before = digest_of_model(model)


def test_a_pickle_counts_where_it_is_all_there_is(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"one")
    before = digest_of_model(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"two")
    assert digest_of_model(tmp_path) != before


def test_single_files(model: Path, tmp_path: Path) -> None:
    """Tensors of safetensors under whatever name, bytes of all others."""
    shutil.copy(model / "model.safetensors", tmp_path / "codes.safetensors")
    assert digest_of_model(tmp_path / "codes.safetensors") == digest_of_model(model / "model.safetensors")
    file = tmp_path / "fcn.pth"
    file.write_bytes(b"weights")
    assert digest_of_file(file) == hashlib.sha256(b"weights").hexdigest()[:16]
    assert digest_of_model(file) != digest_of_model(model)


def test_a_file_is_read_once_until_it_is_touched(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from semantic.zoo import digests

    read: list[Path] = []
    plain = digests._tensors
    monkeypatch.setattr(digests, "_tensors", lambda file: read.append(file) or plain(file))
    assert digest_of_model(model) == digest_of_model(model)
    assert len(read) == 2
    os.utime(model / "model.safetensors")
    digest_of_model(model)
    assert len(read) == 4


def test_stamps_tell_files_apart_by_their_path_inside(model: Path) -> None:
    before = stamp(model)
    (model / "unet").rename(model / "vae")
    assert stamp(model) != before


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_damaged_files_are_named(model: Path, name: str) -> None:
    (model / name).write_bytes(b"\x00\x01 damaged")
    with pytest.raises(ValueError, match=name):
        digest_of_model(model)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        digest_of_model(tmp_path / "nowhere")
