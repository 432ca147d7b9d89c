"""The best coder of texts here: arithmetic coding with a language model that both ends have."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from phy.source.text.arithmetic import Arithmetic
from phy.source.text.ngram import NGram
from phy.source.text.tokens import Tokens, load_tokenizer
from phy.source.text.vocabulary import Vocabulary
from semantic.samples.pictures import bundled_tokenizer, load_sentences
from semantic.scenes.captions import describe
from semantic.scenes.scene import DIFFICULTIES, sample_scene
from semantic.zoo.presets import resolve

__all__ = ["language_coder"]

_SCENES = 3_000
_LOT = 0x5EED  # of scenes that no comparison draws
_ORDER = 4


def language_coder(learned: str) -> Arithmetic:
    """Arithmetic coding of tokens by an n-gram (`phy.source.text.ngram`).

    A scene's description of the medium level, which has 18 bits of facts on average, takes 20.

    Parameters
    ----------
    learned:
        What the model has learned from: ``scenes:easy``, ``scenes:medium`` or ``scenes:hard``, descriptions
        of 3,000 drawn scenes in tokens of `tiny-captioner`; or a text file, a sentence a line, in those of
        the bundled byte-pair encoding.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> coder = language_coder("scenes:easy")
    >>> bits, count = coder.encode("A small plain red star at the top against snow.")
    >>> bits.numel() < 20, coder.decode(bits, count)[0]
    (True, 'A small plain red star at the top against snow.')
    """
    kind, _, level = learned.partition(":")
    if kind == "scenes":
        return _of_scenes(level)
    return _learned(load_sentences(learned), Tokens(load_tokenizer(bundled_tokenizer())), learned)


@lru_cache(maxsize=len(DIFFICULTIES))
def _of_scenes(level: str) -> Arithmetic:
    if level not in DIFFICULTIES:
        raise ValueError(f"ngram:scenes is of the level {', '.join(DIFFICULTIES)}, got {level!r}")
    lots = ([_LOT, number] for number in range(_SCENES))
    texts = [describe(sample_scene(lot, level)) for lot in lots]
    return _learned(texts, Tokens(load_tokenizer(resolve("tiny-captioner"))), f"scenes:{level}")


def _learned(texts: Iterable[str], tokens: Tokens, name: str) -> Arithmetic:
    model = NGram(map(tokens.split, texts), tokens.size, _ORDER)
    return Arithmetic(model, Vocabulary(tokens, range(tokens.size)), f"ngram:{name}")
