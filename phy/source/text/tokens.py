"""Tokens of Hugging Face tokenizers as an alphabet for the coders of text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tokenizers import Tokenizer as FastTokenizer

__all__ = ["Tokenizer", "Tokens", "load_tokenizer"]


class Tokenizer(Protocol):
    """What is used of ``tokenizers.Tokenizer`` and ``transformers.PreTrainedTokenizerBase``."""

    def encode(self, text: str, /, *, add_special_tokens: bool) -> Any:
        """Ids of ``text``, or an object that has them as ``ids``."""

    def decode(self, ids: list[int], /, *, skip_special_tokens: bool) -> str:
        """Text of the ids."""

    def get_vocab(self) -> dict[str, int]:
        """All tokens with their ids."""


class Tokens:
    """The token ids of a tokenizer, without special tokens.

    Parameters
    ----------
    tokenizer:
        A ``tokenizers.Tokenizer``, a ``transformers.PreTrainedTokenizerBase``, or what looks like one.
    """

    unit = "token"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._known = frozenset(tokenizer.get_vocab().values())
        self.size = max(self._known) + 1
        # transformers would otherwise tidy up the spaces before punctuation.
        tidies = hasattr(tokenizer, "clean_up_tokenization_spaces")
        self._options: dict[str, Any] = {"clean_up_tokenization_spaces": False} if tidies else {}

    def split(self, text: str) -> list[int]:
        """Token ids of ``text``.

        Raises
        ------
        ValueError
            If the ids do not give the same text back, as with tokenizers that lower the case or do not
            know a character: such a loss would look like one of the channel.
        """
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        ids = [int(token) for token in getattr(encoding, "ids", encoding)]
        if (back := self.join(ids)[0]) != text:
            raise ValueError(
                f"{text!r} comes back from the tokenizer as {back!r}; "
                "send that text instead, or use a byte-level tokenizer such as GPT-2's"
            )
        return ids

    def join(self, symbols: Sequence[int]) -> tuple[str, str]:
        """Text of the ids, and a remark that says how many are no tokens; those are dropped.

        Special tokens are left out as well.
        """
        ids = [symbol for symbol in symbols if symbol in self._known]
        text = self.tokenizer.decode(ids, skip_special_tokens=True, **self._options)
        bad = len(symbols) - len(ids)
        return text, f"{bad} ids are no tokens" if bad else ""


def load_tokenizer(folder: str | Path) -> FastTokenizer:
    """Load ``tokenizer.json``, or else byte-level BPE from ``vocab.json`` and ``merges.txt``.

    Raises
    ------
    ValueError
        If the folder has neither, or the BPE is not a byte-level one.
    ImportError
        If tokenizers is missing.
    """
    folder = Path(folder)
    single, vocabulary, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if not single.is_file() and not (vocabulary.is_file() and merges.is_file()):
        raise ValueError(
            f"no tokenizer in {folder}: it must have tokenizer.json, or vocab.json and merges.txt"
        )
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError("text as tokens needs tokenizers: pip install tokenizers") from error
    if single.is_file():
        tokenizer = tokenizers.Tokenizer.from_file(str(single))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer
    if any(token.endswith("</w>") for token in json.loads(vocabulary.read_text(encoding="utf-8"))):
        raise ValueError(
            f"the tokenizer in {folder} marks the ends of words (</w>), as CLIP's does, and its vocab.json "
            "does not say how it splits them; save it as tokenizer.json"
        )
    return tokenizers.ByteLevelBPETokenizer(str(vocabulary), str(merges))
