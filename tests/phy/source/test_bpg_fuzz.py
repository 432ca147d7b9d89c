"""Damaged BPG files: no crash, no hang, nothing printed; a `CodecError` or a picture of the right shape.

The decoding happens in a child process (this file run as a script), so that a crash of native code is a
failed test instead of the end of all of them.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from phy.source.bpg.bpg import BPG
from phy.source.pictures.codec import CodecError

SHAPES = ((33, 47), (64, 96), (8, 8), (17, 130))
FORMATS = (
    ("444", 8),
    ("420", 8),
    ("422", 10),
    ("gray", 8),
    ("444", 10),
    ("420", 10),
    ("422", 8),
    ("gray", 10),
)
PAYLOADS_PER_FILE = 250
SECONDS_PER_PAYLOAD = 20.0


def flip(rng: np.random.Generator, data: bytes, rate: float, start: int = 0) -> bytes:
    """Flip each bit from byte ``start`` on with probability ``rate``, but one at least."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    wrong = rng.random(bits.size) < rate
    wrong[rng.integers(8 * start, bits.size)] = True
    wrong[: 8 * start] = False
    return np.packbits(bits ^ wrong).tobytes()


def damaged(rng: np.random.Generator, data: bytes) -> Iterator[bytes]:
    """Files with all kinds of damage, one of each kind in turn."""
    while True:
        yield flip(rng, data, 10 ** rng.uniform(-4, -2))
        yield flip(rng, data, 10 ** rng.uniform(-4, -2), start=14)
        yield data[: rng.integers(0, len(data))]
        yield data[: rng.integers(9, len(data))] + bytes(int(rng.integers(1, 400)))
        yield rng.bytes(int(rng.integers(0, 300)))
        yield data[:9] + rng.bytes(len(data) - 9)
        yield data[:13] + rng.bytes(len(data) - 13)
        yield flip(rng, data[:20], 0.02) + data[20:]
        yield flip(rng, data[:30], 0.05, start=8) + data[30:]
        first, length = (int(number) for number in rng.integers(14, len(data), 2))
        yield data[:first] + data[first + length % 50 :]
        yield data[:first] + rng.choice([b"\0\0\1", b"\0\0\1\x42\1", b"\0\0\1\x26\1\xaf"]) + data[first:]


def main() -> None:
    """Decode all payloads, and print how many of each outcome there were."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    outcomes: Counter[str] = Counter()
    for index, (chroma, depth) in enumerate(FORMATS):
        shape = SHAPES[index % len(SHAPES)]
        repeats = (-(-shape[0] // 8), -(-shape[1] // 8), 1)
        codec = BPG(chroma, depth, preset="ultrafast")
        data = codec.encode(np.tile(image, repeats)[: shape[0], : shape[1]], 30 + index)
        payloads = damaged(np.random.default_rng(index), data)
        for number in range(PAYLOADS_PER_FILE):
            faulthandler.dump_traceback_later(SECONDS_PER_PAYLOAD, exit=True)
            payload = next(payloads)
            results = []
            for _ in range(1 + (number % 4 == 0)):
                try:
                    results.append(codec.decode(payload, shape))
                    outcomes["picture"] += 1
                except CodecError:
                    outcomes["error"] += 1
            wrong = [picture.shape for picture in results if picture.shape != (*shape, 3)]
            outcomes["wrong"] += len(wrong) + any(picture.dtype != np.uint8 for picture in results)
            if len(results) == 2:
                outcomes["unstable"] += not np.array_equal(*results)
    faulthandler.cancel_dump_traceback_later()
    # What a process takes over from its parent counts as its own: only growth tells.
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    outcomes["megabytes"] = grown // 1024
    print(json.dumps(outcomes))


@pytest.mark.slow
def test_two_thousand_damaged_files() -> None:
    ran = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, f"decoder ended with {ran.returncode}: {ran.stderr[-2000:]}"
    assert ran.stderr == ""
    outcomes = json.loads(ran.stdout)
    assert outcomes["wrong"] == 0
    assert outcomes["unstable"] == 0, "the same damaged file gave two different pictures"
    assert outcomes["picture"] + outcomes["error"] >= 2000
    # Both ways out must have been taken often, or the damage was not what it is meant to be.
    assert outcomes["picture"] > 500 and outcomes["error"] > 500
    assert outcomes["megabytes"] < 1024


if __name__ == "__main__":
    main()
