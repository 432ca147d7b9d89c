"""Noise as an argument against noise as the channel draws it."""

import numpy as np
import pytest
import torch

from phy.coding.code import Decoded
from phy.coding.uncoded import Uncoded
from phy.modulation import Modulation
from phy.rare.failures import Failures
from phy.units import EsN0


class Listening(Uncoded):
    """Keeps what it is given to decode."""

    def decode(self, llr: torch.Tensor) -> Decoded:
        self.heard = llr
        return super().decode(llr)


@pytest.mark.parametrize("name", ["bpsk", "qpsk"])
def test_the_decoder_hears_what_a_demapper_says(name: str) -> None:
    random, snr, modulation = np.random.default_rng(1), EsN0(3.0), Modulation(name)
    code = Listening(64)
    bits = torch.from_numpy(random.integers(0, 2, (5, 64), dtype=np.uint8))
    noise = random.standard_normal((5, 64), np.float32)
    wrong = Failures(code, modulation, snr).wrong(bits, Failures(code, modulation, snr).sent(bits), noise)
    per_axis = torch.from_numpy(noise) * (snr.no / 2.0) ** 0.5
    symbols = modulation.map(bits)
    received = symbols + (per_axis if name == "bpsk" else torch.complex(per_axis[:, ::2], per_axis[:, 1::2]))
    llr = modulation.demap(received, torch.full(symbols.shape, snr.no))
    torch.testing.assert_close(code.heard, llr, rtol=1e-4, atol=1e-4)
    assert wrong.tolist() == ((llr > 0).to(torch.uint8) != bits).sum(dim=1).tolist()


def test_other_constellations_are_refused() -> None:
    with pytest.raises(ValueError, match="with bpsk and qpsk, got qam16"):
        Failures(Uncoded(4), Modulation("qam16"), EsN0(3.0))
