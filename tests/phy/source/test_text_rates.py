"""Text coders: Huffman's lengths, and rates against entropies."""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny.texts import (
    CharacterNgram,
    bits_per_character,
    entropy,
    merged_lengths,
    tabulate,
)

from phy.source.text.arithmetic import Arithmetic, OrderZero
from phy.source.text.huffman import Huffman, canonical_codes, code_lengths
from phy.source.text.tokens import Tokens, load_tokenizer
from phy.source.text.vocabulary import CodePoints, Vocabulary, english_counts

# -- Huffman ------------------------------------------------------------------------------------------------


def test_code_lengths_of_english_are_huffmans() -> None:
    counts = english_counts()
    lengths = code_lengths(counts)
    assert lengths == merged_lengths(counts)
    assert sum(2.0**-length for length in lengths) == 1.0


def test_code_lengths_of_random_tables_are_huffmans() -> None:
    generator = np.random.default_rng(3)
    for size in (2, 3, 10, 96, 1000):
        distinct = generator.integers(1, 1 << 40, size).tolist()  # no ties, hence one code
        limit = max(merged_lengths(distinct))
        assert code_lengths(distinct, limit) == merged_lengths(distinct)
        tied = generator.integers(1, 9, size).tolist()
        cost = [np.dot(tied, lengths) for lengths in (code_lengths(tied), merged_lengths(tied))]
        assert cost[0] == cost[1]


def test_limited_code_lengths_are_the_best_there_are() -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        counts = (2 ** generator.uniform(0, 12, 6)).astype(int).tolist()
        allowed = (
            lengths
            for lengths in itertools.product(range(1, 5), repeat=6)
            if sum(2.0**-length for length in lengths) <= 1
        )
        lengths = code_lengths(counts, limit=4)
        assert max(lengths) <= 4
        assert np.dot(counts, lengths) == min(np.dot(counts, other) for other in allowed)
        assert sum(2.0**-length for length in lengths) == 1.0


def test_fibonacci_counts_are_limited() -> None:
    counts = [1, 1]
    while len(counts) < 40:
        counts.append(counts[-1] + counts[-2])
    assert max(merged_lengths(counts)) == 39
    assert max(code_lengths(counts)) == 24
    assert sum(2.0**-length for length in code_lengths(counts)) == 1.0


def test_codes_are_canonical() -> None:
    # The example of RFC 1951, clause 3.2.2.
    assert " ".join(canonical_codes([3, 3, 3, 3, 3, 2, 4, 4])) == "010 011 100 101 110 00 1110 1111"
    codes = Huffman.english().codes
    in_order = sorted(range(len(codes)), key=lambda entry: (len(codes[entry]), entry))
    values = [int(codes[entry].ljust(24, "0"), 2) for entry in in_order]
    assert values == sorted(values)
    assert set(codes[in_order[0]]) == {"0"} and set(codes[in_order[-1]]) == {"1"}
    assert not any(b.startswith(a) for a, b in itertools.permutations(codes, 2))


def test_escaped_characters_cost_21_bits_more() -> None:
    coder = Huffman.english()
    escape = len(coder.codes[-1])
    assert coder.encode("é")[0].numel() == escape + 21
    assert coder.encode("aé")[0].numel() == len(coder.codes[ord("a") - 32]) + escape + 21


def test_escaped_non_characters_are_replaced() -> None:
    coder = Huffman.english()
    bits, count = coder.encode("é")
    bits[-21:] = torch.tensor([int(bit) for bit in f"{0x110000:021b}"])
    assert coder.decode(bits, count) == ("\ufffd", "1 code points are no characters")


# -- rates --------------------------------------------------------------------------------------------------


def drawn_text(length: int, seed: int) -> str:
    counts = np.array(english_counts()[:-1])
    drawn = np.random.default_rng(seed).choice(95, length, p=counts / counts.sum())
    return "".join(chr(32 + entry) for entry in drawn)


@pytest.mark.slow
def test_rates_on_independent_characters() -> None:
    counts = english_counts()
    text = drawn_text(100000, seed=1)
    # The standard deviation of a character's code length is below 2 bits.
    slack = 4 * 2 / math.sqrt(len(text))
    rate = bits_per_character(Huffman.english(), [text])
    assert -slack < rate - entropy(counts) < 0.06
    short = text[:20000]
    ideal = -sum(math.log2(counts[ord(c) - 32] / sum(counts)) for c in short)
    assert Arithmetic.english().encode(short)[0].numel() == pytest.approx(ideal, rel=1e-4)


def test_huffman_on_captions_against_their_entropy(captions: list[str]) -> None:
    texts = captions[::4]
    own = entropy(list(Counter("".join(texts)).values()))
    assert 0 < bits_per_character(Huffman.english(), texts) - own < 0.06


def test_english_counts_are_those_of_the_captions(captions: list[str], data_dir: Path) -> None:
    with (data_dir / "coco_captions" / "captions_val2017.csv").open(encoding="utf-8", newline="") as file:
        counts = Counter("".join([*captions, *(row["caption"] for row in csv.DictReader(file))]))
    expected = [counts.pop(chr(code), 0) for code in range(32, 127)]
    assert english_counts() == [max(1, count) for count in [*expected, sum(counts.values())]]


def test_equiprobable_entries_are_plain_binary() -> None:
    letters = Vocabulary(CodePoints(), [ord(letter) for letter in "abc"])
    coder = Arithmetic(OrderZero([1, 1, 1, 1]), letters)
    line = "".join(map(str, coder.encode("abcba")[0].tolist()))
    assert line == "000110010001"  # the last two terminate


@pytest.mark.slow
def test_language_model_on_held_out_captions(captions: list[str], ngram: CharacterNgram) -> None:
    held_out = captions[35000::25]
    coder = Arithmetic(ngram)
    model = bits_per_character(coder, held_out)
    assert model < 0.6 * bits_per_character(Huffman.english(), held_out)
    for text in held_out[:30]:
        assert coder.decode(*coder.encode(text)) == (text, "")


@pytest.mark.slow
def test_language_model_reaches_its_cross_entropy(ngram: CharacterNgram) -> None:
    """On a long text drawn from the model."""
    generator = np.random.default_rng(10)
    entries: list[int] = []
    ideal = 0.0
    while len(entries) < 4000:
        probabilities = ngram(entries)
        entries.append(int(generator.choice(95, p=probabilities[:95] / probabilities[:95].sum())))
        ideal -= math.log2(probabilities[entries[-1]])
    text = "".join(chr(32 + entry) for entry in entries)
    bits, count = Arithmetic(ngram).encode(text)
    assert bits.numel() == pytest.approx(ideal, rel=0.01)
    assert Arithmetic(ngram).decode(bits, count) == (text, "")


@pytest.mark.slow
def test_tables_of_tokens(captions: list[str], gpt2_folder: Path) -> None:
    """Order-0 statistics of GPT-2's tokens: Huffman within its bound, arithmetic at the cross-entropy."""
    tokens = Tokens(load_tokenizer(gpt2_folder))
    vocabulary, counts = tabulate(captions[:4000], tokens)
    text = " ".join(captions[36000:36100])
    escape = len(vocabulary) - 1
    entries = [entry for entry, _ in vocabulary.entries(text)]
    ideal = -sum(math.log2(counts[entry] / sum(counts)) for entry in entries)
    arithmetic = Arithmetic(OrderZero(counts), vocabulary)
    huffman = Huffman(vocabulary, counts)
    assert escape in entries
    expected = ideal + entries.count(escape) * math.log2(tokens.size)
    assert arithmetic.encode(text)[0].numel() == pytest.approx(expected, rel=0.01)
    assert huffman.encode(text)[0].numel() == pytest.approx(expected, rel=0.03)
    for coder in (arithmetic, huffman):
        assert coder.decode(*coder.encode(text)) == (text, "")
