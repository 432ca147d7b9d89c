"""Pictures and an independent reader of BPG's container, bit by bit."""

from __future__ import annotations

from itertools import product

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from phy.source.bpg import bpg
from phy.source.bpg.bpg import BPG
from phy.source.bpg.container import Header

FORMATS = list(product(("444", "422", "420", "gray"), (8, 10)))


LUMA = np.array([0.299, 0.587, 0.114])


def smooth(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture of slow waves in all three channels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [
        128 + 100 * np.sin(x / rng.uniform(25, 60) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(25, 60))
        for _ in range(3)
    ]
    return np.stack(waves, -1).round().astype(np.uint8)


def psnr(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    error = np.mean((reference.astype(float) - image) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


class Bits:
    """The bits of a byte string as text."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)

    def u(self, count: int) -> int:
        field, self.text = self.text[:count], self.text[count:]
        return int(field, 2)

    def ue(self) -> int:
        zeros = self.text.index("1")
        return self.u(2 * zeros + 1) - 1

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def tiny_parser(data: bytes) -> dict[str, object]:
    """Fields of a BPG file as BPG specification 0.9.5 and H.265 lay them out."""
    head = Bits(data[4:6])
    fields: dict[str, object] = {
        "magic": data[:4],
        "pixel_format": head.u(3),
        "alpha1": head.u(1),
        "depth": head.u(4) + 8,
        "color_space": head.u(4),
        "flags": head.u(4),
    }
    rest, numbers = data[6:], []
    while len(numbers) < 4:  # width, height, length of the data, length of hevc_header
        end = next(i for i, byte in enumerate(rest) if byte < 128) + 1
        numbers.append(int("".join(f"{byte & 127:07b}" for byte in rest[:end]), 2))
        rest = rest[end:]
    fields["width"], fields["height"], fields["length"], size = numbers
    tools = Bits(rest[:size])
    fields["min_cb"] = 8 << tools.ue()
    fields["ctb"] = int(str(fields["min_cb"])) << tools.ue()
    tools.ue(), tools.ue(), tools.ue()
    fields["sao"], fields["pcm"], fields["strong"], fields["extension"] = (tools.u(1) for _ in range(4))
    fields["padding"] = tools.text
    pps, *slices = rest[size:].replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    fields["nal_types"] = [nal[0] >> 1 for nal in (pps, *slices)]
    bits = Bits(pps[2:].replace(b"\0\0\3", b"\0\0"))
    bits.ue(), bits.ue(), bits.u(7), bits.ue(), bits.ue()
    init_qp = 26 + bits.se()
    bits = Bits(slices[0][2:12].replace(b"\0\0\3", b"\0\0"))
    fields["first_slice"] = bits.u(1)
    bits.u(1), bits.ue()
    fields["slice_type"] = bits.ue()
    if fields["sao"]:
        bits.u(1 if fields["pixel_format"] == 0 else 2)
    fields["slice_qp"] = init_qp + bits.se()
    return fields


def raw_planes(stream: bytes) -> list[NDArray[np.uint8]]:
    """Decode x265's own byte stream, with its own parameter sets."""
    context = av.CodecContext.create("hevc", "r")
    (frame,) = [*context.decode(av.Packet(stream + bytes(64))), *context.decode(None)]
    return [np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width] for p in frame.planes]


def parts(data: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """Split a file of 33 x 47: four bytes of magic and two of fields, hevc_header, NAL units."""
    assert data[6:9] == bytes([47, 33, 0])
    size = 1 + data[9]
    return data[:6], data[9 : 9 + size], data[9 + size :].split(b"\0\0\1")


def lossless(rgb: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> tuple[Header, bytes]:
    """Header and body of what ``bpgenc -e x265 -lossless`` writes: the planes G, B, R without transform."""
    monkeypatch.setattr(bpg, "_X265", bpg._X265 + ":lossless=1")
    header = Header(*rgb.shape[:2], "444", 8, "rgb")
    planes = [rgb[..., place].astype(np.int32) for place in (1, 2, 0)]
    return header, bpg._strip(bpg._compress(planes, BPG("444", preset="ultrafast"), 0, 8), header)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng([height, width]).integers(0, 256, (height, width, 3), dtype=np.uint8)
