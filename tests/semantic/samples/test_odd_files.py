"""Odd files through every reader: something of its kind, or one line that names the file."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from semantic.samples.captions import SUFFIXES, caption_pairs
from semantic.samples.pictures import load_sentences, read_picture
from semantic.samples.vectors import load_embeddings

Reader = Callable[[Path], object]
READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "picture": (read_picture, (".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm")),
    "sentences": (load_sentences, (".txt",)),
    "captions": (caption_pairs, SUFFIXES),
    "embeddings": (load_embeddings, (".npy", ".npz", ".csv", ".tsv", ".txt", ".safetensors", ".pt")),
}


def picture(form: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def archive(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


ROWS = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
WHOLE = [
    *(picture(form) for form in ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM", "GIF")),
    archive(lambda file: np.save(file, ROWS)),
    archive(lambda file: np.savez(file, a=ROWS, b=ROWS[0])),
    safetensors.numpy.save({"a": ROWS}),
    b'image,caption\na.png,A dog runs\nb.png,"A cat, asleep"\n',
    "a.png#0\tUn café\n".encode("latin-1"),
    json.dumps({"images": [{"filename": "a.png", "sentences": [{"raw": "A dog"}]}]}).encode(),
    b'{"file_name": "a.png", "text": "A dog"}\n' * 3,
    b"1.0,2.0\n3.0,4.0\n",
]
ODD = [
    *(b"", b"\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b" ", b"a" * 100_000, b"\x00" * 5000, b","),
    *(b'"', b"\t\t\t\n" * 50, b"[" * 50_000, b'{"a":' * 5000, b"1e999\n", b"nan,inf\n", b"image,caption\n"),
    *("\u2028\n\u0085x".encode(), b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"BM", b"\x93NUMPY"),
    *(b"\x93NUMPY\x01\x00\xff\xff", (1 << 62).to_bytes(8, "little") + b"{}", b'{"": ""}', b"null", b"[[]]"),
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }".ljust(128),
]


def files(count: int) -> Iterator[bytes]:
    """Those above, and then whole ones that are cut, glued, or have a few bytes of something else."""
    yield from [*WHOLE, *ODD][:count]
    generator = np.random.default_rng(7)
    for number in range(count - len(WHOLE) - len(ODD)):
        data = bytearray(WHOLE[number % len(WHOLE)])
        for _ in range(int(generator.integers(1, 6))):
            data[int(generator.integers(0, len(data)))] = int(generator.integers(0, 256))
        cut = int(generator.integers(0, len(data) + 1))
        yield [bytes(data), bytes(data[:cut]), bytes(data[cut:] + data[:cut]), generator.bytes(cut)][
            number % 4
        ]


def check_reader(kind: str, count: int, folder: Path) -> None:
    reader, suffixes = READERS[kind]
    outcomes = {"read": 0, "refused": 0}
    for number, data in enumerate(files(count)):
        for suffix in suffixes:
            path = folder / f"odd-{number}{suffix}"
            path.write_bytes(data)
            try:
                with warnings.catch_warnings(action="ignore"):
                    assert reader(path) is not None
                outcomes["read"] += 1
            except ValueError as error:
                outcomes["refused"] += 1
                message = str(error)
                assert "\n" not in message and path.name in message and len(message) < 1000, message
            path.unlink()
    assert min(outcomes.values()) > count / 50, outcomes


@pytest.mark.parametrize("kind", READERS)
def test_sixty_odd_files(kind: str, tmp_path: Path) -> None:
    check_reader(kind, 60, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_three_hundred_odd_files(kind: str, tmp_path: Path) -> None:
    check_reader(kind, 300, tmp_path)
