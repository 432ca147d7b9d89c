"""Correctors: a small BART, a character a token, that learns to mend what links garble; or one's own.

A decoder that starts from chance first learns the language and only much later to look at what arrived. So
it starts by looking: `align` gives both sides the same sinusoidal positions and lets every cross-attention
copy from its own position, and every other attention look at near neighbours. All of it is stock BART, and
all of it goes on learning.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, processors

from bridge.training.texts.captions import Captions, split_captions
from bridge.training.texts.links import TextLink, UncodedQpsk
from bridge.training.trainer import Recipe
from phy.random import Stream
from phy.source.text.coders import Characters
from semantic.zoo.complete import load_whole
from semantic.zoo.presets import import_transformers, uses_safetensors

__all__ = ["align", "character_tokenizer", "corrector", "make_bart"]

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_START, _PAD, _STOP, _UNKNOWN = range(4)
_IGNORED = -100  # cross_entropy's mark for targets that do not count
_GROUPS = 8  # of a batch: the first arrives intact, the others at an SNR each
_CODERS = (Characters("latin-1"), Characters("utf-8"))
_RATE_OF_A_BASE = 1e-4  # highest learning rate of a model that has learned before
_LOUDNESS = 2.0  # of what a decoder's layer copies, over what it has
_HUSH = 0.1  # of what all other layers add, so that what arrived is not drowned at the start
_SHARPNESS = 1.6  # of the attention to positions: a neighbour gets about a hundredth of the weight


def character_tokenizer(positions: int) -> Any:
    """Make a tokeniser of Latin-1 characters and U+FFFD, so that characters and tokens stay in step.

    Parameters
    ----------
    positions:
        Most tokens of a text, start and stop included.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        All other characters are ``<unk>``.
    """
    characters = [*map(chr, range(256)), "\ufffd"]
    vocabulary = {token: index for index, token in enumerate([*_SPECIAL, *characters])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", _START), ("</s>", _STOP)]
    )
    return import_transformers().PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_max_length=positions,
    )


def make_bart(vocabulary: int, width: int, layers: tuple[int, int], heads: int, positions: int) -> Any:
    """Make a ``BartForConditionalGeneration`` that starts aligned, from PyTorch's global generator."""
    transformers = import_transformers()
    config = transformers.BartConfig(
        vocab_size=vocabulary,
        d_model=width,
        encoder_layers=layers[0],
        decoder_layers=layers[1],
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=positions,
        dropout=0.0,
        init_std=width**-0.5,
        bos_token_id=_START,
        pad_token_id=_PAD,
        eos_token_id=_STOP,
        decoder_start_token_id=_STOP,
        forced_eos_token_id=None,
    )
    model = transformers.BartForConditionalGeneration(config)
    align(model)
    return model


@torch.no_grad()
def align(model: Any) -> None:
    """Let a fresh BART start as a copier that sees each character's neighbours.

    The first ``head size`` dimensions hold the position, as sines and cosines of geometrically spaced
    frequencies, and the others the token. Queries and keys read the position only. A key turned by the angles
    of d positions makes a head look d positions away: 0 in cross-attention, where values are then copied,
    -h/2 ... h/2 without 0 for the h heads of the encoder, and -1 ... -h for the decoder's.

    Parameters
    ----------
    model:
        ``transformers.BartForConditionalGeneration``; changed in place.
    """
    config = model.config
    heads, width = config.encoder_attention_heads, config.d_model
    size, std = width // heads, config.init_std
    highest = config.max_position_embeddings
    rates = torch.exp(torch.linspace(math.log(2.8), math.log(math.pi / highest), size // 2))
    angles = torch.arange(highest)[:, None] * rates
    model.model.shared.weight[:, :size] = 0
    for side in (model.model.encoder, model.model.decoder):
        table = side.embed_positions.weight
        table.zero_()
        # BART's tables have two unused rows in front.
        table[2:, :size] = std * math.sqrt(2) * torch.cat([angles.sin(), angles.cos()], dim=1)
    near = [shift for shift in range(-(heads // 2), heads - heads // 2 + 1) if shift][:heads]
    for layer in model.model.encoder.layers:
        _look(layer.self_attn, near, rates)
    for layer in model.model.decoder.layers:
        _look(layer.self_attn, [-1 - head for head in range(heads)], rates)
        _look(layer.encoder_attn, [0] * heads, rates)
        for copier in (layer.encoder_attn.v_proj, layer.encoder_attn.out_proj):
            copier.weight.copy_(torch.eye(width))
        layer.encoder_attn.out_proj.weight.mul_(_LOUDNESS)
    for layer in [*model.model.encoder.layers, *model.model.decoder.layers]:
        layer.self_attn.out_proj.weight.mul_(_HUSH)
        layer.fc2.weight.mul_(_HUSH)


def _look(attention: Any, shifts: Sequence[int], rates: torch.Tensor) -> None:
    """Let each head look so many positions further on."""
    size = 2 * len(rates)
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight.zero_()
    for head, shift in enumerate(shifts):
        rows = slice(head * size, (head + 1) * size)
        cos, sin = (shift * rates).cos().diag(), (shift * rates).sin().diag()
        turned = torch.cat([torch.cat([cos, sin], dim=1), torch.cat([-sin, cos], dim=1)])
        attention.q_proj.weight[rows, :size] = _SHARPNESS * turned
        attention.k_proj.weight[rows, :size] = _SHARPNESS * torch.eye(size)


def _garbled(texts: Sequence[str], seed: int, step: int, worst: float, link: TextLink) -> list[str]:
    """Texts after the link: one group in eight intact, the others at a random SNR and character set each."""
    stream = Stream(seed, "train", step)
    draw = np.random.default_rng([seed, step, 1])
    arrived = list(texts)
    for group in range(1, _GROUPS):
        snr = link.snr_for(worst * (1 - draw.random()))
        coder = _CODERS[draw.integers(len(_CODERS))]
        arrived[group::_GROUPS] = link.garble(texts[group::_GROUPS], snr, stream.child(group), coder)
    return arrived


def _loss(
    model: Any,
    step: int,
    *,
    data: Captions,
    tokenizer: Any,
    batch: int,
    seed: int,
    worst: float,
    scenes: float,
    link: TextLink,
    device: str,
) -> torch.Tensor:
    """Cross-entropy of a token, in nats."""
    longest = tokenizer.model_max_length * 7 // 8 - 2  # what `semantic.models.correction` takes for a window
    meant = data.batch(batch, seed, step, longest=longest, scenes=scenes)
    order = np.random.default_rng([seed, step, 2]).permutation(batch)
    meant = [meant[index] for index in order]
    arrived = _garbled(meant, seed, step, worst, link)
    how = {"padding": True, "truncation": True, "return_tensors": "pt"}
    inputs = tokenizer(arrived, **how).to(device)
    labels = tokenizer(meant, **how).to(device)
    kind = torch.device(device).type
    # Not on a CPU: without AVX-512's bfloat16 it multiplies matrices ten to eighty times more slowly.
    with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu"):
        made = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=labels["input_ids"].masked_fill(labels["attention_mask"] == 0, _IGNORED),
        )
    loss: torch.Tensor = made.loss
    return loss


def _save(model: Any, folder: Path, *, tokenizer: Any) -> None:
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _read_tokenizer(folder: Path) -> Any:
    """That of a BART in the hub's layout, with the length that the model can read."""
    transformers = import_transformers()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
    return tokenizer


def _read_bart(folder: Path) -> Any:
    library_class = import_transformers().BartForConditionalGeneration
    return load_whole(library_class, folder, dtype=torch.float32, use_safetensors=uses_safetensors(folder))


def corrector(
    folders: Sequence[Path],
    *,
    base: Path | None = None,
    link: TextLink | None = None,
    seed: int = 1,
    batch: int = 32,
    width: int = 256,
    layers: tuple[int, int] = (4, 2),
    heads: int = 8,
    positions: int = 160,
    worst: float = 0.1,
    scenes: float = 0.125,
    device: str = "cpu",
) -> Recipe:
    """BART that corrects captions after a link.

    Parameters
    ----------
    folders:
        Where captions lie (`bridge.training.texts.captions.split_captions`).
    base:
        A BART in the hub's layout that goes on learning, with the tokeniser beside it, whose sizes it keeps;
        None begins with a small one that copies.
    link:
        What garbles; uncoded QPSK by default.
    seed, batch, device:
        Of the training.
    width, layers, heads, positions:
        Size of a model without a base: dimensions, layers of encoder and decoder, heads, and most tokens of
        a text.
    worst:
        Highest character error rate; drawn uniformly from 0 to it.
    scenes:
        Share of texts that describe procedural scenes.
    """
    data = split_captions(folders)
    tokenizer = character_tokenizer(positions) if base is None else _read_tokenizer(base)
    loss = partial(
        _loss,
        data=data,
        tokenizer=tokenizer,
        batch=batch,
        seed=seed,
        worst=worst,
        scenes=scenes,
        link=link or UncodedQpsk(),
        device=device,
    )
    small = partial(make_bart, len(tokenizer), width, layers, heads, positions)
    make = small if base is None else partial(_read_bart, base)
    rate = 1e-3 if base is None else _RATE_OF_A_BASE
    save = partial(_save, tokenizer=tokenizer)
    return Recipe("tiny-corrector", make, loss, save, rate=rate, warm_up=100, weight_decay=0.01)
