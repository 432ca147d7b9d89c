"""Text coders: against entropies, independent constructions, and whatever bits may arrive."""

from __future__ import annotations

import csv
import heapq
import itertools
import math
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from rapidfuzz.distance import Levenshtein

from phy.source.text.arithmetic import Arithmetic, OrderZero
from phy.source.text.coders import (
    Characters,
    TextCoder,
    TokenIds,
    parse_text_coder,
)
from phy.source.text.huffman import Huffman, canonical_codes, code_lengths
from phy.source.text.tokens import Tokens, load_tokenizer
from phy.source.text.vocabulary import PRINTABLE, CodePoints, Vocabulary, english_counts

SENTENCE_FILE = Path(__file__).parents[3] / "semantic" / "data" / "sentences.txt"
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


# -- fixtures -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def captions(data_dir: Path) -> list[str]:
    """Captions of Flickr8k, five a picture in a row."""
    with (data_dir / "flickr8k" / "captions.txt").open(encoding="utf-8", newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)]


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


# -- references ---------------------------------------------------------------------------------------------


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


# -- round trips --------------------------------------------------------------------------------------------


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
