"""Sample data, and files of every kind that people have."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from semantic.samples.pictures import (
    centre_crop,
    load_pictures,
    load_sentences,
    picture_paths,
    read_picture,
    resize_square,
    sample_pictures,
    sample_sentences,
)


def gradient(height: int = 24, width: int = 40) -> NDArray[np.uint8]:
    """A picture in which every place and channel differs from its mirror images."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return (3 * y + 2 * x + 50 * c).astype(np.uint8)


def save(path: Path, pixels: NDArray[np.uint8], **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


def png_16_bit_colour(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG of 16-bit RGB, which Pillow reads but does not write (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sample_photographs_are_original_pixels_with_sides_that_sixteen_divides() -> None:
    pictures = sample_pictures()
    assert {name: pixels.shape for name, pixels in pictures} == {
        "astronaut": (512, 512, 3),
        "chelsea": (288, 448, 3),
        "coffee": (400, 592, 3),
        "rocket": (416, 640, 3),
    }
    for name, pixels in pictures:
        assert pixels.dtype == np.uint8
        assert np.ptp(pixels.astype(int), axis=2).max() > 30, "in colour"
        original = getattr(skimage.data, name)()
        top, left = ((a - b) // 2 for a, b in zip(original.shape[:2], pixels.shape[:2], strict=True))
        inside = original[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        np.testing.assert_array_equal(pixels, inside)


def test_sample_photographs_resize_to_squares_without_distortion() -> None:
    for (_, small), (_, large) in zip(sample_pictures(size=64), sample_pictures(), strict=True):
        assert small.shape == (64, 64, 3)
        side = min(large.shape[:2])
        square = large[(large.shape[0] - side) // 2 :, (large.shape[1] - side) // 2 :][:side, :side]
        means = square[: side // 8 * 8, : side // 8 * 8].reshape(8, side // 8, 8, side // 8, 3).mean((1, 3))
        coarse = small.reshape(8, 8, 8, 8, 3).mean((1, 3))
        assert np.abs(means - coarse).mean() < 6


@pytest.mark.parametrize("size", [0, -16, 100])
def test_sizes_that_sixteen_does_not_divide_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 16 pixels, got {size}"):
        sample_pictures(size=size)


def test_centre_crop_takes_as_much_from_either_edge() -> None:
    pixels = gradient(37, 52)
    np.testing.assert_array_equal(centre_crop(pixels), pixels[2:34, 2:50])
    with pytest.raises(ValueError, match=r"\[15, 40, 3\]"):
        centre_crop(gradient(15, 40))


def test_resizing_to_the_same_size_changes_nothing() -> None:
    pixels = gradient(32, 48)
    np.testing.assert_array_equal(resize_square(pixels, 32), pixels[:, 8:40])


def test_folders_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, shade in (("b.png", 2), ("a.png", 1), ("A.PNG", 3), ("c.bmp", 4), (".hidden.png", 5)):
        save(tmp_path / name, np.full((4, 6, 3), shade, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "deeper").mkdir()
    save(tmp_path / "deeper" / "d.png", gradient())
    pictures = load_pictures(tmp_path)
    assert [(name, int(pixels[0, 0, 0])) for name, pixels in pictures] == [
        ("A.PNG", 3),
        ("a.png", 1),
        ("b.png", 2),
        ("c.bmp", 4),
    ]
    assert all(pixels.shape == (4, 6, 3) and pixels.flags.writeable for _, pixels in pictures)
    assert [path.name for path in picture_paths(str(tmp_path))] == [picture.name for picture in pictures]
    assert load_pictures(tmp_path / "b.png")[0].name == "b.png"
    assert load_pictures(tmp_path / "b.png", size=16)[0].pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_lossless_formats_give_the_pixels(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x.{suffix}", gradient())
    np.testing.assert_array_equal(read_picture(path), gradient())


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_formats_give_nearly_the_pixels(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x.{suffix}", gradient(), quality=95)
    assert np.abs(read_picture(path).astype(int) - gradient()).mean() < 4


def test_gray_and_palette_become_three_channels(tmp_path: Path) -> None:
    gray = gradient()[..., 0]
    np.testing.assert_array_equal(
        read_picture(save(tmp_path / "g.png", gray)), np.repeat(gray[..., None], 3, 2)
    )
    flat = np.where(gradient() > 60, 200, 20).astype(np.uint8)
    Image.fromarray(flat).quantize(16).save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "p.png"), flat)
    Image.fromarray(gray > 50).save(tmp_path / "1.png")
    assert set(np.unique(read_picture(tmp_path / "1.png"))) == {0, 255}


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., :3] = (100, 50, 0)
    rgba[..., 3] = [[255, 0], [128, 128]]
    read = read_picture(save(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(read[0], [[100, 50, 0], [255, 255, 255]])
    expected = np.array([100, 50, 0]) * 128 / 255 + 255 * 127 / 255
    assert np.abs(read[1, 0] - expected).max() <= 1
    read = read_picture(save(tmp_path / "la.png", rgba[..., [0, 3]]))
    np.testing.assert_array_equal(read[0], [[100] * 3, [255] * 3])


def test_of_sixteen_bits_the_upper_byte_is_kept(tmp_path: Path) -> None:
    deep = (gradient().astype(np.uint16) << 8) + 0xFE
    Image.fromarray(deep[..., 0]).save(tmp_path / "g.png")
    Image.fromarray(deep[..., 0]).save(tmp_path / "g.tif")
    for name in ("g.png", "g.tif"):
        np.testing.assert_array_equal(read_picture(tmp_path / name)[..., 1], gradient()[..., 0])
    (tmp_path / "c.png").write_bytes(png_16_bit_colour(deep))
    np.testing.assert_array_equal(read_picture(tmp_path / "c.png"), gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_obeyed(tmp_path: Path, orientation: int) -> None:
    # Exif 2.3, tag 0x0112: where the stored row 0 and column 0 belong in the upright picture.
    upright = gradient()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "x.png", np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(read_picture(path), upright)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on what it could mend
def test_damaged_files_are_named_whatever_is_wrong_with_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    refused = 0
    for suffix in ("png", "jpeg", "webp", "tiff", "bmp"):
        buffer = io.BytesIO()
        Image.fromarray(gradient()).save(buffer, suffix)
        whole = buffer.getvalue()
        path = tmp_path / f"x.{suffix}"
        for _ in range(80):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 4):
                data[place] ^= 1 << rng.integers(8)
            path.write_bytes(data[: rng.integers(0, len(data))] if rng.random() < 0.3 else data)
            try:
                assert read_picture(path).shape[2] == 3
            except ValueError as error:
                refused += 1
                assert str(path) in str(error)
    assert refused > 100


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no file or folder '.*absent'"):
        load_pictures(tmp_path / "absent")
    with pytest.raises(ValueError, match=f"no picture .*{tmp_path.name}"):
        load_pictures(tmp_path)
    (tmp_path / "x.png").write_text("<html>")
    with pytest.raises(ValueError, match=r"x\.png' is no readable picture"):
        load_pictures(tmp_path)
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match=r"x\.tif' is no readable picture.*32 bits"):
        read_picture(tmp_path / "x.tif")


def test_sample_sentences_are_sentences() -> None:
    sentences = sample_sentences()
    assert len(sentences) == len(set(sentences)) == 48
    for sentence in sentences:
        assert sentence.isascii()
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert 5 <= len(sentence.split()) <= 15


def test_sentences_are_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_bytes("\ufeff Ein Hund läuft.\r\n\r\n  two\x0cwords \nlast".encode())
    assert load_sentences(path) == ["Ein Hund läuft.", "two\x0cwords", "last"]


def test_files_without_sentences_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    with pytest.raises(ValueError, match=r"s\.txt' cannot be read"):
        load_sentences(path)
    path.write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"s\.txt' cannot be read as lines of UTF-8"):
        load_sentences(path)
    path.write_bytes(b" \n\n")
    with pytest.raises(ValueError, match=r"no sentence stands in '.*s\.txt'"):
        load_sentences(path)
