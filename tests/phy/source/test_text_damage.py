"""Text coders: round trips, damage, and how far an error spreads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny.texts import (
    GOLDEN,
    SENTENCES,
    UNICODE,
    CharacterNgram,
    error_spread,
    hexadecimal,
)

from phy.source.text.arithmetic import Arithmetic
from phy.source.text.coders import (
    Characters,
    TextCoder,
    parse_text_coder,
)
from phy.source.text.huffman import Huffman, code_lengths
from phy.source.text.vocabulary import PRINTABLE, CodePoints, Vocabulary, english_counts

# -- round trips --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sentences_and_printable_text_come_back(coders: list[TextCoder]) -> None:
    generator = np.random.default_rng(5)
    random_texts = ["".join(map(chr, generator.integers(32, 127, size))) for size in range(40)]
    for coder in coders:
        for text in [*SENTENCES, *random_texts]:
            bits, count = coder.encode(text)
            assert bits.dtype == torch.uint8 and bits.ndim == 1
            assert coder.decode(bits, count) == (text, ""), coder.name


def test_unicode_comes_back(coders: list[TextCoder]) -> None:
    for coder in coders:
        if coder.name in ("latin-1", "ascii7"):
            continue
        for text in UNICODE:
            assert coder.decode(*coder.encode(text)) == (text, ""), coder.name


def test_bits_behind_the_text_are_ignored(coders: list[TextCoder]) -> None:
    for coder in coders:
        bits, count = coder.encode("A dog runs.")
        for filler in (torch.zeros(50), torch.ones(50), torch.ones(1)):
            longer = torch.cat([bits, filler.to(torch.uint8)])
            assert coder.decode(longer, count) == ("A dog runs.", ""), coder.name


def test_golden_bits(coders: list[TextCoder]) -> None:
    by_name = {coder.name: coder for coder in coders}
    for text, expected in GOLDEN.items():
        assert (
            tuple(hexadecimal(by_name[name].encode(text)[0]) for name in ("huffman", "arithmetic"))
            == expected
        )
    assert hexadecimal(by_name["ascii7"].encode("A dog")[0]) == "35:828326fce0"


# -- damage -------------------------------------------------------------------------------------------------


def test_count_that_claims_more_is_remarked(coders: list[TextCoder]) -> None:
    for coder in coders:
        bits, count = coder.encode("A dog runs.")
        for arrived, claimed in [(bits, count + 1), (bits, 65535), (bits[:-8], count), (bits[:0], 1)]:
            text, remark = coder.decode(arrived, claimed)
            assert f"count {claimed} claims more" in remark, coder.name
            assert coder.encode(text)[1] < claimed


@pytest.mark.slow
def test_random_bits_are_texts(coders: list[TextCoder]) -> None:
    generator = np.random.default_rng(6)
    for number, coder in enumerate(coders):
        stock = torch.from_numpy(generator.integers(0, 2, 70000, dtype=np.uint8))
        for trial in range(10000 if number < 5 else 1000):
            length = 1500 if trial % 200 == 0 else int(generator.integers(0, 60))
            bits, count = stock[6 * trial : 6 * trial + length], int(generator.integers(0, 65536))
            text, _ = coder.decode(bits, count)
            assert isinstance(text, str)
            text.encode("utf-8")


@pytest.mark.slow
def test_flipped_bits_give_texts(coders: list[TextCoder]) -> None:
    generator = np.random.default_rng(7)
    for coder in coders:
        damaged = 0
        for text in SENTENCES * 3:
            bits, count = coder.encode(text)
            flips = torch.from_numpy(generator.random(bits.numel()) < 0.01).to(torch.uint8)
            received, _ = coder.decode(bits ^ flips, count)
            assert isinstance(received, str)
            assert received == text or flips.any()
            damaged += received != text
        assert damaged > 50, coder.name


@pytest.mark.slow
def test_damage_to_a_language_models_text(captions: list[str], ngram: CharacterNgram) -> None:
    coder = Arithmetic(ngram)
    generator = np.random.default_rng(8)
    for text in captions[36000:36050]:
        bits, _ = coder.encode(text)
        flips = torch.from_numpy(generator.random(bits.numel()) < 0.01).to(torch.uint8)
        assert isinstance(coder.decode(bits ^ flips, int(generator.integers(0, 65536)))[0], str)


def test_work_is_bounded_by_bits_and_by_count() -> None:
    calls = []
    counts = english_counts()

    def counted(context: Sequence[int]) -> np.ndarray:
        calls.append(len(context))
        return np.array(counts) / sum(counts)

    likeliest = -math.log2(max(counts) / sum(counts))
    bits = torch.from_numpy(np.random.default_rng(9).integers(0, 2, 400, dtype=np.uint8))
    Arithmetic(counted).decode(bits, 65535)
    assert len(calls) <= 400 / likeliest + 1
    calls.clear()
    assert len(Arithmetic(counted).decode(bits, 5)[0]) == len(calls) == 5
    # A model that is sure of the next symbol needs no bits for it: then the count is the bound.
    certain = np.zeros(96)
    certain[0] = 1.0
    text, remark = Arithmetic(lambda context: certain).decode(torch.zeros(40, dtype=torch.uint8), 10000)
    assert (text, remark) == (" " * 10000, "")


# -- how far an error spreads, and names ---------------------------------------------------------------------


def test_error_spread_of_characters_is_one() -> None:
    for name in ("latin-1", "ascii7"):
        assert error_spread(parse_text_coder(name), SENTENCES[0]) == 1.0


def test_error_spread_by_hand() -> None:
    # Code words a = 0, b = 10, c = 110, escape = 111: "ab" is 0 10. Flipped bits give 110 -> "c" (one letter
    # missing: 2 edits), 0 0 0 -> "aa" (1 edit), 0 11 -> "a" (1 edit).
    letters = Vocabulary(CodePoints(), [ord(letter) for letter in "abc"])
    coder = Huffman(letters, [4, 2, 1, 1])
    assert coder.codes == ["0", "10", "110", "111"]
    assert error_spread(coder, "ab") == pytest.approx(4 / 3)
    assert error_spread(coder, "ab", [0]) == 2


def test_error_spread_is_ordered() -> None:
    spreads = [
        np.mean([error_spread(parse_text_coder(name), text, range(0, 150, 7)) for text in SENTENCES[:5]])
        for name in ("latin-1", "huffman", "arithmetic")
    ]
    assert 1 == spreads[0] < spreads[1] < spreads[2]


def test_names_are_read_back() -> None:
    for name in ("latin-1", "utf-8", "ascii7", "huffman", "arithmetic"):
        assert parse_text_coder(name).name == name


@pytest.mark.parametrize("name", ["morse", "tokens", "tokens:", "", "huffman:x"])
def test_unknown_names_list_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="latin-1, utf-8, ascii7, huffman, arithmetic and tokens:FOLDER"):
        parse_text_coder(name)


def test_folders_without_a_tokenizer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tokenizer in"):
        parse_text_coder(f"tokens:{tmp_path}")
    (tmp_path / "vocab.json").write_text('{"dog</w>": 0}', encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="</w>"):
        parse_text_coder(f"tokens:{tmp_path}")


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="ebcdic"):
        Characters("ebcdic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 2 counts"):
        Huffman(PRINTABLE, [1, 2])
    with pytest.raises(ValueError, match="different"):
        Vocabulary(CodePoints(), [65, 65])
    with pytest.raises(ValueError, match="at least two entries"):
        Vocabulary(CodePoints(), [])
    with pytest.raises(ValueError, match="2 to 4 words, got 5"):
        code_lengths([1] * 5, limit=2)
    for wrong in (np.ones(96), np.ones(95) / 95, np.full(96, np.nan)):
        with pytest.raises(ValueError, match="must return 96 probabilities"):
            Arithmetic(lambda context, wrong=wrong: wrong).encode("a")
