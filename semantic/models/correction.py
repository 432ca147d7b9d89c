"""Text that a channel damaged, and what can be made of it: BART, a dictionary, or nothing at all.

`load_corrector` reads either of the first two. All three share ``name`` and ``correct(texts) -> texts``, and
none raises because of what a text holds: replacement characters, control characters and empty strings are
text.

References
----------
M. Lewis et al.: BART: Denoising sequence-to-sequence pre-training. ACL 2020.
P. Norvig: How to write a spelling corrector, 2007 (norvig.com/spell-correct.html).
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from rapidfuzz import process
from rapidfuzz.distance import OSA

from semantic.models.windows import split_windows
from semantic.samples.pictures import load_sentences
from semantic.zoo.complete import load_whole
from semantic.zoo.presets import import_transformers, uses_safetensors

__all__ = [
    "BartCorrector",
    "Corrector",
    "DictionaryCorrector",
    "NoCorrection",
    "bundled_words",
    "load_corrector",
]

_WORD = re.compile(r"\S+")
# Whatever else stands at the edge of a word is a damaged letter.
_PUNCTUATION = ".,;:!?\"'()[]{}«»“”‘’…–—-"
_MAX_DISTANCE = 2


class Corrector(Protocol):
    """Whatever mends texts."""

    @property
    def name(self) -> str:
        """What tables and figures call it."""

    def correct(self, texts: Sequence[str]) -> list[str]:
        """Return the texts, mended, in order."""


class NoCorrection:
    """Leaves every text as it arrived: the control that shows what a corrector is worth."""

    name = "none"

    def correct(self, texts: Sequence[str]) -> list[str]:
        """Return the texts as they are."""
        return list(texts)


class BartCorrector:
    """BART that was fine-tuned to write down what a damaged text meant.

    A text longer than the model reads is cut into windows at the ends of sentences, or of words where a
    sentence is too long, and the windows are corrected one by one. Nothing gets lost: a single word that is
    too long, a window that the model has no answer to, and one whose answer it does not bring to an end (a
    sign that it lost the thread) stay as they arrived, and so does white space around windows.

    Parameters
    ----------
    model:
        ``transformers.BartForConditionalGeneration``.
    tokenizer:
        Its tokeniser.
    beams:
        Width of the beam search; 1 is greedy.
    batch_size:
        Windows that go through the model at once; it changes memory and speed only.

    Attributes
    ----------
    window:
        Tokens that a window holds at most, start and stop included: seven eighths of what the model reads, as
        the corrected text may be the longer one.

    Examples
    --------
    >>> from semantic import resolve
    >>> BartCorrector.from_pretrained(resolve("tiny-corrector")).correct(["A dog runs on the beech."])
    ['A dog runs on the beach.']
    """

    name = "bart"

    def __init__(self, model: Any, tokenizer: Any, *, beams: int = 4, batch_size: int = 8) -> None:
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size
        self.positions = int(model.config.max_position_embeddings)
        self.window = self.positions - self.positions // 8
        old = model.generation_config
        # The checkpoint's own settings forbid repetition (bart-base: of any three tokens), and force a stop
        # at the longest length, which would pass for a finished sentence.
        model.generation_config = type(old)(
            do_sample=False,
            num_beams=beams,
            early_stopping=beams > 1,
            bos_token_id=old.bos_token_id,
            eos_token_id=old.eos_token_id,
            pad_token_id=old.pad_token_id,
            decoder_start_token_id=old.decoder_start_token_id,
            forced_bos_token_id=old.forced_bos_token_id,
        )

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        beams: int = 4,
        batch_size: int = 8,
    ) -> Self:
        """Load a checkpoint.

        Parameters
        ----------
        folder:
            Local directory in the hub's layout (`semantic.zoo.presets.resolve` finds a preset's).
        device, dtype:
            Where the model is to live, and in what precision, whatever the checkpoint's.
        beams, batch_size:
            As for the class.

        Raises
        ------
        WeightsMissing
            If the folder holds no model.
        semantic.zoo.complete.WrongWeights
            If it lacks tensors of the model, or has others.
        ImportError
            If transformers is missing or hindered; names the cure.
        """
        safetensors = uses_safetensors(folder)
        transformers = import_transformers()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        library_class = transformers.BartForConditionalGeneration
        model = load_whole(library_class, folder, dtype=dtype, use_safetensors=safetensors)
        return cls(model.to(device).eval(), tokenizer, beams=beams, batch_size=batch_size)

    def correct(self, texts: Sequence[str]) -> list[str]:
        """Correct each text.

        Parameters
        ----------
        texts:
            Of any length; empty ones come back as they are. Lone surrogates, which no tokeniser takes,
            become question marks.
        """
        cut = [split_windows(_printable(text), self._fits) for text in texts]
        pieces = list(dict.fromkeys(piece for windows in cut for piece in windows))
        mended = self._mend([piece for piece in pieces if piece.strip() and self._fits(piece)])
        return ["".join(mended.get(piece, piece) for piece in windows) for windows in cut]

    def _fits(self, text: str) -> bool:
        return self._tokens(text.strip()) <= self.window

    def _tokens(self, text: str) -> int:
        return len(self.tokenizer(text, verbose=False).input_ids)

    def _mend(self, pieces: list[str]) -> dict[str, str]:
        """Correct windows; those of similar length go together, so that none's limit depends on another."""
        groups: dict[int, list[str]] = defaultdict(list)
        for piece in pieces:
            groups[self._limit(self._tokens(piece.strip()))].append(piece)
        mended: dict[str, str] = {}
        for limit, members in groups.items():
            for start in range(0, len(members), self.batch_size):
                batch = members[start : start + self.batch_size]
                answers = self._generate([piece.strip() for piece in batch], limit)
                mended |= {
                    piece: _replace_core(piece, piece.strip(), answer)
                    for piece, answer in zip(batch, answers, strict=True)
                    if answer
                }
        return mended

    def _limit(self, tokens: int) -> int:
        """Tokens that an answer may have: a quarter more than were read, in steps of 32."""
        return min(self.positions, -(-(tokens + tokens // 4 + 8) // 32) * 32)

    @torch.no_grad()
    def _generate(self, texts: list[str], limit: int) -> list[str]:
        """Answers of the model, empty where it came to no end within ``limit`` tokens."""
        inputs = self.tokenizer(texts, padding=True, return_tensors="pt")
        tokens = self.model.generate(
            input_ids=inputs["input_ids"].to(self.model.device),
            attention_mask=inputs["attention_mask"].to(self.model.device),
            max_length=limit,
        )
        # The first token tells the decoder to start, and for BART that is the same token as the stop.
        ended = (tokens[:, 1:] == self.model.generation_config.eos_token_id).any(dim=1).tolist()
        answers = self.tokenizer.batch_decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [answer.strip() if done else "" for answer, done in zip(answers, ended, strict=True)]


def _printable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _replace_core(whole: str, core: str, new: str) -> str:
    """Put ``new`` in the place of ``core``; what stands around it stays."""
    before, _, behind = whole.partition(core)
    return before + new + behind


class DictionaryCorrector:
    """Puts the nearest known word in the place of each unknown one: the control without a language model.

    Known words stay. An unknown word becomes the word at the smallest edit distance (insertions, deletions,
    substitutions and swaps of neighbours), at most 2 and less than its own length; of several equally near,
    the most frequent, and then the first in the alphabet. What is not near to any, and what has no letter,
    stays. Case follows the damaged word: ``DOQ`` becomes ``DOG`` and ``Doq`` becomes ``Dog``. White space and
    the punctuation around a word stay; spaces that were lost or gained are not mended.

    Parameters
    ----------
    words_with_counts:
        How often each word occurs; case is not told apart.

    Raises
    ------
    ValueError
        If there is no word.

    Examples
    --------
    >>> DictionaryCorrector({"the": 9, "dog": 3, "dot": 1, "runs": 2}).correct(["The d0g rums."])
    ['The dog runs.']
    """

    name = "dictionary"

    def __init__(self, words_with_counts: Mapping[str, int]) -> None:
        counts: Counter[str] = Counter()
        for word, count in words_with_counts.items():
            counts[word.lower()] += count
        if not counts:
            raise ValueError("a dictionary corrector needs at least one word")
        # Frequent words first: of equally near ones the first is taken.
        self._words = sorted(counts, key=lambda word: (-counts[word], word))
        self._known = set(self._words)
        self._nearest = lru_cache(maxsize=65_536)(self._search)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Self:
        """Take the words of texts, and how often each occurs.

        Raises
        ------
        ValueError
            If they hold no word.
        """
        words = (word.strip(_PUNCTUATION).lower() for text in texts for word in text.split())
        return cls(Counter(word for word in words if _has_letter(word)))

    @classmethod
    def from_file(cls, file: str | Path) -> Self:
        """Take the words of a file: a table of words and counts (``.csv``), or sentences, one a line.

        Parameters
        ----------
        file:
            UTF-8. A table has the heading ``word,count``; lines that begin with ``#`` are remarks.

        Raises
        ------
        ValueError
            If it cannot be read, is no such table, or holds no word; quotes the path.
        """
        if Path(file).suffix != ".csv":
            return cls.from_texts(load_sentences(file))
        lines = [line for line in load_sentences(file) if not line.startswith("#")]
        try:
            return cls({row["word"]: int(row["count"]) for row in csv.DictReader(lines)})
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ValueError(
                f"{str(file)!r} is no table of words with the heading word,count: "
                f"{type(error).__name__}: {error}"
            ) from error

    def correct(self, texts: Sequence[str]) -> list[str]:
        """Correct each text, word by word."""
        return [_WORD.sub(lambda match: self._correct(match.group()), text) for text in texts]

    def _correct(self, chunk: str) -> str:
        word = chunk.strip(_PUNCTUATION)
        if not _has_letter(word) or word.lower() in self._known:
            return chunk
        found = self._nearest(word.lower())
        return chunk if found is None else _replace_core(chunk, word, _in_case_of(word, found))

    def _search(self, word: str) -> str | None:
        bound = min(_MAX_DISTANCE, len(word) - 1)
        near = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=bound, limit=None)
        return min(near, key=lambda match: (match[1], match[2]))[0] if near else None


def bundled_words() -> Path:
    """Table of 4,295 words of captions, of photographs and of drawn scenes, with how often they occur."""
    return Path(str(files("semantic") / "data" / "words.csv"))


def load_corrector(
    place: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> BartCorrector | DictionaryCorrector:
    """Read the corrector that lies at a place: BART in a folder, a dictionary in a file.

    Parameters
    ----------
    place:
        As for `BartCorrector.from_pretrained`, or `DictionaryCorrector.from_file`.
    device, dtype:
        Of BART.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If the folder holds no model.
    ValueError
        If the file holds no words.

    Examples
    --------
    >>> load_corrector(bundled_words()).correct(["A large plain rcd ring against smow."])
    ['A large plain red ring against snow.']
    """
    if Path(place).is_file():
        return DictionaryCorrector.from_file(place)
    return BartCorrector.from_pretrained(place, device=device, dtype=dtype)


def _has_letter(word: str) -> bool:
    return any(character.isalpha() for character in word)


def _in_case_of(pattern: str, word: str) -> str:
    if len(pattern) > 1 and pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word
