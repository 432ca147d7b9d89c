"""Pictures by the name of their data set: where they are looked for, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic.samples.captioned import load_captioned
from semantic.samples.downloads import DATA_SETS
from semantic.samples.named import find_pictures, is_named

KODAK = [f"kodim{number:02}.png" for number in range(1, 25)]
EVALUATED = sorted(f"{name}.jpg" for name in DATA_SETS["voc2012"].parts["eval"].names)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder that SEMPHY_DATA names, and the one without it; both empty, as the current folder is."""
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data", tmp_path / "home/.local/share/semphy"


def fill(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("which", [0, 1])
def test_a_data_set_is_found_in_both_places(places: tuple[Path, Path], which: int) -> None:
    fill(places[which] / "kodak24", [*KODAK, "SOURCE.txt"])
    found = find_pictures("kodak24")
    assert [file.name for file in found] == KODAK and found[0].parent == places[which] / "kodak24"


def test_what_is_not_whole_is_not_there(places: tuple[Path, Path]) -> None:
    fill(places[0] / "kodak24", KODAK[1:])
    with pytest.raises(
        ValueError, match=r"kodak24 are not, or not wholly, in .*semphy fetch kodak24 \(15 MB"
    ):
        find_pictures("kodak24")
    fill(places[1] / "kodak24", KODAK)
    assert find_pictures("kodak24")[0].parent == places[1] / "kodak24"


def test_a_part_is_found_in_the_whole_and_alone(places: tuple[Path, Path]) -> None:
    with pytest.raises(
        ValueError, match=r"the pictures of voc2012:eval are not.*semphy fetch voc2012 \(2,000"
    ):
        find_pictures("voc2012:eval")
    alone = fill(places[0] / "voc2012_seg_eval/JPEGImages", EVALUATED)
    assert [file.name for file in find_pictures("voc2012:eval")] == EVALUATED
    with pytest.raises(ValueError, match="the pictures of voc2012 are not"):
        find_pictures("voc2012")
    whole = fill(places[0] / "voc2012/VOCdevkit/VOC2012/JPEGImages", [*EVALUATED, "2099_000001.jpg"])
    assert {file.parent for file in find_pictures("voc2012:eval")} == {whole}
    (whole / EVALUATED[0]).unlink()
    assert {file.parent for file in find_pictures("voc2012:eval")} == {alone}
    with pytest.raises(ValueError, match=r"voc2012 has no part 'test'; its parts are voc2012:eval"):
        find_pictures("voc2012:test")
    with pytest.raises(ValueError, match=r"kodak24 has no part 'eval'; its parts are none"):
        find_pictures("kodak24:eval")


def test_a_folder_of_the_name_is_taken_where_the_data_set_is_not(places: tuple[Path, Path]) -> None:
    own = fill(Path("kodak24"), ["mine.png"])
    assert not is_named("kodak24") and find_pictures("kodak24") == [own / "mine.png"]
    fill(places[0] / "kodak24", KODAK)
    assert is_named("kodak24") and len(find_pictures("kodak24")) == 24
    assert find_pictures("./kodak24") == [own / "mine.png"]


def test_a_named_set_brings_its_captions(places: tuple[Path, Path]) -> None:
    folder = places[1] / "flickr8k/Flicker8k_Dataset"
    fill(folder, [f"{number:04}.jpg" for number in range(8091)])
    Image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(folder / "0000.jpg")
    captions = "".join(f"{n:04}.jpg#{k}\tcaption {k} of {n}\n" for n in (0, 9) for k in range(2))
    (folder.parent / "Flickr8k.token.txt").write_text(captions)
    found = load_captioned("flickr8k")
    assert [(item.name, item.captions) for item in found] == [
        ("0000.jpg", ("caption 0 of 0", "caption 1 of 0")),
        ("0009.jpg", ("caption 0 of 9", "caption 1 of 9")),
    ]


def test_the_shared_kodak_photographs(data_dir: Path) -> None:
    assert [file.name for file in find_pictures("kodak24")] == KODAK


def test_a_name_that_is_none_is_answered_by_those_that_are() -> None:
    with pytest.raises(ValueError, match="no file or folder 'kodak42' .* data sets by name are kodak24, "):
        find_pictures("kodak42")
