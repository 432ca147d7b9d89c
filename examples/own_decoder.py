"""A decoder of one's own, swept beside the package's: min-sum whose messages weigh more in each iteration.

Run it as a script, or as ``semphy ber --link examples/own_decoder.py:weighted --ebno 1:4:1``.
"""

import torch

from phy import AWGN, LDPC5G, Decoded, DigitalLink, EbN0, Modulation, Structure


class WeightedMinSum:
    """Flooding min-sum: 0.6 of a message counts in the first iteration, all of it in the tenth."""

    def __init__(self, structure: Structure) -> None:
        self.heard = structure.heard
        self.ones = torch.from_numpy(self.heard.graph.matrix.toarray()).bool()

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decide the information bits of ``[batch, n]`` LLRs log p(b=1)/p(b=0)."""
        channel = -self.heard.variables(llr)
        told, sums = torch.zeros(len(llr), *self.ones.shape), channel
        for weight in torch.linspace(0.6, 1.0, 10):
            asked = torch.where(self.ones, sums[:, None, :] - told, torch.inf)
            signs = torch.where(asked < 0, -1.0, 1.0)
            least, _ = asked.abs().topk(2, dim=2, largest=False)
            others = torch.where(asked.abs() == least[:, :, :1], least[:, :, 1:], least[:, :, :1])
            told = torch.where(self.ones, weight * signs.prod(dim=2, keepdim=True) * signs * others, 0.0)
            sums = channel + told.sum(dim=1)
        return Decoded((sums[:, self.heard.information] < 0).to(torch.uint8))


def weighted() -> DigitalLink:
    """5G LDPC over QPSK, decoded by it."""
    return DigitalLink(LDPC5G(64, 128, bits_per_symbol=2, decoder=WeightedMinSum), Modulation("qpsk"), AWGN())


if __name__ == "__main__":
    from benchmarks import collect

    print(collect(weighted(), snr=[EbN0(2.0), EbN0(3.0)], stop={"max_blocks": 1000}).to_text())
