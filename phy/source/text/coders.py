"""Coders of text: what a sentence costs in bits, and what becomes of it when some of them are wrong.

========================  ==============================  =======================================
name                      coder                           a wrong bit damages
========================  ==============================  =======================================
``latin-1``, ``ascii7``   `Characters`, 8 or 7 bits       its character
``utf-8``                 `Characters`, 8 bits a byte     its character
``tokens:FOLDER``         `TokenIds`                      its token
``huffman``               `Huffman`                       text until the code words fall into step
``arithmetic``            `Arithmetic`                    everything behind it
========================  ==============================  =======================================

``encode`` gives bits and a count of units; the count travels apart, better protected than the text.
``decode`` never raises because of what arrived.
"""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from phy import bits as bit_tools
from phy.source.text.arithmetic import Arithmetic
from phy.source.text.huffman import Huffman
from phy.source.text.tokens import Tokenizer, Tokens, load_tokenizer
from phy.source.text.vocabulary import assemble

__all__ = ["Characters", "TextCoder", "TokenIds", "parse_text_coder"]

Encoding = Literal["latin-1", "utf-8", "ascii7"]


class TextCoder(Protocol):
    """A lossless code for text; the receiver makes what it can of damaged bits.

    Examples
    --------
    >>> coder: TextCoder = parse_text_coder("ascii7")
    >>> bits, count = coder.encode("dog")
    >>> bits[-1] ^= 1  # one bit goes wrong on the way
    >>> coder.decode(bits, count)
    ('dof', '')
    """

    @property
    def name(self) -> str:
        """Name, as it stands in results; `parse_text_coder` reads it back where no model is needed."""

    @property
    def unit(self) -> str:
        """What the count counts: ``"character"``, ``"byte"`` or ``"token"``."""

    def encode(self, text: str) -> tuple[torch.Tensor, int]:
        """Bits ``[n]``, ``torch.uint8``, and the number of units.

        Raises
        ------
        ValueError
            If the coder cannot express the text.
        """

    def decode(self, bits: torch.Tensor, count: int) -> tuple[str, str]:
        """Text, and a remark that is empty if nothing spoke against it; raises for no bits and no count.

        Parameters
        ----------
        bits:
            ``[m]``, ``torch.uint8``; may be damaged, cut off, or longer than needed.
        count:
            Number of units, 0 or more; may be damaged.
        """


class Characters:
    """Text as characters of 8 bits (``ascii7``: 7), most significant bit first.

    Parameters
    ----------
    encoding:
        ``"latin-1"``, ``"utf-8"`` (bytes that are no UTF-8 are read as U+FFFD), or ``"ascii7"``.

    Raises
    ------
    ValueError
        If the encoding is none of these.

    Examples
    --------
    >>> coder = Characters("utf-8")
    >>> bits, count = coder.encode("Café")
    >>> count, bits.numel(), coder.decode(bits, count)
    (5, 40, ('Café', ''))
    """

    def __init__(self, encoding: Encoding = "utf-8") -> None:
        if encoding not in get_args(Encoding):
            known = ", ".join(get_args(Encoding))
            raise ValueError(f"text encoding must be one of {known}, got {encoding!r}")
        self.name: str = encoding
        self.unit = "byte" if encoding == "utf-8" else "character"
        self._codec = "ascii" if encoding == "ascii7" else encoding
        self._width = 7 if encoding == "ascii7" else 8

    def encode(self, text: str) -> tuple[torch.Tensor, int]:
        """Bits ``[n]``, ``torch.uint8``, and the number of units.

        Raises
        ------
        ValueError
            If the encoding lacks a character of the text.
        """
        try:
            data = text.encode(self._codec)
        except UnicodeEncodeError as error:
            raise ValueError(f"{self.name} has no character {text[error.start]!r}; utf-8 has all") from error
        bits = bit_tools.from_bytes(data).reshape(-1, 8)[:, 8 - self._width :]
        return bits.reshape(-1), len(data)

    def decode(self, bits: torch.Tensor, count: int) -> tuple[str, str]:
        """Text of the first ``count`` units, and a remark if fewer arrived or they are no UTF-8."""
        arrived = min(count, bits.numel() // self._width)
        units = bits[: arrived * self._width].reshape(-1, self._width)
        padded = torch.nn.functional.pad(units, (8 - self._width, 0))
        data = bit_tools.to_bytes(padded.reshape(-1))
        text = data.decode(self._codec, errors="replace")
        remarks = ["bytes are no valid utf-8"] if text.encode(self._codec, errors="replace") != data else []
        if arrived < count:
            remarks.append(f"count {count} claims more than the {arrived} {self.unit}s that arrived")
        return text, "; ".join(remarks)


class TokenIds:
    """Text as token ids of a fixed length: ceil(log2(vocabulary)) bits, most significant bit first.

    Parameters
    ----------
    tokenizer:
        A Hugging Face tokenizer; special tokens are neither sent nor shown.
    name:
        Name, as it stands in results; should tell the tokenizer.
    """

    unit = "token"

    def __init__(self, tokenizer: Tokenizer, name: str = "tokens") -> None:
        self.name = name
        self.tokens = Tokens(tokenizer)
        self._places: NDArray[np.int64] = np.arange((self.tokens.size - 1).bit_length() - 1, -1, -1)

    def encode(self, text: str) -> tuple[torch.Tensor, int]:
        """Bits ``[n]``, ``torch.uint8``, and the number of tokens.

        Raises
        ------
        ValueError
            If the tokens do not give the same text back.
        """
        ids = np.array(self.tokens.split(text), dtype=np.int64)
        bits = (ids[:, None] >> self._places) & 1
        return torch.from_numpy(bits.astype(np.uint8).reshape(-1)), len(ids)

    def decode(self, bits: torch.Tensor, count: int) -> tuple[str, str]:
        """Text of the first ``count`` tokens, and a remark if fewer arrived or some ids are no tokens."""
        width = self._places.size
        arrived = min(count, bits.numel() // width)
        received = bits[: arrived * width].cpu().numpy().astype(np.int64).reshape(-1, width)
        return assemble(self.tokens, (received << self._places).sum(axis=1).tolist(), count)


def parse_text_coder(name: str) -> TextCoder:
    """Return the coder of a name.

    Parameters
    ----------
    name:
        ``latin-1``, ``utf-8``, ``ascii7``, ``huffman``, ``arithmetic``, or ``tokens:`` and a folder with a
        tokenizer in the hub's layout (``tokenizer.json``, or ``vocab.json`` and ``merges.txt``).

    Raises
    ------
    ValueError
        If there is no such coder, or no tokenizer in the folder.
    ImportError
        If tokens are asked for and tokenizers is missing.

    Examples
    --------
    >>> parse_text_coder("huffman").name
    'huffman'
    """
    kind, _, folder = name.partition(":")
    if kind == "tokens" and folder:
        return TokenIds(load_tokenizer(folder), name)
    if name == "huffman":
        return Huffman.english()
    if name == "arithmetic":
        return Arithmetic.english()
    for encoding in get_args(Encoding):
        if name == encoding:
            return Characters(encoding)
    raise ValueError(
        f"no text coder is called {name!r}; there are {', '.join(get_args(Encoding))}, huffman, arithmetic "
        "and tokens:FOLDER"
    )
