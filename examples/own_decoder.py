"""A decoder of one's own, swept beside the package's.

Gallager's algorithm A with the channel's hard decisions: a bit is flipped while more than half of its checks
fail. It gets the checks that a received block says something about, and needs nothing else.

Run it as ``semphy ber --link examples/own_decoder.py:flipping --ebno 2:6:1``, or as a script.
"""

import torch

from phy import AWGN, Decoded, DigitalLink, EbN0, LDPC5G, Modulation, Structure


class BitFlipping:
    """Flip the bits of which most checks fail, twenty times."""

    def __init__(self, structure: Structure) -> None:
        heard = structure.heard
        self.checks = torch.from_numpy(heard.graph.matrix().toarray()).float()
        self.places, self.information = torch.from_numpy(heard.places), torch.from_numpy(heard.information)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs."""
        heard = llr.new_zeros(len(llr), self.checks.shape[1]).index_add(1, self.places, llr)
        bits = (heard > 0).float()
        for _ in range(20):
            failed = (bits @ self.checks.T) % 2 @ self.checks
            bits = torch.where(2 * failed > self.checks.sum(dim=0), 1 - bits, bits)
        return Decoded(bits[:, self.information].to(torch.uint8))


def flipping() -> DigitalLink:
    """5G LDPC over QPSK, decoded by it."""
    return DigitalLink(LDPC5G(512, 1024, bits_per_symbol=2, decoder=BitFlipping), Modulation("qpsk"), AWGN())


if __name__ == "__main__":
    from benchmarks import collect

    print(collect(flipping(), snr=[EbN0(4.0), EbN0(6.0)], stop={"max_blocks": 1000}).to_text())
