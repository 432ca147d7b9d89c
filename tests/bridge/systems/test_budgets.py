"""The last channel use of a budget is granted, and not one beyond it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bridge.air.ledger import Entry
from bridge.air.transmission import SymbolPart, Transmission
from bridge.systems.catalog import build_systems
from bridge.systems.context import Context
from bridge.systems.ends import encode_by
from bridge.systems.parts.values import VectorLink, learned, within
from bridge.systems.system import Source
from phy.channels.flat import AWGN
from phy.links.analog import AnalogLink
from phy.units import BudgetExceeded, EsN0

SNR = EsN0(3.0)


def test_within() -> None:
    within("it", 512, 512)
    within("it", 512, None)
    with pytest.raises(BudgetExceeded, match="it takes 513 channel uses, more than the 512 given"):
        within("it", 513, 512)


@pytest.mark.parametrize("count", [1, 7, 64])
def test_two_values_make_a_symbol(count: int) -> None:
    """Nothing travels beside them: ceil(count / 2) channel uses, which have to be there."""
    link, vector = VectorLink(Context(AWGN()), None, "1/2-qpsk"), torch.ones(count)
    uses = -(-count // 2)
    (part,) = link.parts("feature", vector, uses)
    assert part.entries[0].channel_uses == uses
    with pytest.raises(BudgetExceeded, match="more than the"):
        link.parts("feature", vector, uses - 1)
    assert learned("latent", torch.ones(2 * count), AWGN()).entries[0].channel_uses == count


def test_a_sentence() -> None:
    (system,) = build_systems("text-ldpc", AWGN(), "1/2-qpsk")
    source = Source("dog", text="A dog runs.")
    uses = system.encode(source, None, SNR).channel_uses
    assert system.encode(source, uses, SNR).channel_uses == uses
    with pytest.raises(BudgetExceeded, match=f"takes {uses} channel uses for dog, more than the {uses - 1}"):
        system.encode(source, uses - 1, SNR)


class Own:
    """A system of somebody's own that sends so many symbols, whatever it is given."""

    name = family = "mine"

    def __init__(self, symbols: int, accounts: int) -> None:
        self.symbols, self.accounts = symbols, accounts

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        entry = Entry("mine", 0, 0, 0, 0, 0, self.accounts)
        symbols = torch.ones(self.symbols, dtype=torch.complex64)
        return Transmission((SymbolPart("mine", symbols, AnalogLink(AWGN()), (entry,)),))


@pytest.mark.parametrize(("symbols", "accounts"), [(129, 129), (129, 128), (128, 127), (128, 129)])
def test_what_an_own_system_sends(symbols: int, accounts: int) -> None:
    """It is counted at the channel, and the account has to agree."""
    source = Source("grey", np.full((4, 4, 3), 128, np.uint8))
    mine: Any = Own(128, 128)
    assert encode_by(mine, source, 128, SNR).channel_uses == 128
    mine = Own(symbols, accounts)
    with pytest.raises(ValueError, match="of at most 128" if symbols > 128 else f"accounts for {accounts}"):
        encode_by(mine, source, 128, SNR)
