"""What an uncoded link makes of sentences: QPSK over AWGN, hard decisions, and the character set's reading.

With bit errors of probability p an 8-bit character is wrong with probability 1 - (1 - p)^8, and for QPSK with
Gray labels p = Q(sqrt(Es/N0)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.special import erfcinv

from phy.channels.flat import AWGN
from phy.modulation import Modulation
from phy.random import Stream
from phy.source.text.coders import Characters
from phy.units import EsN0

__all__ = ["garble", "snr_for"]

_WIDTH = 8
_QPSK = Modulation("qpsk")


def snr_for(cer: float) -> EsN0:
    """Es/N0 at which uncoded QPSK over AWGN gets so many 8-bit characters wrong.

    Parameters
    ----------
    cer:
        Character error rate, above 0 and below 1 - 2^-8.

    Raises
    ------
    ValueError
        If no SNR has this rate.

    Examples
    --------
    >>> round(snr_for(0.03).db, 3)
    8.528
    """
    if not 0 < cer < 1 - 0.5**_WIDTH:
        raise ValueError(
            f"a character error rate above 0 and below {1 - 0.5**_WIDTH:.4f} is needed, got {cer}"
        )
    ber = 1 - (1 - cer) ** (1 / _WIDTH)
    return EsN0(10 * math.log10(2 * float(erfcinv(2 * ber)) ** 2))


def garble(texts: Sequence[str], snr: EsN0, stream: Stream, coder: Characters) -> list[str]:
    """Send sentences through the link, all in one row, their lengths being known at the receiver.

    Parameters
    ----------
    texts:
        Sentences that the coder can express.
    snr:
        Es/N0 a channel use.
    stream:
        Noise.
    coder:
        Of 8 bits a character or byte.
    """
    coded = [coder.encode(text) for text in texts]
    sent = torch.cat([bits for bits, _ in coded])
    if not sent.numel():
        return list(texts)
    heard = AWGN()(_QPSK.map(sent[None]), snr, [stream])
    decided = (_QPSK.demap(heard.symbols, heard.no) > 0).to(torch.uint8)[0]
    rows = torch.split(decided, [bits.numel() for bits, _ in coded])
    return [coder.decode(row, count)[0] for row, (_, count) in zip(rows, coded, strict=True)]
