"""Files of codecs on disk: made once, for the same pixels by the same codec, and never a reason to fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.systems.pixels import encoded
from bridge.systems.pixels.encoded import encodings_of
from bridge.systems.system import Source
from phy.source.pictures.budget import fit
from phy.source.pictures.codec import ImageCodec
from phy.source.pictures.pillow import JPEG

PIXELS = np.random.default_rng(5).integers(0, 256, (40, 64, 3), dtype=np.uint8)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """What is really encoded: codec and quality, with a cache of its own."""
    asked: list[tuple[str, int]] = []
    encode = JPEG.encode

    def counted(codec: JPEG, image: NDArray[np.uint8], quality: int) -> bytes:
        asked.append((codec.name, quality))
        return encode(codec, image, quality)

    monkeypatch.setattr(JPEG, "encode", counted)
    monkeypatch.setattr(encoded, "cache_folder", lambda: tmp_path)
    encoded._open.cache_clear()
    yield asked
    encoded._open.cache_clear()


def fitted(codec: ImageCodec, pixels: NDArray[np.uint8] = PIXELS, budget: int = 1500) -> bytes:
    return fit(encodings_of(codec, Source("one", pixels)), budget).data


def test_a_second_run_encodes_nothing(made: list[tuple[str, int]]) -> None:
    first = fitted(JPEG())
    assert made and len(set(made)) == len(made)
    made.clear()
    assert fitted(JPEG()) == first
    assert made == []


def test_other_settings_pixels_and_shapes_are_encoded(made: list[tuple[str, int]]) -> None:
    fitted(JPEG())
    for codec, pixels in (
        (JPEG("420"), PIXELS),
        (JPEG(), PIXELS ^ 1),
        (JPEG(), PIXELS.reshape(64, 40, 3)),
        (JPEG(), PIXELS[..., 0]),
    ):
        made.clear()
        assert fitted(codec, pixels) and made


def test_other_versions_of_a_library_are_asked(
    made: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(JPEG())
    made.clear()
    monkeypatch.setattr(JPEG, "version", "libjpeg 1")
    assert fitted(JPEG()) and made


@dataclass(frozen=True)
class Own(JPEG):
    """A codec from elsewhere, whose code may change under its name."""


def test_files_of_ones_own_codec_are_not_kept(made: list[tuple[str, int]]) -> None:
    fitted(Own())
    first = list(made)
    fitted(Own())
    assert made == 2 * first


@pytest.mark.parametrize("damage", ["cut", "no folder", "no database"])
def test_a_broken_cache_costs_time_alone(
    damage: str, made: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitted(JPEG())
    if damage == "cut":
        (tmp_path / "encoded" / "cache.db").write_bytes(b"no database")
        encoded._open.cache_clear()
    elif damage == "no folder":
        monkeypatch.setattr(encoded, "cache_folder", lambda: None)
    else:
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(encoded, "cache_folder", lambda: tmp_path / "file")
    made.clear()
    assert fitted(JPEG()) == first
    assert made
