"""VLM-CSC's text codec for captions of one's own: their words as learned symbols, through our analog link.

Network, loss and SNRs are those of `bridge.training.scenes.text_jscc`; the tokens are learned from the
captions, and words that it has never seen are sent byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bridge.training.scenes.batches import CPU, SPECIAL, Compute, train_vocabulary
from bridge.training.scenes.text_jscc import filled_up, learned_code
from bridge.training.texts.captions import Captions, split_captions
from bridge.training.trainer import Recipe

__all__ = ["OwnTexts", "caption_jscc"]

_VOCABULARY = 4096
_LONGEST = 6  # characters a token; captions have fewer, and what is too long is cut
_ODD = 10  # one row in so many is of any tokens, so that any text can be sent, and not captions alone


@dataclass(frozen=True)
class OwnTexts:
    """Captions, and rows of any tokens, which mean nothing.

    Attributes
    ----------
    core:
        Tokenizer without a frame.
    captions:
        What is drawn from.
    count, seed, most:
        Rows of a batch; of the draws; most tokens.
    """

    core: Tokenizer
    captions: Captions
    count: int
    seed: int
    most: int

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Tokens ``[B, L]`` of a step, filled up with ``PAD``."""
        texts = self.captions.batch(self.count, self.seed, step, longest=_LONGEST * self.most)
        draw = np.random.default_rng([self.seed, step, 3])
        rows = [self.core.encode(text).ids[: self.most] for text in texts]
        odd = draw.integers(len(SPECIAL), self.core.get_vocab_size(), (self.count, self.most))
        return filled_up(
            [odd[row, : len(ids)].tolist() if row % _ODD == _ODD - 1 else ids for row, ids in enumerate(rows)]
        )


def caption_jscc(
    folders: Sequence[Path],
    *,
    seed: int = 1,
    batch: int = 64,
    most: int = 128,
    snr_db: tuple[float, float] = (-6.0, 18.0),
    compute: Compute = CPU,
) -> Recipe:
    """Text codec of captions, 16 channel uses a token.

    Parameters
    ----------
    folders:
        Where captions lie (`bridge.training.texts.captions.split_captions`).
    seed, batch, most, snr_db, compute:
        As in `bridge.training.scenes.text_jscc.text_jscc`.
    """
    captions = split_captions(folders)
    core = train_vocabulary(captions.train, _VOCABULARY)
    batches = OwnTexts(core, captions, batch, seed, most)
    return learned_code("text-jscc", core, batches, seed=seed, most=most, snr_db=snr_db, compute=compute)
