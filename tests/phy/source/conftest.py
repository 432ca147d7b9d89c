"""Captions, tokenizers and coders for the tests of text coding."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import tokenizers
from tiny.texts import (
    SENTENCES,
    CharacterNgram,
    tabulate,
)

from phy.source.text.arithmetic import Arithmetic, OrderZero
from phy.source.text.coders import (
    TextCoder,
    TokenIds,
    parse_text_coder,
)
from phy.source.text.huffman import Huffman
from phy.source.text.tokens import Tokens
from phy.source.text.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def captions(data_dir: Path) -> list[str]:
    """Captions of Flickr8k, five a picture in a row."""
    with (data_dir / "flickr8k" / "captions.txt").open(encoding="utf-8", newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)]


@pytest.fixture(scope="session")
def ngram(captions: list[str]) -> CharacterNgram:
    """Model of all captions but those of the last 1,091 pictures."""
    return CharacterNgram(captions[:35000], order=7)


@pytest.fixture(scope="session")
def gpt2_folder(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GPT-2's byte-pair encoding under the names of the hub's layout."""
    folder = tmp_path_factory.mktemp("gpt2")
    shutil.copy(data_dir / "tokenizers" / "gpt2_encoder.json", folder / "vocab.json")
    shutil.copy(data_dir / "tokenizers" / "gpt2_vocab.bpe", folder / "merges.txt")
    return folder


@pytest.fixture(scope="session")
def small_tokenizer() -> tokenizers.Tokenizer:
    """Byte-level BPE of some 330 tokens, one of them special."""
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(SENTENCES, vocab_size=330, special_tokens=["<s>"], show_progress=False)
    return tokenizer


@pytest.fixture(scope="session")
def coders(small_tokenizer: tokenizers.Tokenizer) -> list[TextCoder]:
    tokens = Tokens(small_tokenizer)
    vocabulary, counts = tabulate(SENTENCES[:20], tokens)
    return [
        *(parse_text_coder(name) for name in ("latin-1", "utf-8", "ascii7", "huffman", "arithmetic")),
        TokenIds(small_tokenizer),
        Huffman(vocabulary, counts),
        Arithmetic(OrderZero(counts), vocabulary),
        Arithmetic(OrderZero([1] * tokens.size), Vocabulary(tokens, range(tokens.size))),
    ]
