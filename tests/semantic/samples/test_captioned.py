"""Captioned pictures in the layouts that people have them in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic.samples.captioned import load_captioned, read_captions
from semantic.samples.pictures import resize_square


def draw(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        Image.new("RGB", (40, 30 + index), (index, 100, 200)).save(folder / name)
    return folder


def found(images: Path, captions: Path | None = None) -> dict[str, tuple[str, ...]]:
    return {item.name: item.captions for item in load_captioned(images, captions)}


def test_kaggle_layout(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", "b.jpg", "a.jpg", "without.jpg")
    (tmp_path / "captions.txt").write_text(
        'image,caption\nb.jpg,A dog .\na.jpg,"A cat , asleep ."\nb.jpg,"The ""big"" dog ."\nno.jpg,None .\n'
    )
    (tmp_path / "SOURCE.txt").write_text("Where it is from, by whom, and so on.\n")
    wanted = {"a.jpg": ("A cat , asleep .",), "b.jpg": ("A dog .", 'The "big" dog .')}
    assert found(tmp_path) == found(images) == found(images, tmp_path / "captions.txt") == wanted


def test_published_layout(tmp_path: Path) -> None:
    draw(tmp_path / "Flicker8k_Dataset", "a.jpg", "b.jpg")
    token = 'a.jpg#0\tA dog .\na.jpg#1\t"Hey , you !\nb.jpg#0\tA cat .\r\nb.jpg.1#0\tLost .\n'
    (tmp_path / "Flickr8k.token.txt").write_text(token, newline="")
    (tmp_path / "Flickr8k.lemma.token.txt").write_text("a.jpg#0\ta dog\nb.jpg#0\ta cat\n")
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("a.jpg\n")
    (tmp_path / "ExpertAnnotations.txt").write_text("a.jpg\tb.jpg#2\t1\t1\t2\n")
    assert found(tmp_path) == {"a.jpg": ("A dog .", '"Hey , you !'), "b.jpg": ("A cat .",)}


def test_coco_layout(tmp_path: Path) -> None:
    draw(tmp_path / "val2017", "000001.jpg", "000002.jpg")
    notes = [{"image_id": 7, "caption": "A dog. "}, {"image_id": 7, "caption": "Dog, running"}]
    images = [{"id": 7, "file_name": "000002.jpg"}, {"id": 8, "file_name": "000001.jpg"}]
    (tmp_path / "captions.json").write_text(json.dumps({"images": images, "annotations": notes}))
    boxes = [{"image_id": 7, "bbox": [1, 2, 3, 4]}]
    (tmp_path / "instances.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    assert found(tmp_path) == {"000002.jpg": ("A dog.", "Dog, running")}


@pytest.mark.parametrize("heading", ["", "file{0}what it shows\n"])
@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("tsv", "\t"), ("txt", "\t")])
def test_a_plain_folder_with_a_table(tmp_path: Path, suffix: str, mark: str, heading: str) -> None:
    draw(tmp_path, "x.png", "y.png")
    rows = f"{heading.format(mark)}x.png{mark}A red square.\n\ny.png{mark}A wide sky.\n"
    (tmp_path / f"mine.{suffix}").write_text(rows, encoding="utf-8-sig")
    assert found(tmp_path) == {"x.png": ("A red square.",), "y.png": ("A wide sky.",)}


def test_pixels_are_read_when_asked_for(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "c.csv").write_text("a.png,one\nb.png,two\nc.png,three\n")
    (tmp_path / "b.png").write_bytes(b"no picture")
    items = load_captioned(tmp_path, size=16, limit=2)
    assert [item.name for item in items] == ["a.png", "b.png"]
    original = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(items[0].pixels, resize_square(original, 16))
    with pytest.raises(ValueError, match=r"b\.png"):
        _ = items[1].pixels
    (whole, *_) = load_captioned(tmp_path)
    np.testing.assert_array_equal(whole.pixels, original)


def test_what_cannot_work_is_said(tmp_path: Path) -> None:
    draw(tmp_path / "p", "a.png", "b.png")
    with pytest.raises(ValueError, match="no file of captions"):
        load_captioned(tmp_path / "p")
    (tmp_path / "c.csv").write_text("other.png,one\nanother.png,two\n")
    with pytest.raises(ValueError, match=r"none of the 2 pictures.*'a\.png'.*names 2 others.*'other\.png'"):
        load_captioned(tmp_path / "p", tmp_path / "c.csv")
    (tmp_path / "c.csv").write_text("a.png,one, two\n")
    with pytest.raises(ValueError, match=r"two columns.*quote.*3 columns"):
        load_captioned(tmp_path / "p", tmp_path / "c.csv")
    (tmp_path / "c.csv").write_text("a.png,one\n")
    (tmp_path / "d.tsv").write_text("a.png\tone\n")
    with pytest.raises(ValueError, match=r"c\.csv, d\.tsv"):
        load_captioned(tmp_path / "p")
    with pytest.raises(ValueError, match="multiple of 16"):
        load_captioned(tmp_path / "p", tmp_path / "c.csv", size=17)
    draw(tmp_path / "q", "a.png")
    with pytest.raises(ValueError, match="give one of p, q"):
        load_captioned(tmp_path)
    with pytest.raises(ValueError, match="nowhere"):
        load_captioned(tmp_path / "nowhere")
    (tmp_path / "bad.json").write_text("[1, 2]")
    for name in ("bad.json", "missing.csv"):
        with pytest.raises(ValueError, match=name):
            read_captions(tmp_path / name)


def test_flickr8k_as_it_lies_here(data_dir: Path) -> None:
    with (data_dir / "flickr8k" / "captions.txt").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream)]
    for folder in (data_dir / "flickr8k", data_dir / "flickr8k" / "images"):
        items = load_captioned(folder)
        assert len(items) == 1000
        for item in items[::97]:
            assert item.captions == tuple(r["caption"].strip() for r in rows if r["image"] == item.name)
            assert item.pixels.shape[2] == 3
    assert {len(item.captions) for item in items} == {5}
