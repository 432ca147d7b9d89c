"""Image codecs that come with Pillow: JPEG, JPEG 2000, WebP, AVIF, and HEIF by way of pillow-heif.

All follow `phy.source.pictures.codec.ImageCodec`. A file that was cut off or damaged gives the picture that
its library makes of it where it makes one (JPEG fills what is missing with gray), and a `CodecError`
otherwise; zeros behind the file's end are ignored.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from typing import Any, Literal

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features

from phy.source.pictures.codec import CodecError, as_picture

__all__ = ["AVIF", "HEIF", "JPEG", "JPEG2000", "WebP"]

Subsampling = Literal["444", "420"]

_END_OF_JPEG = b"\xff\xd9"


@dataclass(frozen=True)
class JPEG:
    """Baseline JPEG (ITU-T T.81) with Huffman tables made for each picture.

    Parameters
    ----------
    subsampling:
        Chroma at full (``"444"``) or half (``"420"``) resolution in both directions.

    Examples
    --------
    >>> codec = JPEG()
    >>> codec.decode(codec.encode(np.zeros((3, 5, 3), dtype=np.uint8), 75), (3, 5)).shape
    (3, 5, 3)
    """

    subsampling: Subsampling = "444"

    def __post_init__(self) -> None:
        _check_subsampling(self.subsampling)
        _require("jpg")

    @property
    def name(self) -> str:
        """``jpeg-<subsampling>``."""
        return f"jpeg-{self.subsampling}"

    @property
    def version(self) -> str:
        """Versions of Pillow and of libjpeg."""
        turbo = features.version("libjpeg_turbo")
        library = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {_feature('jpg')}"
        return f"Pillow {PIL.__version__}, {library}"

    @property
    def qualities(self) -> tuple[int, ...]:
        """1 to 95, as the Independent JPEG Group scales the quantisation tables."""
        return tuple(range(1, 96))

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress ``[height, width, 3]`` or ``[height, width]``, ``uint8``; sides up to 65,535."""
        subsampling = 0 if self.subsampling == "444" else 2
        picture = _as_image(image, quality, self.qualities)
        return _save(picture, "JPEG", quality=quality, subsampling=subsampling, optimize=True)

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress to ``[height, width, 3]``, ``uint8``; raises `CodecError` and nothing else."""
        # With an end marker of its own, a file that was cut off decodes as far as it goes.
        return _load(bytes(data) + _END_OF_JPEG, shape, "JPEG")


@dataclass(frozen=True)
class JPEG2000:
    """JPEG 2000 (ITU-T T.800) as a bare codestream, with the irreversible wavelet and one quality layer.

    Examples
    --------
    >>> codec, picture = JPEG2000(), np.zeros((64, 64, 3), dtype=np.uint8)
    >>> codec.decode(codec.encode(picture, codec.qualities[-1]), (64, 64)).max()
    np.uint8(0)
    """

    def __post_init__(self) -> None:
        _require("jpg_2000")

    @property
    def name(self) -> str:
        """``jpeg2000``."""
        return "jpeg2000"

    @property
    def version(self) -> str:
        """Versions of Pillow and of OpenJPEG."""
        return f"Pillow {PIL.__version__}, OpenJPEG {_feature('jpg_2000')}"

    @property
    def qualities(self) -> tuple[int, ...]:
        """Target sizes in hundredths of a bit per pixel, 1 to 1,200, in steps of about 2 %."""
        return _rates()

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress ``[height, width, 3]`` or ``[height, width]``, ``uint8``."""
        picture = _as_image(image, quality, self.qualities)
        return _save(
            picture,
            "JPEG2000",
            no_jp2=True,
            irreversible=True,
            mct=len(picture.getbands()) // 3,  # luma and chroma; Pillow's default codes R, G, B apart
            quality_mode="rates",
            quality_layers=[800 * len(picture.getbands()) / quality],
            num_resolutions=min(6, min(picture.size).bit_length()),
        )

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress to ``[height, width, 3]``, ``uint8``; raises `CodecError` and nothing else."""
        return _load(bytes(data), shape, "JPEG2000")


@dataclass(frozen=True)
class WebP:
    """Lossy WebP (a VP8 key frame, RFC 6386); chroma is always 4:2:0.

    Parameters
    ----------
    method:
        Effort, 0 (fast) to 6 (small).

    Raises
    ------
    ValueError
        If the effort is none of these.

    Examples
    --------
    >>> codec = WebP()
    >>> codec.decode(codec.encode(np.zeros((3, 5, 3), dtype=np.uint8), 75), (3, 5)).shape
    (3, 5, 3)
    """

    method: int = 6

    def __post_init__(self) -> None:
        if self.method not in range(7):
            raise ValueError(f"method must be 0 to 6, got {self.method!r}")
        _require("webp")

    @property
    def name(self) -> str:
        """``webp``."""
        return "webp"

    @property
    def version(self) -> str:
        """Versions of Pillow and of libwebp."""
        return f"Pillow {PIL.__version__}, libwebp {_feature('webp')}"

    @property
    def qualities(self) -> tuple[int, ...]:
        """0 to 100, as libwebp counts them."""
        return tuple(range(101))

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress ``[height, width, 3]`` or ``[height, width]``, ``uint8``; sides up to 16,383."""
        return _save(_as_image(image, quality, self.qualities), "WEBP", quality=quality, method=self.method)

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress to ``[height, width, 3]``, ``uint8``; raises `CodecError` and nothing else.

        Only the simple lossy format is read, as `encode` writes it.
        """
        # The library allocates the whole picture as soon as it opens a file, so the size is read here.
        if len(data) < 30 or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8 ":
            raise CodecError(f"not a lossy WebP file: it starts with {bytes(data[:16])!r}")
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
        _check_size((height, width), shape)
        size = 8 + int.from_bytes(data[4:8], "little")
        return _load(bytes(data[:size]), shape, "WEBP")


@dataclass(frozen=True)
class AVIF:
    """AVIF: one AV1 intra frame, coded by libaom and read with whichever decoder Pillow has.

    Parameters
    ----------
    subsampling:
        Chroma at full (``"444"``) or half (``"420"``) resolution in both directions.
    speed:
        0 (small) to 10 (fast).

    Raises
    ------
    ValueError
        If a parameter is none of these.

    Examples
    --------
    >>> codec = AVIF()
    >>> codec.decode(codec.encode(np.zeros((3, 5, 3), dtype=np.uint8), 75), (3, 5)).shape
    (3, 5, 3)
    """

    subsampling: Subsampling = "444"
    speed: int = 6

    def __post_init__(self) -> None:
        _check_subsampling(self.subsampling)
        if self.speed not in range(11):
            raise ValueError(f"speed must be 0 to 10, got {self.speed!r}")
        _require("avif")

    @property
    def name(self) -> str:
        """``avif-<subsampling>``."""
        return f"avif-{self.subsampling}"

    @property
    def version(self) -> str:
        """Versions of Pillow, libavif and libaom, and the encoder's speed."""
        codecs = import_module("PIL._avif").codec_versions()
        return f"Pillow {PIL.__version__}, libavif {_feature('avif')} ({codecs}), speed {self.speed}"

    @property
    def qualities(self) -> tuple[int, ...]:
        """0 to 100, as libavif counts them."""
        return tuple(range(101))

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress ``[height, width, 3]`` or ``[height, width]``, ``uint8``."""
        return _save(
            _as_image(image, quality, self.qualities),
            "AVIF",
            quality=quality,
            subsampling="4:4:4" if self.subsampling == "444" else "4:2:0",
            speed=self.speed,
            codec="aom",
            max_threads=1,  # the bytes depend on it
        )

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress to ``[height, width, 3]``, ``uint8``; raises `CodecError` and nothing else."""
        return _load(_trim_boxes(bytes(data)), shape, "AVIF")


@dataclass(frozen=True)
class HEIF:
    """HEIF: one HEVC intra frame coded by x265 in a container of about 380 bytes; needs pillow-heif.

    Parameters
    ----------
    subsampling:
        Chroma at full (``"444"``) or half (``"420"``) resolution in both directions.

    Raises
    ------
    ImportError
        If pillow-heif is missing.
    """

    subsampling: Subsampling = "444"

    def __post_init__(self) -> None:
        _check_subsampling(self.subsampling)
        _heif()

    @property
    def name(self) -> str:
        """``heif-<subsampling>``."""
        return f"heif-{self.subsampling}"

    @property
    def version(self) -> str:
        """Versions of pillow-heif, libheif and its encoder."""
        info = _heif().libheif_info()
        return f"pillow-heif {_heif().__version__}, libheif {info['libheif']}, {info['HEIF']}"

    @property
    def qualities(self) -> tuple[int, ...]:
        """0 to 100, as libheif counts them."""
        return tuple(range(101))

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress ``[height, width, 3]`` or ``[height, width]``, ``uint8``."""
        picture = _as_image(image, quality, self.qualities)
        buffer = BytesIO()
        _heif().encode(
            picture.mode,
            picture.size,
            picture.tobytes(),
            buffer,
            quality=quality,
            chroma=self.subsampling,
            enc_params={"x265:pools": "none"},  # the bytes depend on the machine otherwise
        )
        return buffer.getvalue()

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress to ``[height, width, 3]``, ``uint8``; raises `CodecError` and nothing else."""
        file = BytesIO(_trim_boxes(bytes(data)))
        return _pixels(lambda: _heif().open_heif(file, convert_hdr_to_8bit=True), shape)


# -- shared by all ----------------------------------------------------------------------------------------


def _check_subsampling(subsampling: str) -> None:
    if subsampling not in ("444", "420"):
        raise ValueError(f"subsampling must be '444' or '420', got {subsampling!r}")


def _check_size(size: tuple[int, int], shape: tuple[int, int]) -> None:
    if size != tuple(shape):
        raise CodecError(f"expected a picture of {shape[0]} x {shape[1]}, got {size[0]} x {size[1]}")


def _feature(name: str) -> str:
    return features.version(name) or "of unknown version"


def _require(feature: str) -> None:
    if not features.check(feature):
        raise ImportError(
            f"Pillow {PIL.__version__} was built without {feature}; the wheels from PyPI have it: "
            "pip install --force-reinstall --only-binary :all: 'pillow>=12'"
        )


@lru_cache(maxsize=1)
def _heif() -> Any:
    try:
        return import_module("pillow_heif")
    except ImportError as error:
        raise ImportError("HEIF needs pillow-heif: pip install pillow-heif") from error


@lru_cache(maxsize=1)
def _rates() -> tuple[int, ...]:
    """1, 2, ..., 1200, thinned out to steps of 2 % from 50 on."""
    return tuple(sorted({*range(1, 51), *(round(50 * 1.02**step) for step in range(161)), 1200}))


def _as_image(image: NDArray[np.uint8], quality: int, qualities: tuple[int, ...]) -> Image.Image:
    if quality not in qualities:
        raise ValueError(
            f"quality must be one of {qualities[0]} (worst) to {qualities[-1]} (best), got {quality!r}"
        )
    return Image.fromarray(as_picture(image))


def _save(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _load(data: bytes, shape: tuple[int, int], kind: str) -> NDArray[np.uint8]:
    """Decode with Pillow's plug-in ``kind`` alone."""
    return _pixels(lambda: Image.open(BytesIO(data), formats=(kind,)), shape)


def _pixels(open_file: Callable[[], Any], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Open a file, compare its size, and only then decode."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures and odd metadata, on damaged headers
            opened = open_file()
            _check_size((opened.size[1], opened.size[0]), shape)
            picture = opened if isinstance(opened, Image.Image) else opened.to_pillow()
            pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    except CodecError:
        raise
    except Exception as error:  # Pillow's plug-ins raise whatever their parsers trip over
        raise CodecError(f"the file cannot be decoded: {error}") from error
    _check_size(pixels.shape[:2], shape)
    return pixels


def _trim_boxes(data: bytes) -> bytes:
    """Cut off what follows the last box of an ISO base media file (AVIF, HEIF)."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size < 8 or position + size > len(data):
            break
        position += size
    # A box that says it is longer than the file was damaged or cut off: the library shall decide.
    return data if any(data[position:]) else data[:position]
