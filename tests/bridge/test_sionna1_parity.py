"""The same bits, symbols and LLRs as Sionna 1.2.2 on TensorFlow (vectors: tests/data/sionna1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.npyio import NpzFile

from phy.coding.decoding import Decoding
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.modulation import Modulation

PATH = Path(__file__).parents[1] / "data" / "sionna1" / "vectors.npz"
NAMES = np.load(PATH).files
CODES = [name.split("/")[1] for name in NAMES if name.startswith("ldpc/") and name.endswith("/bits")]
DECODINGS = [name.split("/")[1] for name in NAMES if name.startswith("decode/") and name.endswith("/llr")]
MODULATIONS = ("qpsk", "qam16", "qam64", "qam256")
RULES = {"minsum": "minsum", "offset-minsum": "offset-minsum", "boxplus": "sum-product"}  # theirs: ours


@pytest.fixture(scope="module")
def vectors() -> Iterator[NpzFile]:
    with np.load(PATH) as file:
        yield file


def unpacked(vectors: NpzFile, name: str, count: int) -> torch.Tensor:
    return torch.from_numpy(np.unpackbits(vectors[name], axis=-1, count=count))


def test_vectors_are_sionna_1_2_2_and_small(vectors: NpzFile) -> None:
    assert json.loads(str(vectors["versions"]))["sionna"] == "1.2.2"
    assert PATH.stat().st_size < 300_000
    assert (len(CODES), len(DECODINGS)) == (7, 4)


@pytest.mark.parametrize("code", CODES)
def test_ldpc_codewords(vectors: NpzFile, code: str) -> None:
    k, n, order = (int(part) for part in code.split(","))
    coded = LDPC5G(k, n, bits_per_symbol=order or None).encode(unpacked(vectors, f"ldpc/{code}/bits", k))
    np.testing.assert_array_equal(coded.numpy(), unpacked(vectors, f"ldpc/{code}/coded", n).numpy())


@pytest.mark.parametrize("name", MODULATIONS)
def test_symbols_of_every_label(vectors: NpzFile, name: str) -> None:
    ours = Modulation(name).map(torch.from_numpy(vectors[f"map/{name}/bits"]))
    np.testing.assert_allclose(ours.numpy(), vectors[f"map/{name}/symbols"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("demapping", ["app", "maxlog"])
@pytest.mark.parametrize("name", MODULATIONS)
def test_llrs(vectors: NpzFile, name: str, demapping: str) -> None:
    ours = Modulation(name, demapping).demap(  # type: ignore[arg-type]
        torch.from_numpy(vectors[f"demap/{name}/received"]), torch.from_numpy(vectors[f"demap/{name}/no"])
    )
    # An LLR is a difference of two squared distances over N0, up to 600 here, each good to 2^-24 of itself.
    np.testing.assert_allclose(ours.numpy(), vectors[f"demap/{name}/{demapping}"], rtol=1e-4, atol=7e-5)


@pytest.mark.parametrize("key", DECODINGS)
def test_ldpc_decoding(vectors: NpzFile, key: str) -> None:
    rule, iterations, k, n = key.split(",")
    decoding = Decoding(RULES[rule], "flooding", int(iterations), engine="sionna")
    code = LDPC5G(int(k), int(n), decoding=decoding)
    ours = code.decode(torch.from_numpy(vectors[f"decode/{key}/quarters"]) / 4)
    theirs = vectors[f"decode/{key}/llr"]
    if (
        rule == "boxplus"
    ):  # in float32 a tanh tells LLRs apart to e^|L| 2^-24 only: 1e-3 at 10, everything at 17
        small = np.abs(theirs) < 10
        assert small.sum() > 50
        np.testing.assert_allclose(ours.llr[small], theirs[small], rtol=0, atol=1e-2)
    else:
        np.testing.assert_array_equal(ours.llr, theirs)
    np.testing.assert_array_equal(ours.bits, theirs >= 0)
