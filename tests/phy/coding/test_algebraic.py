"""Repetition, Hamming, BCH and Reed-Solomon: published generators and counts, closed forms, brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import binom, fisher_exact, norm

from phy.coding.algebraic.bch import BCH
from phy.coding.algebraic.field import DEGREES, Field, bch_designs
from phy.coding.algebraic.hamming import Hamming
from phy.coding.algebraic.reed_solomon import ReedSolomon
from phy.coding.code import Code
from phy.coding.repetition import Repetition
from phy.random import Stream, bits
from tests.oracles.aff3ct import published, word_errors


def all_words(code: Code) -> NDArray[np.uint8]:
    """Code words of all messages, ``[2^k, n]``."""
    messages = np.arange(1 << code.k)[:, None] >> np.arange(code.k) & 1
    return code.encode(torch.from_numpy(messages.astype(np.uint8))).numpy()


def weights(code: Code) -> list[int]:
    return np.bincount(all_words(code).sum(axis=1), minlength=code.n + 1).tolist()


def flipped(code: Code, p: float, blocks: int, seed: int) -> int:
    """Blocks that are wrong behind a binary symmetric channel."""
    sent = bits(Stream(seed).batch(range(blocks)), code.k)
    flips = torch.from_numpy(np.random.default_rng(seed).random((blocks, code.n)) < p)
    return int((code.decode(2.0 * (code.encode(sent) ^ flips) - 1.0).bits != sent).any(dim=1).sum())


def agrees(wrong: int, blocks: int, expected: float) -> bool:
    low, high = binom.interval(0.99, blocks, expected)
    return low <= wrong <= high


@pytest.mark.parametrize("m", DEGREES)
def test_every_polynomial_is_primitive(m: int) -> None:
    """All elements but 0 are powers of a."""
    field = Field.of(m)
    assert sorted(field.exp[: field.order].tolist()) == list(range(1, 1 << m))


def test_bch_codes_are_those_of_the_table() -> None:
    """Lin and Costello, table 6.1: n = 15, 31, 63 and 127, and some of 255."""
    designs = {
        4: "11,1 7,2 5,3 1,7",
        5: "26,1 21,2 16,3 11,5 6,7 1,15",
        6: "57,1 51,2 45,3 39,4 36,5 30,6 24,7 18,10 16,11 10,13 7,15 1,31",
        7: "120,1 113,2 106,3 99,4 92,5 85,6 78,7 71,9 64,10 57,11 50,13 43,14 36,15 29,21 22,23 15,27 8,31 "
        "1,63",
    }
    for m, table in designs.items():
        n = (1 << m) - 1
        found = {n - parity: t for t, parity in bch_designs(m, n - 1)}
        assert " ".join(f"{k},{t}" for k, t in found.items()) == table
    for k, t in ((247, 1), (239, 2), (215, 5), (191, 8), (131, 18), (123, 19), (45, 43), (21, 55)):
        assert BCH(k, 255).t == t


@pytest.mark.parametrize(
    ("k", "n", "octal"),
    [
        *((11, 15, 0o23), (7, 15, 0o721), (5, 15, 0o2467), (21, 31, 0o3551), (16, 31, 0o107657)),
        *((11, 31, 0o5423325), (51, 63, 0o12471), (45, 63, 0o1701317), (113, 127, 0o41567)),
        *((106, 127, 0o11554743), (239, 255, 0o267543), (231, 255, 0o156720665)),
    ],
)
def test_bch_generators_are_the_published_ones(k: int, n: int, octal: int) -> None:
    """Lin and Costello, appendix C."""
    assert "".join(map(str, BCH(k, n)._code.generator)) == f"{octal:b}"


@pytest.mark.parametrize(("k", "n"), [(7, 15), (5, 15), (5, 13)])
def test_bch_decoding_is_bounded_distance(k: int, n: int) -> None:
    """All words there are: the code word within t, by trying all, or the word as it was heard."""
    code = BCH(k, n)
    assert code.t == {(7, 15): 2, (5, 15): 3, (5, 13): 2}[k, n]
    words = all_words(code)
    heard = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.uint8)
    found = code.decode(torch.from_numpy(2.0 * heard.astype(np.float32) - 1.0)).bits.numpy()
    in_order = np.argsort(code._matcher.index.numpy())
    for first in range(0, len(heard), 4096):
        part = heard[first : first + 4096]
        distance = (part[:, None] != words).sum(axis=2)
        nearest = words[distance.argmin(axis=1)]
        expected = np.where(distance.min(axis=1, keepdims=True) <= code.t, nearest, part)
        assert np.array_equal(found[first : first + 4096], expected[:, in_order][:, :k])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("k", "n", "p"), [(106, 127, 0.02), (64, 128, 0.06), (191, 255, 0.03), (1000, 1100, 0.006)]
)
def test_bch_fails_as_the_closed_form_says(k: int, n: int, p: float) -> None:
    code = BCH(k, n)
    sent = len(code._matcher.index.unique())
    assert n - sent <= 9  # repeated bits, undecided by one flip, stay as wrong
    expected = binom.sf(code.t, sent, p)
    if sent == n:
        assert agrees(flipped(code, p, 3000, 1), 3000, expected)
    else:
        assert agrees(flipped(BCH(k, sent), p, 3000, 1), 3000, expected)


def times(a: int, b: int) -> int:
    """Product in GF(8) with a^3 = a + 1, by shifting and adding."""
    product = 0
    for i in range(3):
        if b >> i & 1:
            product ^= a << i
    for i in (4, 3):
        if product >> i & 1:
            product ^= 0b1011 << (i - 3)
    return product


def test_reed_solomon_words_have_their_roots() -> None:
    """(7, 3) over GF(8): every word is zero at a, a^2, a^3, a^4 and begins with its information."""
    code = ReedSolomon(9, 21)
    assert (code.m, code.t) == (3, 2)
    for word in all_words(code)[::7]:
        symbols = word.reshape(7, 3) @ (4, 2, 1)
        for root in (2, 4, 3, 6):
            value = 0
            for symbol in symbols.tolist():
                value = times(value, root) ^ symbol
            assert value == 0
    assert np.array_equal(all_words(code)[:, :9], np.arange(512)[:, None] >> np.arange(9) & 1)


def test_reed_solomon_weights_are_those_of_an_mds_code() -> None:
    """A_w = C(7, w) sum_j (-1)^j C(w - 1, j) 7 8^(w - 5 - j), w symbols from 5 on."""
    symbols = all_words(ReedSolomon(9, 21)).reshape(512, 7, 3).any(axis=2).sum(axis=1)
    expected = [
        math.comb(7, w) * 7 * sum((-1) ** j * math.comb(w - 1, j) * 8 ** (w - 5 - j) for j in range(w - 4))
        for w in range(5, 8)
    ]
    assert np.bincount(symbols).tolist() == [1, 0, 0, 0, 0, *expected]


def test_reed_solomon_decoding_is_bounded_distance() -> None:
    code = ReedSolomon(9, 21)
    words = all_words(code).reshape(512, 7, 3)
    heard = np.random.default_rng(2).integers(0, 2, (4000, 21)).astype(np.uint8)
    heard[:2000] = words[np.arange(2000) % 512].reshape(2000, 21)
    heard[:2000, 3:9] ^= np.random.default_rng(3).integers(0, 2, (2000, 6)).astype(np.uint8)  # two symbols
    found = code.decode(torch.from_numpy(2.0 * heard - 1.0).float()).bits.numpy()
    distance = (heard.reshape(-1, 1, 7, 3) != words).any(axis=3).sum(axis=2)
    nearest = words.reshape(512, 21)[distance.argmin(axis=1)]
    assert (distance.min(axis=1) > 2).sum() > 100
    assert np.array_equal(found, np.where(distance.min(axis=1, keepdims=True) <= 2, nearest, heard)[:, :9])


@pytest.mark.parametrize(("k", "n", "p"), [(44, 60, 0.03), (1912, 2040, 0.003), (1000, 1200, 0.01)])
def test_reed_solomon_fails_as_the_closed_form_says(k: int, n: int, p: float) -> None:
    code = ReedSolomon(k, n)
    last = -k % code.m  # bits of the last information symbol that are not sent
    symbols, q = -(-k // code.m) + 2 * code.t, 1 - (1 - p) ** code.m
    sent = k + 2 * code.t * code.m
    if last:  # that symbol is wrong less often
        q_last = 1 - (1 - p) ** (code.m - last)
        expected = (1 - q_last) * binom.sf(code.t, symbols - 1, q) + q_last * binom.sf(
            code.t - 1, symbols - 1, q
        )
    else:
        expected = binom.sf(code.t, symbols, q)
    assert 0.05 < expected < 0.9
    assert agrees(flipped(ReedSolomon(k, sent), p, 2000, 4), 2000, float(expected))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "file", "ebno_db", "blocks"),
    [
        (lambda: BCH(106, 127), "BCH_AWGN_BPSK_ALGEBRAIC_BCH_N127_K106_algebraic_T3", 4.4, 4000),
        (lambda: BCH(7, 15), "BCH_AWGN_BPSK_ALGEBRAIC_BCH_N15_K7_algebraic_T2", 3.0, 4000),
        (lambda: BCH(71, 127), "BCH_AWGN_BPSK_ALGEBRAIC_BCH_N127_K71_algebraic_T9", 4.0, 3000),
        (lambda: BCH(191, 255), "BCH_AWGN_BPSK_ALGEBRAIC_BCH_N255_K191_algebraic_T8", 4.0, 3000),
        (lambda: ReedSolomon(44, 60), "RS_AWGN_BPSK_ALGEBRAIC_RS_N15_K11_algebraic_T2", 4.8, 4000),
        (
            lambda: ReedSolomon(113 * 7, 127 * 7),
            "RS_AWGN_BPSK_ALGEBRAIC_RS_N127_K113_algebraic_T7",
            5.6,
            2000,
        ),
        (
            lambda: ReedSolomon(191 * 8, 255 * 8),
            "RS_AWGN_BPSK_ALGEBRAIC_RS_N255_K191_algebraic_T32",
            4.8,
            1500,
        ),
        (lambda: Repetition(128, 4096), "REP_AWGN_BPSK_Repetition_N4096_K128_STD_p32", 5.0, 1000),
    ],
)
def test_failures_are_as_many_as_aff3cts(
    data_dir: Path, build: Callable[[], Code], file: str, ebno_db: float, blocks: int
) -> None:
    """Published counts; 1,000 errors of theirs tell 0.05 dB at these slopes."""
    _, errors, trials = published(data_dir / f"reference/more_codes/{file}.txt")[ebno_db]
    code = build()
    esno_db = ebno_db + 10.0 * math.log10(code.k / code.n)
    wrong = int((word_errors(code, esno_db, blocks, Stream(5, code.name)) > 0).sum())
    assert wrong > 40
    assert fisher_exact([[wrong, blocks - wrong], [errors, trials - errors]]).pvalue > 0.01 / 8, wrong


@pytest.mark.parametrize(("k", "n"), [(4, 7), (11, 15), (4, 8), (11, 16)])
def test_hamming_weights_are_macwilliams(k: int, n: int) -> None:
    """((1 + z)^N + N (1 - z)^((N + 1) / 2) (1 + z)^((N - 1) / 2)) / (N + 1), N = 2^r - 1; extended: even."""
    perfect = n - 1 if n % 2 == 0 else n
    one_plus = np.polynomial.Polynomial([1, 1])
    one_less = np.polynomial.Polynomial([1, -1])
    enumerator = (
        one_plus**perfect + perfect * one_less ** ((perfect + 1) // 2) * one_plus ** ((perfect - 1) // 2)
    ) / (perfect + 1)
    expected = np.rint(enumerator.coef).astype(int)
    if n % 2 == 0:  # odd weights gain a one
        expected = np.append(expected, 0)
        expected = np.where(np.arange(n + 1) % 2 == 0, expected + np.append(0, expected[:-1]), 0)
    assert weights(Hamming(k, n)) == expected.tolist()


@pytest.mark.parametrize(("k", "n"), [(4, 7), (4, 8), (7, 11), (8, 14), (1, 3)])
def test_most_likely_words_are_those_of_trying_all(k: int, n: int) -> None:
    code = Hamming(k, n)
    words = all_words(code).astype(np.float32)
    llr = 1.5 * np.random.default_rng(6).standard_normal((600, n)).astype(np.float32)
    best = (llr @ words.T).argmax(axis=1)
    messages = best[:, None] >> np.arange(k) & 1
    assert np.array_equal(code.decode(torch.from_numpy(llr)).bits.numpy(), messages)


@pytest.mark.parametrize(("k", "n"), [(4, 7), (57, 63), (4, 8), (57, 64), (20, 25)])
def test_hard_hamming_corrects_one_and_the_extended_leaves_two(k: int, n: int) -> None:
    code = Hamming(k, n, "hard")
    sent = bits(Stream(7).batch([0]), k)
    word = code.encode(sent)
    once = word ^ torch.eye(n, dtype=torch.uint8)
    assert (code.decode(2.0 * once - 1.0).bits == sent).all()
    pairs = list(itertools.islice(itertools.combinations(range(n), 2), 300))
    twice = word.repeat(len(pairs), 1)
    for row, pair in zip(twice, pairs, strict=True):
        row[list(pair)] ^= 1
    found = code.decode(2.0 * twice - 1.0).bits
    if code.extended:  # as it was heard
        in_order = torch.argsort(code._matcher.index)
        assert torch.equal(found, twice[:, in_order][:, :k])
    else:  # mostly taken for one error elsewhere
        assert (found != sent).any(dim=1).sum() > 0.6 * len(pairs)


def test_hamming_fails_as_the_closed_form_says() -> None:
    p, n = 0.02, 63
    expected = 1 - (1 - p) ** n - n * p * (1 - p) ** (n - 1)
    assert agrees(flipped(Hamming(57, 63, "hard"), p, 4000, 8), 4000, expected)


@pytest.mark.parametrize("copies", [1, 2, 3, 4, 7])
def test_repetition_is_its_closed_form(copies: int) -> None:
    p, k = 0.2, 50
    ties = 0.5 * binom.pmf(copies / 2, copies, p) if copies % 2 == 0 else 0.0
    expected = float(binom.sf(copies // 2, copies, p) + ties)
    sent = bits(Stream(9).batch(range(400)), k)
    code = Repetition(k, copies * k, "hard")
    flips = torch.from_numpy(np.random.default_rng(9).random((400, code.n)) < p)
    wrong = int((code.decode(2.0 * (code.encode(sent) ^ flips) - 1.0).bits != sent).sum())
    assert agrees(wrong, 400 * k, expected)
    soft = int(word_errors(Repetition(k, copies * k), -4.0, 400, Stream(10, copies)).sum())
    assert agrees(soft, 400 * k, float(norm.sf(math.sqrt(2 * copies * 10**-0.4))))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Repetition(4, 3), "k >= 1 and n >= k, got k = 4, n = 3"),
        (lambda: Repetition(4, 8, "soft"), "ml or hard, got 'soft'"),
        (lambda: Hamming(1014), "k from 1 to 1013, got k = 1014"),
        (lambda: Hamming(4, 6), "k = 4 has 3 checks, so n >= 7, got n = 6"),
        (lambda: Hamming(4, 7, "viterbi"), "ml or hard, got 'viterbi'"),
        (lambda: BCH(0, 7), "k >= 1 and for every error .* got k = 0, n = 7"),
        (lambda: BCH(120, 126), "3 to 16, with k \\+ m at most 2\\^m - 1, got k = 120, n = 126"),
        (lambda: ReedSolomon(44, 50), "of 3 to 16 bits m, 2\\^m - 1 symbols in all, got k = 44, n = 50"),
        (lambda: Field.of(17), "m from 2 to 16, got m = 17"),
    ],
)
def test_impossible_codes_are_refused(build: Callable[[], Code], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
