"""Text coders: characters, tokens, names and refusals."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import tokenizers
import torch
from tiny.texts import (
    SENTENCES,
    UNICODE,
)

from phy.source.text.coders import (
    Characters,
    TokenIds,
    parse_text_coder,
)
from phy.source.text.tokens import load_tokenizer

# -- characters and tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_characters_are_pythons_bytes(encoding: str) -> None:
    for text in ["A dog.", "Käse", ""]:
        bits, count = Characters(encoding).encode(text)
        expected = text.encode(encoding)
        assert count == len(expected)
        assert bits.tolist() == [int(bit) for byte in expected for bit in f"{byte:08b}"]


def test_ascii7_writes_seven_bits() -> None:
    bits, count = Characters("ascii7").encode("Hi!")
    assert "".join(map(str, bits.tolist())) == "100100011010010100001"
    assert count == 3


@pytest.mark.parametrize(("name", "text", "culprit"), [("ascii7", "Käse", "'ä'"), ("latin-1", "3 €", "'€'")])
def test_characters_outside_are_refused(name: str, text: str, culprit: str) -> None:
    with pytest.raises(ValueError, match=culprit):
        parse_text_coder(name).encode(text)


@pytest.mark.parametrize("name", ["utf-8", "huffman", "arithmetic"])
def test_lone_surrogates_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="d800"):
        parse_text_coder(name).encode("\ud800")


def test_invalid_utf8_is_replaced_and_remarked() -> None:
    coder = Characters("utf-8")
    bits, count = coder.encode("dog")
    bits[8] = 1
    assert coder.decode(bits, count) == ("d\ufffdg", "bytes are no valid utf-8")
    # A sent U+FFFD is a character like any other.
    assert coder.decode(*coder.encode("d\ufffdg")) == ("d\ufffdg", "")


def test_token_ids_are_gpt2s(gpt2_folder: Path) -> None:
    coder = parse_text_coder(f"tokens:{gpt2_folder}")
    bits, count = coder.encode("Hello world")
    assert (bits.numel(), count, coder.unit) == (32, 2, "token")
    # GPT-2's published ids.
    assert [int("".join(map(str, row)), 2) for row in bits.reshape(-1, 16).tolist()] == [15496, 995]
    assert parse_text_coder(coder.name).name == coder.name


def test_gpt2_tokens_carry_captions_and_unicode(gpt2_folder: Path, captions: list[str]) -> None:
    coder = parse_text_coder(f"tokens:{gpt2_folder}")
    for text in [*captions[:300], *SENTENCES, *UNICODE]:
        assert coder.decode(*coder.encode(text)) == (text, "")


def test_ids_beyond_the_vocabulary_are_dropped(gpt2_folder: Path) -> None:
    coder = parse_text_coder(f"tokens:{gpt2_folder}")
    bits, count = coder.encode("Hello world")
    bits[:16] = 1
    assert coder.decode(bits, count) == (" world", "1 ids are no tokens")


def test_tokenizers_of_transformers(small_tokenizer: tokenizers.Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(small_tokenizer.to_str()),
        bos_token="<s>",
        clean_up_tokenization_spaces=True,
    )
    plain = TokenIds(small_tokenizer)
    coder = TokenIds(wrapped)
    for text in [*SENTENCES, "A dog , a cat .", *UNICODE]:
        bits, count = coder.encode(text)
        assert torch.equal(bits, plain.encode(text)[0])
        assert bits.numel() == count * math.ceil(math.log2(len(wrapped)))
        assert coder.decode(bits, count) == (text, "")


def test_text_that_tokens_do_not_give_back_is_refused(tmp_path: Path) -> None:
    tokenizer = tokenizers.BertWordPieceTokenizer(
        {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "a": 4, "dog": 5}
    )
    coder = TokenIds(tokenizer)
    assert coder.decode(*coder.encode("a dog")) == ("a dog", "")
    with pytest.raises(ValueError, match="'A dog' comes back from the tokenizer as 'a dog'"):
        coder.encode("A dog")
    tokenizer.enable_padding(length=20)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert TokenIds(load_tokenizer(tmp_path)).encode("a dog")[1] == 2
