"""BPG (Better Portable Graphics): one intra-coded HEVC picture in a small container.

::

    RGB -> Y Cb Cr -> chroma decimation -> padding -> x265 -> byte stream -> BPG file
                 (bpg_color)                        (PyAV)  (bpg_hevc, bpg_container)

Files are those of the BPG specification 0.9.5 and go through the reference tools both ways. Pixels are
coded by x265 and decoded by FFmpeg, both from within PyAV; no other program is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from phy.source.bpg.color import chroma_shape, decimate, gray_plane, interpolate, planes_to_rgb, rgb_to_ycc
from phy.source.bpg.container import Chroma, Header, read_header, write_header
from phy.source.bpg.hevc import (
    PPS,
    SPS,
    START_CODE,
    CodingTools,
    SequenceParameters,
    bypasses_transform,
    coded_size,
    is_coded,
    nal_layer,
    nal_type,
    parameter_sets,
    parse_sps,
    read_tools,
    split_nals,
    starts_picture,
    write_tools,
)
from phy.source.pictures.codec import CodecError, as_picture

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["BPG"]

_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
# One IDR picture, nothing but parameter sets and slices; no thread pool, so that the bytes do not depend on
# the machine. BPG implies asymmetric partitions (amp, which needs rect), and has no levels: long and narrow
# pictures are coded in blocks that the level of their length does not allow.
_X265 = (
    "qp={quality}:keyint=1:info={info}:aud=0:hrd=0:hash=0:amp=1:rect=1:repeat-headers=1:pools=none:"
    "frame-threads=1:wpp=0:slices=1:min-cu-size={block}:"
    "allow-non-conformance=1:log-level=none"
)
# FFmpeg reads ahead of the data; zeros behind a NAL unit are legal (H.265 clause B.2).
_PADDING = bytes(64)
_FORMATS: dict[Chroma, str] = {"gray": "gray", "420": "yuv420p", "422": "yuv422p", "444": "yuv444p"}
_READABLE_DEPTHS = (8, 10, 12)


@dataclass(frozen=True)
class BPG:
    r"""BPG files in YCbCr of BT.601 at full range, written with x265 and read with FFmpeg.

    The quality is ``-q`` of the reference encoder `bpgenc`, from 51 (smallest file) down to 0. x265
    codes intra pictures 3 steps finer than the constant QP it is given (``ipratio`` 1.4), so the QP in the
    slice header is ``max(0, quality - 3)``: 29, the default of `bpgenc`, is HEVC's QP 26.

    `decode` reads any still BPG file of 8, 10 or 12 bits in all of the format's samplings and RGB-like
    colour spaces, not only files of the same settings, but for lossless ones of the reference HEVC encoder.
    An opacity plane is ignored. Damage in the HEVC data
    seldom shows: the decoder conceals it and returns a picture. Only a checksum tells.

    Parameters
    ----------
    chroma:
        Chroma sampling: ``"444"``, ``"422"``, ``"420"`` or ``"gray"`` (luma alone).
    bit_depth:
        8 or 10 bits a sample inside the codec; pictures are ``uint8`` on both sides either way.
    preset:
        x265's trade of time for size, ``"ultrafast"`` to ``"placebo"``; `bpgenc` uses ``"veryslow"``.

    Raises
    ------
    ValueError
        If a setting is none of these.
    ImportError
        If PyAV is missing or comes without libx265.

    References
    ----------
    F. Bellard, "BPG Specification", version 0.9.5, 2015.

    Examples
    --------
    >>> codec = BPG("420")
    >>> data = codec.encode(np.full((5, 7, 3), 128, dtype=np.uint8), 29)
    >>> data[:4], codec.decode(data, (5, 7)).shape
    (b'BPG\xfb', (5, 7, 3))
    """

    chroma: Chroma = "444"
    bit_depth: int = 8
    preset: str = "veryslow"

    def __post_init__(self) -> None:
        if self.chroma not in get_args(Chroma):
            raise ValueError(f"chroma must be one of {', '.join(get_args(Chroma))}, got {self.chroma!r}")
        if self.bit_depth not in (8, 10):
            raise ValueError(f"bit_depth must be 8 or 10, got {self.bit_depth!r}")
        if self.preset not in _PRESETS:
            raise ValueError(f"preset must be one of {', '.join(_PRESETS)}, got {self.preset!r}")
        _av()

    @property
    def name(self) -> str:
        """``bpg-<chroma>-<bit depth>``, and the preset where it is not ``veryslow``."""
        suffix = "" if self.preset == "veryslow" else f"-{self.preset}"
        return f"bpg-{self.chroma}-{self.bit_depth}{suffix}"

    @property
    def version(self) -> str:
        """Versions of PyAV, FFmpeg and x265."""
        return _version()

    @property
    def qualities(self) -> tuple[int, ...]:
        """51, 50, ..., 0: x265's constant QP."""
        return tuple(range(51, -1, -1))

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress a picture; equal pictures give equal bytes.

        Parameters
        ----------
        image:
            ``[height, width, 3]`` RGB or ``[height, width]`` gray, ``uint8``, of any size from 1 x 1.
        quality:
            One of `qualities`.

        Raises
        ------
        ValueError
            If the picture or the quality is not of that kind.
        """
        picture = as_picture(image)
        if quality not in self.qualities:
            raise ValueError(f"quality must be one of 51 (worst) to 0 (best), got {quality!r}")
        height, width = picture.shape[:2]
        # FFmpeg refuses coding tree blocks below 16, and x265 would pad what is smaller than its blocks.
        block = 16 if min(height, width) <= 8 else 8
        stream = _compress(self._planes(picture, block), self, int(quality), block)
        header = Header(height, width, self.chroma, self.bit_depth)
        return write_header(header) + _strip(stream, header)

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress a BPG file; zeros behind its end are ignored.

        Parameters
        ----------
        data:
            The file.
        shape:
            (height, width) that the file must have; any other is refused before anything is decoded.

        Returns
        -------
        numpy.ndarray
            ``[height, width, 3]`` RGB, ``uint8``; gray pictures have three equal channels.

        Raises
        ------
        CodecError
            And nothing else, if the data do not give such a picture.
        """
        header, rest = read_header(bytes(data).rstrip(b"\x00"))
        if (header.height, header.width) != tuple(shape):
            size = f"{header.height} x {header.width}"
            raise CodecError(f"expected a picture of {shape[0]} x {shape[1]}, got {size}")
        if header.bit_depth not in _READABLE_DEPTHS:
            raise CodecError(f"BPG files of {header.bit_depth} bits are not read, only {_READABLE_DEPTHS}")
        if header.has_alpha:
            _, rest = read_tools(rest)
        tools, rest = read_tools(rest)
        planes = _decompress(_stream(tools, header, rest), header, tools)
        full = [planes[0], *(interpolate(plane, shape, header) for plane in planes[1:])]
        return planes_to_rgb(full, header)

    def _planes(self, picture: NDArray[np.uint8], block: int) -> list[NDArray[np.int32]]:
        """Luma and chroma as x265 takes them: decimated, edges repeated up to whole blocks."""
        if picture.ndim == 2 and self.chroma == "gray":
            planes = [gray_plane(picture, self.bit_depth)]
        else:
            rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
            luma, cb, cr = rgb_to_ycc(rgb, self.bit_depth)
            planes = [luma]
            if self.chroma != "gray":
                planes += [decimate(plane, self.chroma, self.bit_depth) for plane in (cb, cr)]
        height, width = (-(-size // block) * block for size in picture.shape[:2])
        shapes = [(height, width), *[chroma_shape(height, width, self.chroma)] * 2]
        return [_pad(plane, shape) for plane, shape in zip(planes, shapes, strict=False)]


def _pad(plane: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Repeat the last row and column up to ``shape``."""
    return np.pad(plane, ((0, shape[0] - plane.shape[0]), (0, shape[1] - plane.shape[1])), mode="edge")


def _strip(stream: bytes, header: Header) -> bytes:
    """Turn x265's byte stream into ``hevc_header`` and ``hevc_data``."""
    nals = list(split_nals(stream))
    parameters = parse_sps(next(nal for nal in nals if nal_type(nal) == SPS))
    tools = parameters.tools
    height, width = coded_size(header.height, tools), coded_size(header.width, tools)
    implied = SequenceParameters(tools, header.chroma, header.bit_depth, height, width)
    if parameters != implied:
        raise RuntimeError(
            f"x265 wrote {parameters} where BPG implies {implied}: use another version of PyAV"
        )
    return write_tools(tools) + START_CODE.join(nal for nal in nals if is_coded(nal))


def _stream(tools: CodingTools, header: Header, data: bytes) -> bytes:
    """Byte stream of the first picture, parameter sets in front.

    Units of other kinds are left out: a damaged slice must not pass for an SPS of another size.
    """
    kept = [parameter_sets(tools, header.height, header.width, header.chroma, header.bit_depth)]
    started = False
    for nal in split_nals(data):
        if len(nal) < 3 or nal_layer(nal) or not is_coded(nal):
            continue
        if starts_picture(nal):
            if started:
                break
            started = True
        elif tools.implicit_rdpcm and nal_type(nal) == PPS and bypasses_transform(nal):
            # FFmpeg filters the edges of such blocks, which H.265, 8.4.4.2.6, says not to do.
            raise CodecError(
                "lossless BPG files with implicit residual DPCM (bpgenc -e jctvc -lossless) are not read: "
                "the HEVC decoder here would show other pixels; write them with bpgenc -e x265"
            )
        kept += [START_CODE, nal]
    if not started:
        raise CodecError("the BPG file holds no HEVC picture")
    return b"".join([*kept, _PADDING])


# -- PyAV -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _av() -> ModuleType:
    """Import PyAV, and make sure that it can do what is needed."""
    try:
        import av
    except ImportError as error:
        raise ImportError("BPG needs PyAV with libx265: pip install av") from error
    if not {"libx265", "hevc"} <= set(av.codecs_available):
        raise ImportError(
            f"BPG needs PyAV with libx265 and the HEVC decoder, which av {av.__version__} here lacks; "
            "the ready-made wheels have both: pip install --force-reinstall --only-binary :all: av"
        )
    return av


def _format(chroma: Chroma, bit_depth: int) -> str:
    return _FORMATS[chroma] + ("" if bit_depth == 8 else f"{bit_depth}le")


def _compress(planes: list[NDArray[np.int32]], codec: BPG, quality: int, block: int, info: int = 0) -> bytes:
    """Code padded planes as one IDR picture; return x265's byte stream, parameter sets included."""
    av = _av()
    height, width = planes[0].shape
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height = width, height
    context.pix_fmt = _format(codec.chroma, codec.bit_depth)
    context.time_base = Fraction(1, 25)
    context.thread_count = 1
    context.options = {
        "preset": codec.preset,
        "tune": "ssim",
        "x265-params": _X265.format(quality=quality, block=block, info=info),
    }
    frame = av.VideoFrame(width, height, context.pix_fmt)
    for target, plane in zip(frame.planes, planes, strict=True):
        _fill(target, plane, codec.bit_depth)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _fill(target: Any, plane: NDArray[np.int32], bit_depth: int) -> None:
    """Copy ``plane`` into a PyAV plane, whose rows may be longer."""
    kind: Any = np.uint8 if bit_depth == 8 else np.dtype("<u2")
    rows = np.zeros((target.height, target.line_size // np.dtype(kind).itemsize), dtype=kind)
    rows[: plane.shape[0], : plane.shape[1]] = plane
    target.update(rows.tobytes())


def _decompress(stream: bytes, header: Header, tools: CodingTools) -> list[NDArray[np.int32]]:
    """Decode a byte stream; return its planes, cropped to the picture's size."""
    av = _av()
    context = av.CodecContext.create("hevc", "r")
    context.thread_count = 1
    try:
        frames = [*context.decode(av.Packet(stream)), *context.decode(None)]
    except av.FFmpegError as error:
        raise CodecError(f"the HEVC decoder refuses the data: {error}") from error
    if not frames:
        raise CodecError("the HEVC data give no picture")
    frame = frames[0]
    coded = (coded_size(header.height, tools), coded_size(header.width, tools))
    expected = (_format(header.chroma, header.bit_depth), *coded)
    if (frame.format.name, frame.height, frame.width) != expected:
        got = (frame.format.name, frame.height, frame.width)
        raise CodecError(f"the HEVC data give a picture of {got} instead of {expected}")
    size = (header.height, header.width)
    shapes = [size, *[chroma_shape(*size, header.chroma)] * 2]
    kind: Any = np.uint8 if header.bit_depth == 8 else np.dtype("<u2")
    return [
        np.frombuffer(plane, dtype=kind).reshape(plane.height, -1)[:rows, :columns].astype(np.int32)
        for plane, (rows, columns) in zip(frame.planes, shapes, strict=False)
    ]


@lru_cache(maxsize=1)
def _version() -> str:
    """Versions, x265's from the note that it writes into a stream when asked to (``info``)."""
    av = _av()
    stream = _compress([np.zeros((16, 16), dtype=np.int32)], BPG("gray", preset="ultrafast"), 51, 16, info=1)
    note = re.search(rb"x265 \(build \d+\) - ([^:\s]+)", stream)
    x265 = note[1].decode("ascii", "replace") if note else "of unknown version"
    libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"av {av.__version__}, FFmpeg {av.ffmpeg_version_info} (libavcodec {libavcodec}), x265 {x265}"
