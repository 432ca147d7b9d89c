"""Captioned pictures in the layouts that people have them in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic.samples.captioned import load_captioned
from semantic.samples.captions import read_captions
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
    with pytest.raises(ValueError, match=r"line 1 has 3 columns where two.*quote"):
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


NAMES = ("1000092795.jpg", "10002456.jpg")
A, B = NAMES
DOG = ("A dog runs",)
TREE = {"images": [{"filename": n, "split": "test", "sentences": [{"raw": "A dog runs"}]} for n in NAMES]}

# As published, or as people make them: the file, its content, and what is read.
KINDS: dict[str, tuple[str, str, dict[str, tuple[str, ...]]]] = {
    "Flickr30k by Kaggle": (
        "results.csv",
        "image_name| comment_number| comment\n"
        f'{A}| 0| A dog , big , runs .\n{A}| 1   A dog across the grass .\n{B}| 0| It\'s a "dog" .\n',
        {A: ("A dog , big , runs .", "A dog across the grass ."), B: ('It\'s a "dog" .',)},
    ),
    "Flickr30k": (
        "results_20130124.token",
        f"{A}#0\tA dog, big.\n{A}#1\tOne.\n",
        {A: ("A dog, big.", "One.")},
    ),
    "Flickr8k-CN": (
        "flickr8kzhc.caption.txt",
        "1000092795#zh:0#0 一只狗在沙滩上奔跑\n1000092795#zh:1#0 狗, 跑\n",
        {A: ("一只狗在沙滩上奔跑", "狗, 跑")},
    ),
    "Excel": ("captions.csv", f"\ufeffimage;caption\r\n{A};A dog runs, fast\r\n", {A: ("A dog runs, fast",)}),
    "commas without quotes": (
        "captions.txt",
        f"image,caption\n{A},A dog , a cat, and a bird\n{B},A dog runs\n",
        {A: ("A dog , a cat, and a bird",), B: DOG},
    ),
    "odd texts": (
        "captions.csv",
        f'image,caption\n{A},"A ""big"" dog,\nruns 🐕"\n{B},"כלב; רץ"\n',
        {A: ('A "big" dog,\nruns 🐕',), B: ("כלב; רץ",)},
    ),
    "semicolons in a caption": ("c.csv", f"{A},A dog; asleep\n", {A: ("A dog; asleep",)}),
    "pandas": ("captions.csv", f",image,caption\n0,{A},A dog runs\n1,{B},A dog runs\n", {A: DOG, B: DOG}),
    "an index without a heading": ("captions.csv", f"0,{A},A dog runs\n1,{B},A dog runs\n", {A: DOG, B: DOG}),
    "swapped": ("captions.csv", f"caption,image\nA dog, it runs,{A}\n", {A: ("A dog, it runs",)}),
    "more columns": ("c.tsv", f"id\tFile_Name\tText\tsplit\n7\tp/{A}\tA dog runs\ttest\n", {A: DOG}),
    "an image folder": (
        "metadata.jsonl",
        "".join(json.dumps({"file_name": name, "text": "A dog runs"}) + "\n" for name in NAMES),
        {A: DOG, B: DOG},
    ),
    "a dictionary": ("captions.json", json.dumps({A: ["A dog runs", "A dog"]}), {A: (*DOG, "A dog")}),
    "a list": ("captions.json", json.dumps([{"image": A, "caption": "A dog runs"}]), {A: DOG}),
    "Karpathy": ("dataset_flickr8k.json", json.dumps(TREE), {A: DOG, B: DOG}),
    "no suffix": ("captions.csv", f"{A[:-4]},A dog runs\n{B[:-4]},A dog runs\n", {A: DOG, B: DOG}),
    "gaps": ("captions.csv", f"{A},A dog runs\n{B},\n", {A: DOG}),
    "UTF-16": ("captions.txt", f"\N{BYTE ORDER MARK}image\tcaption\r\n{A}\tUn café\r\n", {A: ("Un café",)}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("error")
def test_files_of_captions_as_they_are(kind: str, tmp_path: Path) -> None:
    name, content, wanted = KINDS[kind]
    draw(tmp_path, *NAMES)
    encoding = "utf-16-le" if kind == "UTF-16" else "utf-8"
    (tmp_path / name).write_text(content, encoding=encoding, newline="")
    assert found(tmp_path) == wanted


def test_latin_1_is_read_with_a_remark(tmp_path: Path) -> None:
    draw(tmp_path, *NAMES)
    (tmp_path / "captions.csv").write_bytes(f"image,caption\n{A},Un café à la plage\n".encode("latin-1"))
    with pytest.warns(UserWarning, match=r"captions\.csv' is no UTF-8 in line 2, and is read as Latin-1"):
        assert found(tmp_path) == {A: ("Un café à la plage",)}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.csv", b"image,caption\na.png,x\nb.png\n", "line 3 has 1 columns where the heading has 2"),
        ("c.csv", b'a.png,x\nb.png,"open\n', "line 2: unexpected end"),
        ("c.tsv", b"a.png\tx\nb.png\ty\tz\n", "line 2 has 3 columns"),
        ("c.txt", b"a.png#0 A dog\nnothing here\n", "line 2 has no tab"),
        ("c.csv", b"\x00\xff\x01", "UTF-8"),
        ("c.jsonl", b'{"file_name": "a.png", "text": "x"}\n{"file_name"\n', "line 2 is no JSON"),
        ("c.jsonl", b'{"file_name": "a.png"}\n', "line 1 has no image.*it has file_name"),
        ("c.jsonl", b"[1]\n", "line 1 is list"),
        ("c.json", b'{"a.png": [1]}', "a caption of 'a.png' is no text: 1"),
        ("c.json", b'{"a.png": 5}', "not iterable"),
        ("c.json", b"[" * 100_000, "holds no captions"),
        ("c.json", b"7", "a list or an object is expected"),
        ("c.json", b'{"images": [{"id": 1}], "annotations": []}', "COCO has images with id and file_name"),
        ("c.csv", b"", "holds no caption"),
    ],
)
def test_what_is_no_file_of_captions_is_one_line(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_captions(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_not_it_say_why(tmp_path: Path) -> None:
    draw(tmp_path, *NAMES)
    (tmp_path / "captions.csv").write_text(f"{A},A dog, running\n")
    (tmp_path / "others.csv").write_text("x.png,A dog\n")
    with pytest.raises(ValueError, match=r"captions\.csv'.*line 1 has 3 columns.*others\.csv' names none"):
        load_captioned(tmp_path)


def test_captions_of_sub_folders(tmp_path: Path) -> None:
    """Folders are not entered, which is said; captions name their pictures by paths."""
    draw(tmp_path / "train", *NAMES)
    draw(tmp_path / "test", *NAMES)
    (tmp_path / "captions.csv").write_text(f"train/{A},A dog runs\n")
    with pytest.raises(ValueError, match="several folders of pictures: give one of test, train"):
        load_captioned(tmp_path)
    assert found(tmp_path / "train") == {A: DOG}


@pytest.mark.slow
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
