"""Pictures and sentences to send: bundled samples, and files of one's own.

The sample photographs are those that scikit-image carries inside its package, so nothing is downloaded:

=========  ========================================  =====================================================
name       picture                                   rights, as scikit-image states them
=========  ========================================  =====================================================
astronaut  Eileen Collins, by NASA                   no known restrictions, released into the public domain
chelsea    a cat, by Stefan van der Walt             CC0
coffee     a cup on a table, by Rachel Michetti      CC0
rocket     launch of DSCOVR, by SpaceX               released in the public domain
=========  ========================================  =====================================================

The sample sentences were written for this project (CC0).
"""

from __future__ import annotations

import struct
import zlib
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from semantic.samples.regular import check_regular

__all__ = [
    "NamedPicture",
    "bundled_tokenizer",
    "centre_crop",
    "load_pictures",
    "load_sentences",
    "picture_paths",
    "read_picture",
    "resize_square",
    "sample_pictures",
    "sample_sentences",
]

_SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
_MULTIPLE = 16
# What Pillow's readers raise on damaged files, decompression bombs included.
_READ_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class NamedPicture(NamedTuple):
    """A picture and its name; unpacks as ``name, pixels``.

    Attributes
    ----------
    name:
        Unique within its source, and stable: results refer to pictures by it.
    pixels:
        ``[H, W, 3]``, ``uint8``, RGB.
    """

    name: str
    pixels: NDArray[np.uint8]


def centre_crop(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the edges of ``[H, W, 3]`` evenly so that both sides are multiples of 16.

    Raises
    ------
    ValueError
        If a side is shorter than that.
    """
    height, width = (side // _MULTIPLE * _MULTIPLE for side in pixels.shape[:2])
    if not height or not width:
        raise ValueError(f"a picture of {list(pixels.shape)} has no part with sides that {_MULTIPLE} divides")
    return _centre(pixels, height, width)


def resize_square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Cut the largest central square out of ``[H, W, 3]`` and resize it to ``[size, size, 3]`` (Lanczos).

    Raises
    ------
    ValueError
        If ``size`` is no positive multiple of 16, which convolutional models and block codecs ask for.
    """
    if size <= 0 or size % _MULTIPLE:
        raise ValueError(f"size must be a positive multiple of {_MULTIPLE} pixels, got {size!r}")
    side = min(pixels.shape[:2])
    square = Image.fromarray(_centre(pixels, side, side))
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS), dtype=np.uint8).copy()


def _centre(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def sample_pictures(size: int | None = None) -> list[NamedPicture]:
    """Four colour photographs that need no download: astronaut, chelsea (a cat), coffee and rocket.

    Parameters
    ----------
    size:
        None: original pixels, the edges cut evenly so that both sides are multiples of 16 (astronaut
        512 x 512, chelsea 288 x 448, coffee 400 x 592, rocket 416 x 640; height x width).
        Otherwise the largest central square, resized to this many pixels, for quick runs.

    Raises
    ------
    ValueError
        If ``size`` is no positive multiple of 16.

    Examples
    --------
    >>> [(picture.name, picture.pixels.shape) for picture in sample_pictures(size=64)][:2]
    [('astronaut', (64, 64, 3)), ('chelsea', (64, 64, 3))]
    """
    from skimage import data  # half a second, for this function alone

    originals = [np.asarray(getattr(data, name)(), dtype=np.uint8) for name in _SAMPLES]
    shaped = (centre_crop(pixels) if size is None else resize_square(pixels, size) for pixels in originals)
    return [NamedPicture(name, pixels) for name, pixels in zip(_SAMPLES, shaped, strict=True)]


def picture_paths(path: str | Path) -> list[Path]:
    """Files of pictures: the one that ``path`` is, or all in the folder ``path``, sorted by name.

    A folder's files count by their suffix (png, jpg, jpeg, bmp, webp, tif, tiff, ppm); hidden files are
    left out, and folders inside it are not entered.

    Raises
    ------
    ValueError
        If there is no such file or folder, or no picture in the folder.
    """
    path = check_regular(path)
    if not path.exists():
        raise ValueError(f"there is no file or folder {str(path)!r} to load pictures from")
    if path.is_file():
        return [path]
    inside = [file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES and file.name[0] != "."]
    if not inside:
        suffixes = ", ".join(suffix[1:] for suffix in _SUFFIXES)
        folders = [folder.name for folder in sorted(path.iterdir()) if folder.is_dir()][:5]
        inside_them = f"; folders inside it are not entered: {', '.join(folders)}" if folders else ""
        raise ValueError(f"no picture ({suffixes}) lies in the folder {str(path)!r}{inside_them}")
    return sorted(inside, key=lambda file: file.name)


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """Read one picture file as ``[H, W, 3]``, ``uint8``, RGB.

    The camera's orientation tag is obeyed. Gray becomes three equal channels; transparency is laid over
    white; of 16-bit samples the upper byte is kept; of several frames the first; colour profiles are not
    applied.

    Raises
    ------
    ValueError
        If the file is no readable picture of 8 or 16 bits; quotes the path.
    """
    try:
        with Image.open(path) as image:
            return np.array(_to_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)
    except _READ_ERRORS as error:
        raise ValueError(f"{str(path)!r} is no readable picture: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"its samples have 32 bits (mode {image.mode}); 8 and 16 bits can be read")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def load_pictures(path: str | Path, size: int | None = None) -> list[NamedPicture]:
    """Read the picture file ``path``, or all in the folder ``path``, sorted by name.

    All are read at once, so that an unreadable file shows before any long work; for folders larger than
    memory use `picture_paths` and `read_picture`.

    Parameters
    ----------
    path:
        File or folder.
    size:
        None: the pixels as they are. Otherwise the largest central square, resized to this many pixels.

    Returns
    -------
    list[NamedPicture]
        Named by the file's name, suffix included (two files may differ in nothing else).

    Raises
    ------
    ValueError
        If there is nothing at ``path``, a file is no readable picture (quotes its path), or ``size`` is no
        positive multiple of 16.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (640, 480), "white").save(Path(folder) / "white.png")
    ...     [(name, pixels.shape) for name, pixels in load_pictures(folder, size=256)]
    [('white.png', (256, 256, 3))]
    """
    named = ((file.name, read_picture(file)) for file in picture_paths(path))
    return [
        NamedPicture(name, pixels if size is None else resize_square(pixels, size)) for name, pixels in named
    ]


def sample_sentences() -> list[str]:
    """48 English sentences in the manner of picture captions, written for this project (CC0).

    Examples
    --------
    >>> sample_sentences()[0]
    'A brown dog runs along the beach with a stick in its mouth.'
    """
    return _lines(files("semantic").joinpath("data", "sentences.txt").read_text(encoding="utf-8"))


def load_sentences(path: str | Path) -> list[str]:
    r"""Read a UTF-8 text file, one sentence a line; white space around it and empty lines are dropped.

    Raises
    ------
    ValueError
        If the file cannot be read, is not UTF-8, or holds no sentence; quotes the path.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "mine.txt").write_text("A dog runs.\n\nA cat sits.\n")
    ...     load_sentences(Path(folder, "mine.txt"))
    ['A dog runs.', 'A cat sits.']
    """
    try:
        sentences = _lines(check_regular(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} cannot be read as lines of UTF-8 text: {error}") from error
    if not sentences:
        raise ValueError(f"no sentence stands in {str(path)!r}: one a line is expected")
    return sentences


def _lines(text: str) -> list[str]:
    # Not splitlines: that would also cut at form feeds and other characters inside a sentence.
    return [line.strip() for line in text.split("\n") if line.strip()]


def bundled_tokenizer() -> Path:
    """Folder of a byte-pair encoding with 4,096 tokens for captions, as `tokenizers` reads it."""
    return Path(str(files("semantic") / "data" / "tokenizer"))
