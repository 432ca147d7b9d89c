"""One rule for the LLRs of all decoders: infinite ones are certain, NaN is refused, gradients are left."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from phy.channels.flat import AWGN
from phy.coding.catalog import CODES, code_kind
from phy.coding.code import Code
from phy.coding.decoding import HARD
from phy.links.analog import AnalogLink
from phy.random import Stream, bits
from phy.units import EsN0

BUILDS = [
    (name, algorithm, engine)
    for name, kind in CODES.items()
    if not kind.from_file
    for algorithm in kind.decoders
    for engine in kind.engines
    if (algorithm, engine) != ("sum-product", "torch") and (algorithm not in HARD or engine == "compiled")
]


def build(name: str, algorithm: str, engine: str) -> Code:
    kind = code_kind(name)
    return kind.build(60, decoding=replace(kind.decoding, algorithm=algorithm, engine=engine))


@pytest.mark.parametrize(("name", "algorithm", "engine"), BUILDS)
def test_the_rule_holds_for_every_decoder(name: str, algorithm: str, engine: str) -> None:
    code = build(name, algorithm, engine)
    sent = bits(Stream(1).batch(range(3)), 60)
    llr = torch.where(code.encode(sent) == 1, math.inf, -math.inf)
    decoded = code.decode(llr.requires_grad_())
    assert torch.equal(decoded.bits, sent)
    assert decoded.llr is None or (torch.isfinite(decoded.llr).all() and not decoded.llr.requires_grad)
    llr = llr.detach()
    llr[1, 3] = math.nan
    with pytest.raises(ValueError, match=r"LLRs must be numbers \(infinite ones are certain bits\), got NaN"):
        code.decode(llr)


def test_opposite_certainties_of_a_repeated_bit_cancel() -> None:
    code = CODES["conv"].build(20, 104)  # each of 52 bits twice
    sent = bits(Stream(2).batch([0]), 20)
    llr = torch.where(code.encode(sent) == 1, 4.0, -4.0)
    index = code._matcher.index  # type: ignore[attr-defined]
    twice = torch.nonzero(index == index[0])[:, 0]
    llr[0, twice[0]], llr[0, twice[1]] = math.inf, -math.inf
    assert torch.equal(code.decode(llr).bits, sent)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_analog_symbols_must_be_finite(value: float) -> None:
    symbols = torch.full((1, 4), complex(value, 0.0))
    with pytest.raises(ValueError, match="symbols must be finite, got NaN or infinity"):
        AnalogLink(AWGN())(symbols, EsN0(10.0), [Stream(1)])
