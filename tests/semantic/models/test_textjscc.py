"""The text codec of VLM-CSC: modules by their formulas in NumPy, costs, masks, and sentences end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from semantic.models.textjscc import NAM, TextCodec, TextJSCC
from semantic.zoo.missing import WeightsMissing

tokenizers = pytest.importorskip("tokenizers")

SENTENCES = ["a dog runs on the beach", "two children play", "the red bus stops near a house by the sea"]
TINY = {
    "width": 32,
    "layers": 2,
    "heads": 4,
    "channel_width": 48,
    "feedforward": 64,
    "nam_widths": (6, 8, 6, 6),
}


def tiny(vocabulary: int = 40, length: int = 12, symbols: int = 5, dropout: float = 0.0) -> TextJSCC:
    torch.manual_seed(1)
    return TextJSCC(vocabulary, length, symbols, dropout=dropout, **TINY).eval()  # type: ignore[arg-type]


def word_tokenizer() -> tokenizers.Tokenizer:
    words = sorted({word for sentence in SENTENCES for word in sentence.split()})
    vocabulary = {"<unk>": 0, **{word: index for index, word in enumerate(words, start=1)}}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return tokenizer


def ids(batch: int, length: int, vocabulary: int = 40) -> torch.Tensor:
    return torch.randint(vocabulary, (batch, length), generator=torch.Generator().manual_seed(length))


def test_nam_is_its_formula() -> None:
    torch.manual_seed(2)
    module = NAM(128).double()
    assert not any(module.w4.weight.flatten())
    torch.nn.init.normal_(module.w4.weight, std=0.1)  # as if it had learnt
    features, snr = torch.randn(2, 3, 128, dtype=torch.float64), np.array([6.0, -1.0])
    w1, b1, w2, b2, w3, b3, w4, b4 = (parameter.detach().numpy() for parameter in module.parameters())
    assert [w.shape for w in (w1, w2, w3, w4)] == [(56, 1), (128, 56), (56, 128), (56, 128)]
    expected = np.empty((2, 3, 128))
    for batch in range(2):
        hidden = np.maximum(w2 @ np.maximum(w1 @ snr[batch : batch + 1] + b1, 0) + b2, 0)
        v = 1 / (1 + np.exp(-(w3 @ hidden + b3)))
        for token in range(3):
            g = features[batch, token].numpy()
            expected[batch, token] = g / (1 + np.exp(-((w4 @ g + b4) @ v)))
    found = module(features, torch.from_numpy(snr)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_papers_network_by_arithmetic() -> None:
    """Weights of the default sizes, counted from the layers' shapes."""

    def dense(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    def nam(width: int) -> int:
        return dense(1, 56) + dense(56, 128) + dense(128, 56) + dense(width, 56)

    layer = 4 * dense(128, 128) + dense(128, 512) + dense(512, 128) + 2 * 2 * 128
    semantic = 3 * (layer + nam(128)) + 2 * 128
    channel = dense(128, 256) + nam(256) + dense(256, 128)
    model = TextJSCC(1000)
    total = 1000 * 128 + 2 * semantic + 2 * channel + dense(128, 1000)
    assert sum(parameter.numel() for parameter in model.parameters()) == total
    assert model.channel_uses(10) == 640  # 128 reals a token


@pytest.mark.parametrize("tokens", [1, 7, 12])
def test_values_and_logits_have_their_shapes(tokens: int) -> None:
    model, snr = tiny(), torch.tensor([0.0, 9.0])
    values = model.encode(ids(2, tokens), None, snr)
    assert values.shape == (2, tokens * 10) and model.channel_uses(tokens) * 2 == tokens * 10
    assert model.decode(values, snr).shape == (2, tokens, 40)


def test_padding_changes_nothing_and_is_not_sent() -> None:
    model, snr = tiny(), torch.tensor([6.0, 6.0])
    words = ids(2, 9)
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, 4:] = False
    values = model.encode(words, mask, snr)
    assert not values[0, 40:].any() and values[1, 40:].all()
    alone = model.encode(words[:1, :4], None, snr[:1])
    torch.testing.assert_close(values[0, :40], alone[0], rtol=1e-4, atol=1e-5)
    together = model.decode(values, snr, mask)[0, :4]
    torch.testing.assert_close(together, model.decode(alone, snr[:1])[0], rtol=1e-4, atol=1e-5)


def test_no_token_is_shut_out_before_it_has_learnt() -> None:
    """The values of any two words differ, noise being 1 at 0 dB, by about as much as random ones, 2."""
    torch.manual_seed(1)
    model = TextJSCC(640, 4, symbols_per_token=16).eval()
    values = model.encode(torch.arange(640)[:, None], None, torch.zeros(640)).detach()
    values = values - values.mean(0)
    apart = torch.pdist(values / values.square().mean().sqrt()).square() / values.shape[1]
    assert apart.min() > 0.25


def test_the_snr_reaches_both_sides() -> None:
    model, words = tiny(), ids(1, 5)
    for module in model.modules():
        if isinstance(module, NAM):
            torch.nn.init.normal_(module.w4.weight, std=0.1)
    low, high = torch.tensor([0.0]), torch.tensor([15.0])
    values = model.encode(words, None, low)
    assert not torch.equal(values, model.encode(words, None, high))
    assert not torch.equal(model.decode(values, low), model.decode(values, high))


@pytest.mark.slow
def test_it_learns_a_batch_through_noise() -> None:
    model, words = tiny().train(), ids(8, 6)
    mask = torch.ones(8, 6, dtype=torch.bool)
    mask[::2, 4:] = False
    snr, generator = torch.full((8,), 10.0), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        values = model.encode(words, mask, snr)
        power = 2 * values.square().sum(dim=1, keepdim=True) / (10 * mask.sum(dim=1, keepdim=True))
        received = values / power.sqrt() + torch.randn(values.shape, generator=generator) * 0.05**0.5
        logits = model.decode(received, snr, mask)
        loss = torch.nn.functional.cross_entropy(logits[mask], words[mask])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert losses[0] > 3 and losses[-1] < 0.5 * losses[0]


def test_saved_and_read_again_it_is_bit_exact(tmp_path: Path) -> None:
    codec = TextCodec(tiny(), word_tokenizer())
    codec.save_pretrained(tmp_path)
    again = TextCodec.from_pretrained(tmp_path)
    before, after = (c.encode_text(SENTENCES, 5.0) for c in (codec, again))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert again.decode_text(before, 5.0) == codec.decode_text(before, 5.0)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(WeightsMissing, match=r"tokenizer\.json"):
        TextCodec.from_pretrained(tmp_path)


@pytest.mark.slow
def test_sentences_come_through_once_it_has_learnt_them() -> None:
    tokenizer = word_tokenizer()
    model = tiny(length=10).train()
    codec = TextCodec(model, tokenizer)
    model.train()
    batches = [torch.tensor([tokenizer.encode(sentence).ids]) for sentence in SENTENCES]
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    snr = torch.tensor([20.0])
    for _ in range(50):
        loss = torch.zeros(())
        for words in batches:
            values = model.encode(words, None, snr)
            sent = values / (2 * values.square().mean()).sqrt()
            loss = loss + torch.nn.functional.cross_entropy(model.decode(sent, snr)[0], words[0])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    model.eval()
    values = codec.encode_text([*SENTENCES, ""], 20.0)
    assert [len(v) for v in values] == [10 * len(sentence.split()) for sentence in SENTENCES] + [0]
    sent = [v / (2 * v.square().mean()).sqrt() if len(v) else v for v in values]
    assert codec.decode_text(sent, 20.0) == [*SENTENCES, ""]


def test_long_sentences_are_cut() -> None:
    codec = TextCodec(tiny(length=4), word_tokenizer())
    (values,) = codec.encode_text([SENTENCES[2]], 5.0)
    assert len(values) == 4 * 10


def test_bad_input_is_quoted() -> None:
    model, snr = tiny(), torch.tensor([3.0])
    with pytest.raises(ValueError, match=r"\[1, 13\]"):
        model.encode(ids(1, 13), None, snr)
    with pytest.raises(ValueError, match="got 0 to 40"):
        model.encode(torch.tensor([[0, 40]]), None, snr)
    with pytest.raises(ValueError, match=r"snr_db of shape \[1\] is needed, got \[2\]"):
        model.encode(ids(1, 3), None, torch.zeros(2))
    with pytest.raises(ValueError, match="a token in every sentence"):
        model.encode(ids(1, 3), torch.zeros(1, 3, dtype=torch.bool), snr)
    with pytest.raises(ValueError, match=r"tokens \* 10.*\[1, 11\]"):
        model.decode(torch.zeros(1, 11), snr)
    with pytest.raises(ValueError, match=r"\[56, 128, 56\]"):
        NAM(8, (56, 128, 56))
    with pytest.raises(ValueError, match="heads divide"):
        TextJSCC(10, width=30, heads=4)
    with pytest.raises(ValueError, match="the model only 3"):
        TextCodec(tiny(vocabulary=3), word_tokenizer())
