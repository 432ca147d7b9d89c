"""Writes vectors.npz: what Sionna 1.2.2 (TensorFlow) makes of fixed bits, symbols and LLRs.

Run it in an environment of its own, because Sionna 1.x and 2.x share an import name::

    python -m venv sionna1 && sionna1/bin/pip install sionna==1.2.2 && sionna1/bin/python make_vectors.py

LLRs for the decoder are whole quarters, so that the sums of min-sum decoding are exact in float32 whatever
their order, and decoders can be compared bit for bit even where they fail.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.mapping import Demapper, Mapper

# (k, n, bits per symbol of the interleaver or 0)
CODES = [
    (40, 200, 0),
    (100, 200, 2),
    (512, 1024, 4),
    (1000, 1500, 6),
    (1024, 1152, 8),
    (2400, 7200, 2),
    (8000, 9600, 6),
]
MODULATIONS = {"qpsk": 2, "qam16": 4, "qam64": 6, "qam256": 8}
DEMAPPED = 96  # symbols a row
NO = (0.02, 0.1, 0.5)  # one a row
# cn_update of Sionna, iterations, k, n and Es/N0 of BPSK in decibels, where some blocks fail
DECODINGS = [
    ("minsum", 20, 512, 1024, -1.6),
    ("offset-minsum", 20, 100, 200, -1.0),
    ("minsum", 8, 400, 1200, -2.5),
    ("boxplus", 5, 512, 1024, 0.5),
]
BLOCKS = 6


def packed(bits: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.packbits(bits.astype(np.uint8), axis=-1)


def codewords(rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    out: dict[str, NDArray[np.generic]] = {}
    for k, n, order in CODES:
        bits = rng.integers(0, 2, (3, k)).astype(np.float32)
        coded = LDPC5GEncoder(k, n, num_bits_per_symbol=order or None)(tf.constant(bits)).numpy()
        out |= {f"ldpc/{k},{n},{order}/bits": packed(bits), f"ldpc/{k},{n},{order}/coded": packed(coded)}
    return out


def symbols(rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    out: dict[str, NDArray[np.generic]] = {}
    for name, order in MODULATIONS.items():
        # every label once, then bits at random
        labels = np.arange(2**order)[:, None] >> np.arange(order)[::-1] & 1
        out[f"map/{name}/bits"] = labels.reshape(1, -1).astype(np.uint8)
        out[f"map/{name}/symbols"] = Mapper("qam", order)(
            tf.constant(labels.reshape(1, -1), tf.float32)
        ).numpy()
        bits = rng.integers(0, 2, (len(NO), DEMAPPED * order)).astype(np.float32)
        no = np.array(NO, np.float32)[:, None]
        parts = rng.normal(size=(2, len(NO), DEMAPPED)) * np.sqrt(no / 2)
        received = (Mapper("qam", order)(tf.constant(bits)).numpy() + parts[0] + 1j * parts[1]).astype(
            np.complex64
        )
        out |= {f"demap/{name}/received": received, f"demap/{name}/no": no}
        for method in ("app", "maxlog"):
            demapper = Demapper(method, "qam", order)
            llr = demapper(tf.constant(received), tf.constant(np.broadcast_to(no, received.shape)))
            out[f"demap/{name}/{method}"] = llr.numpy()
    return out


def decodings(rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    out: dict[str, NDArray[np.generic]] = {}
    for rule, iterations, k, n, esno_db in DECODINGS:
        encoder = LDPC5GEncoder(k, n)
        coded = encoder(tf.constant(rng.integers(0, 2, (BLOCKS, k)), tf.float32)).numpy()
        variance = 0.5 * 10 ** (-esno_db / 10)
        noisy = 2 * coded - 1 + rng.normal(size=coded.shape) * np.sqrt(variance)
        quarters = np.clip(np.round(8 * noisy / variance), -80, 80).astype(np.int8)
        decoder = LDPC5GDecoder(encoder, cn_update=rule, num_iter=iterations, hard_out=False)
        key = f"decode/{rule},{iterations},{k},{n}"
        soft = decoder(tf.constant(quarters / 4, tf.float32)).numpy()
        out |= {f"{key}/quarters": quarters, f"{key}/llr": soft.astype(np.float32)}
    return out


def main() -> None:
    rng = np.random.default_rng(2211)
    names = ("sionna", "tensorflow", "numpy")
    versions = {name: version(name) for name in names} | {"python": platform.python_version()}
    vectors = codewords(rng) | symbols(rng) | decodings(rng)
    path = Path(__file__).with_name("vectors.npz")
    np.savez_compressed(path, versions=np.array(json.dumps(versions)), **vectors)
    print(path.stat().st_size, "bytes", versions)


if __name__ == "__main__":
    main()
