"""BPG: what is no picture, and wrong arguments."""

from __future__ import annotations

import sys

import av
import numpy as np
import pytest
from tiny.bpg import smooth

from phy.source.bpg import bpg
from phy.source.bpg.bpg import BPG
from phy.source.bpg.container import write_ue7
from phy.source.pictures.codec import CodecError

# -- refusals ----------------------------------------------------------------------------------------------


def test_zeros_behind_the_file_are_ignored() -> None:
    codec = BPG("444", preset="ultrafast")
    data = codec.encode(smooth(17, 40), 30)
    expected = codec.decode(data, (17, 40))
    for count in (1, 2, 3, 64, 5000):
        np.testing.assert_array_equal(codec.decode(data + bytes(count), (17, 40)), expected)


def test_another_size_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = BPG("444", preset="ultrafast")
    data = codec.encode(smooth(17, 40), 30)
    monkeypatch.setattr(bpg, "_decompress", lambda *_: pytest.fail("must not decode"))
    with pytest.raises(CodecError, match="expected a picture of 40 x 17, got 17 x 40"):
        codec.decode(data, (40, 17))
    huge = data[:6] + write_ue7(2**29) * 2 + data[8:]
    with pytest.raises(CodecError, match="536870912 x 536870912"):
        codec.decode(huge, (17, 40))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BPG\xfb",
        b"BPG\xfb\x60\x00",
        b"BPG\xfb\xc0\x00\x08\x08\x00",
        b"BPG\xfb\x67\x00\x08\x08\x00",
        b"BPG\xfb\x60\x50\x08\x08\x00",
        b"BPG\xfb\x00\x10\x08\x08\x00",
        b"BPG\xfb\x60\x00\x00\x08\x00",
        b"BPG\xfb\x61\x00\x08\x08\x00\x03\x92\x47\x40",
        b"BPG\xfb\x60\x00\x08\x08\x00\x03\x92\x47\x40",
        b"BPG\xfb\x60\x00\x08\x08\x00\x01\x01\x44\x01",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_bpg_picture_is_a_codec_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        BPG().decode(data, (8, 8))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="chroma must be one of gray, 420, 422, 444, got '411'"):
        BPG("411")
    with pytest.raises(ValueError, match="bit_depth must be 8 or 10, got 9"):
        BPG(bit_depth=9)
    with pytest.raises(ValueError, match=r"preset must be one of .*, got 'best'"):
        BPG(preset="best")
    with pytest.raises(ValueError, match=r"got 52"):
        BPG().encode(smooth(8, 8), 52)
    with pytest.raises(ValueError, match=r"got float64 of shape \[8, 8, 3\]"):
        BPG().encode(smooth(8, 8).astype(float), 20)
    for shape in ((8, 8, 4), (0, 8, 3), (8,), (1, 8, 8, 3)):
        with pytest.raises(ValueError, match="picture must be"):
            BPG().encode(np.zeros(shape, np.uint8), 20)


def test_missing_pyav_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    bpg._av.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        with pytest.raises(ImportError, match="pip install av"):
            BPG()
    with monkeypatch.context() as patch:
        patch.setattr(av, "codecs_available", {"hevc"})
        with pytest.raises(ImportError, match=r"libx265.*pip install .*av"):
            BPG()
    BPG()


def test_name_and_version() -> None:
    assert BPG().name == "bpg-444-8" and BPG("420", 10, "medium").name == "bpg-420-10-medium"
    assert BPG().qualities[0] == 51 and BPG().qualities[-1] == 0
    for part in (f"av {av.__version__}", "libavcodec ", "x265 "):
        assert part in BPG().version
    assert "unknown" not in BPG().version
