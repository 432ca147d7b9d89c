"""The table of codes: every entry builds what it says, and says what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from phy.coding.catalog import CODES, code_kind
from phy.coding.decoding import ALGORITHMS, HARD, Decoding
from phy.coding.transport.format import TransportFormat
from phy.random import Stream, bits

LONE = [name for name, kind in CODES.items() if not kind.from_file]


def clean(code: object, k: int) -> bool:
    sent = bits(Stream(1).batch(range(2)), k)
    return torch.equal(code.decode(8.0 * code.encode(sent) - 4.0).bits, sent)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("name", LONE)
def test_a_code_is_built_as_its_entry_says(name: str) -> None:
    kind = CODES[name]
    code = kind.build(60)
    assert code.k == 60
    assert kind.expansion is None or code.n == 60 * kind.expansion
    for engine in kind.engines:
        for algorithm in kind.decoders:
            if (engine == "torch" and algorithm == "sum-product") or (
                engine != "compiled" and algorithm in HARD
            ):
                continue
            if algorithm == "bit-flipping":  # it guesses the punctured bits of 5G LDPC
                continue
            decoding = Decoding(algorithm, iterations=kind.iterations or 1, engine=engine)
            assert clean(kind.build(60, decoding=decoding), 60), (algorithm, engine)
    assert kind.propagates == (name == "ldpc5g")


@pytest.mark.parametrize("name", LONE)
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_the_longest_block_at_every_rate_exists(name: str, share: float) -> None:
    """What `limits` lets through can be built: the most information bits that are cut into a single block."""
    kind = CODES[name]
    rate = kind.highest_rate if name == "none" else share * kind.highest_rate
    most = min(kind.limits(9000, rate)[1], 9000)
    payload = most - (16 if most <= 3840 else 24)  # less the check sum of clause 7.2.1
    form = TransportFormat.for_payload(payload, 2, rate, code=name)
    assert form.blocks == 1
    code = kind.build(form.block_bits, form.block_lengths[0], base_graph=form.base_graph)
    assert (code.k, code.n) == (form.block_bits, form.coded_bits)


def test_matrices_bring_their_own_lengths(data_dir: Path) -> None:
    name = f"alist:{data_dir / 'reference/alist/WIMAX_288_576.alist'}"
    kind = code_kind(name)
    assert kind is CODES["alist"] and kind.label == "alist:FILE" and kind.decoders == (*ALGORITHMS, *HARD)
    code = kind.build(name=name, decoding=Decoding("minsum"))
    assert (code.k, code.n) == (288, 576)
    assert clean(code, 288)


@pytest.mark.parametrize("name", ["ldpc", "", "alist", "ldpc5g:x", "npz:x"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"ldpc5g, .*alist:FILE, qc:FILE, matrix:FILE, got '{name}'"):
        code_kind(name)


def test_decoders_and_engines_are_the_codes_own() -> None:
    with pytest.raises(ValueError, match="the decoder of polar5g is scl or sc, got 'sum-product'"):
        CODES["polar5g"].build(64, decoding=Decoding())
    with pytest.raises(ValueError, match="the engine of turbo is sionna, got 'compiled'"):
        CODES["turbo"].build(64, decoding=Decoding("max-log"))
    with pytest.raises(ValueError, match="the engine of none is compiled or sionna, got 'torch'"):
        CODES["none"].build(64, decoding=Decoding("hard", engine="torch"))
    with pytest.raises(ValueError, match="without a code 60 bits cannot become 61"):
        CODES["none"].build(60, 61)
