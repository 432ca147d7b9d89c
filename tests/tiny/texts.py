"""Texts, a character model, and references for text coders."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein

from phy.source.text.coders import (
    TextCoder,
)
from phy.source.text.tokens import Tokens
from phy.source.text.vocabulary import PRINTABLE, Vocabulary

SENTENCE_FILE = Path(__file__).parents[2] / "semantic" / "data" / "sentences.txt"


SENTENCES = SENTENCE_FILE.read_text(encoding="utf-8").splitlines()


UNICODE = ["Käse für 3 €", "日本語のテキスト", "naïve 🙂 café\n\ttab", "\x00\x7f\uffff\U0010ffff", ""]


# Text: bits of huffman and of arithmetic, their number and the hexadecimal bytes, zeros behind the last bit.
GOLDEN = {
    "A brown dog runs along the beach.": (
        "142:f46f31e3968b93dbe84cc3dcac29baa718d8",
        "142:3573d94435151a23336379cad3bf9b19803c",
    ),
    "Two children play football, 3:1!": (
        "203:fcf20e30d9b4ab9d653e9ee22b74ce7f83ffdffffafff6ffff00",
        "199:3a2b1407c9547185288176fd7b76278662bdf15baf197626b6",
    ),
    "Über 20 €": ("134:ffffb0003737593ffd7ffd8ffffb0082b0", "135:fffffb0040cc28a2daee325857a45992fa"),
}


class CharacterNgram:
    """Interpolated n-gram over the entries of `PRINTABLE`, smoothed by Witten and Bell's method C."""

    BASE = len(PRINTABLE) + 1  # the last one stands before the beginning of a text

    def __init__(self, texts: Sequence[str], order: int) -> None:
        self.order = order
        start = [self.BASE - 1] * (order - 1)
        line = np.concatenate([[*start, *(entry for entry, _ in PRINTABLE.entries(t))] for t in texts])
        self.tables = []
        for length in range(order):
            key = line[order - 1 :].astype(np.int64)
            for back in range(1, length + 1):
                key = key + line[order - 1 - back : line.size - back] * self.BASE**back
            self.tables.append(np.unique(key[line[order - 1 :] < self.BASE - 1], return_counts=True))

    def __call__(self, context: Sequence[int]) -> np.ndarray:
        history = [self.BASE - 1] * (self.order - 1) + list(context[-(self.order - 1) :])
        probabilities = np.full(len(PRINTABLE), 1 / len(PRINTABLE))
        prefix = 0
        for length, (keys, counts) in enumerate(self.tables):
            if length:
                prefix += history[-length] * self.BASE**length
            first, last = np.searchsorted(keys, [prefix, prefix + self.BASE])
            if first == last:
                break
            seen = counts[first:last]
            probabilities = (last - first) * probabilities
            probabilities[keys[first:last] - prefix] += seen
            probabilities /= seen.sum() + last - first
        return probabilities


def bits_per_character(coder: TextCoder, texts: list[str]) -> float:
    return sum(coder.encode(text)[0].numel() for text in texts) / sum(map(len, texts))


def error_spread(coder: TextCoder, text: str, positions: Sequence[int] | None = None) -> float:
    """Characters that go wrong for one wrong bit, on average over the bits: edit distance of what is read."""
    bits, count = coder.encode(text)
    spread = []
    for place in range(bits.numel()) if positions is None else positions:
        damaged = bits.clone()
        damaged[place] ^= 1
        spread.append(Levenshtein.distance(text, coder.decode(damaged, count)[0]))
    return float(np.mean(spread))


def tabulate(texts: list[str], tokens: Tokens) -> tuple[Vocabulary, list[int]]:
    """Tokens of texts with their counts, and the escape with the number of tokens seen once (Good 1953)."""
    counts = Counter(token for text in texts for token in tokens.split(text))
    vocabulary = Vocabulary(tokens, sorted(counts))
    once = sum(count == 1 for count in counts.values())
    return vocabulary, [*(counts[token] for token in vocabulary.symbols), once]


def entropy(counts: Sequence[int]) -> float:
    total = sum(counts)
    return -sum(count / total * math.log2(count / total) for count in counts if count)


def merged_lengths(counts: Sequence[int]) -> list[int]:
    """Huffman's construction: join the two lightest trees until one is left."""
    lengths = [0] * len(counts)
    heap = [(count, index, [index]) for index, count in enumerate(counts)]
    heapq.heapify(heap)
    for serial in range(len(counts), 2 * len(counts) - 1):
        (first, _, left), (second, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        for index in left + right:
            lengths[index] += 1
        heapq.heappush(heap, (first + second, serial, left + right))
    return lengths


def hexadecimal(bits: torch.Tensor) -> str:
    """Their number and their bytes."""
    return f"{bits.numel()}:{np.packbits(bits.numpy()).tobytes().hex()}"
