"""Sentences as learned channel values: the text codec of VLM-CSC.

::

    ids -> embedding -> [transformer layer -> NAM] x 3 -> FF -> NAM -> FF -> values per token
    values -> FF -> NAM -> FF -> [transformer layer -> NAM] x 3 -> logits per token

All noise attention modules (NAM) are told the SNR, so one network serves a range of SNRs. Nothing here knows
a channel: whoever sends the values pairs them to I/Q symbols, normalises power per sentence, and hands back
what arrived at that scale.

What the paper leaves open is a setting or decided here:

- Decoding is not autoregressive. Every token has its own channel values, so every position has its own
  evidence; one pass gives all logits, and errors do not spread. (DeepSC decodes word by word.)
- ``e * v`` in NAM is an inner product: the published widths (56, 128, 56, 56) make e and v vectors of 56
  beside features of 128, and "A_i = K_i G_i" then scales token i by one number.
- Layers normalise first, positions are sinusoids, NAM stands after the first of the two FF layers.

References
----------
F. Jiang, C. Tang, L. Dong, K. Wang, K. Yang, C. Pan: Visual language model based cross-modal semantic
communication systems. IEEE Trans. Wireless Commun., 2025 (arXiv 2407.00020).
H. Xie, Z. Qin, G. Y. Li, B.-H. Juang: Deep learning enabled semantic communication systems. IEEE Trans.
Signal Process. 69, 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import nn

from semantic.files import written
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.pretrained import Pretrained

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["NAM", "TextCodec", "TextJSCC"]

_TOKENIZER = "tokenizer.json"


class NAM(nn.Module):
    """Noise attention module: scales every token by how much it should count at this SNR.

    ``v = sigmoid(W3 relu(W2 relu(W1 r + b1) + b2) + b3)`` from the SNR r in decibels, ``e_i = W4 G_i + b4``
    from the features of token i, ``K_i = sigmoid(e_i . v)``, ``A_i = K_i G_i``. Untrained, W4 is zero and all
    tokens are scaled by a half; from random W4 the sums of 56 products shut out half of all tokens, and those
    become one.

    Parameters
    ----------
    width:
        Features of a token.
    widths:
        Outputs of W1, W2, W3 and W4; the last two must be equal.
    """

    def __init__(self, width: int, widths: Sequence[int] = (56, 128, 56, 56)) -> None:
        super().__init__()
        if len(widths) != 4 or widths[2] != widths[3]:
            raise ValueError(f"NAM has four widths, the last two equal, got {list(widths)}")
        self.w1 = nn.Linear(1, widths[0])
        self.w2 = nn.Linear(widths[0], widths[1])
        self.w3 = nn.Linear(widths[1], widths[2])
        self.w4 = nn.Linear(width, widths[3])
        nn.init.zeros_(self.w4.weight)
        nn.init.zeros_(self.w4.bias)

    def forward(self, features: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """Scale ``features [B, L, width]`` given ``snr_db [B]``."""
        v = torch.sigmoid(self.w3(F.relu(self.w2(F.relu(self.w1(snr_db[:, None]))))))
        return features * torch.sigmoid(self.w4(features) @ v[:, :, None])


class _Feedforward(nn.Module):
    """Two layers with NAM between: a channel encoder or decoder."""

    def __init__(self, inputs: int, hidden: int, outputs: int, nam_widths: Sequence[int]) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.attention = NAM(hidden, nam_widths)
        self.second = nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """``[B, L, inputs]`` to ``[B, L, outputs]``."""
        return torch.as_tensor(self.second(self.attention(F.relu(self.first(x)), snr_db)))


class _Transformer(nn.Module):
    """Transformer layers interleaved with NAM: a semantic encoder or decoder."""

    def __init__(
        self, layers: int, width: int, heads: int, feedforward: int, dropout: float, nam_widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, feedforward, dropout, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.attention = nn.ModuleList(NAM(width, nam_widths) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, padding: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """``x [B, L, width]``, ``padding [B, L]`` bool, true where there is no token."""
        for layer, attention in zip(self.layers, self.attention, strict=True):
            x = attention(layer(x, src_key_padding_mask=padding), snr_db)
        return torch.as_tensor(self.norm(x))


class TextJSCC(Pretrained):
    """Token ids to channel values and back.

    Parameters
    ----------
    vocabulary:
        Number of token ids.
    length:
        Most tokens in a sentence.
    symbols_per_token:
        Complex channel uses of one token; 64 makes the paper's 128 real outputs.
    width, layers, heads:
        Of the semantic encoder and decoder; 128, 3 and 8 in the paper.
    channel_width:
        First layer of the channel encoder, 256 in the paper, and of the channel decoder.
    feedforward, dropout:
        Inside the transformer layers; not stated in the paper.
    nam_widths:
        See `NAM`.
    """

    positions: torch.Tensor

    def __init__(
        self,
        vocabulary: int,
        length: int = 64,
        symbols_per_token: int = 64,
        width: int = 128,
        layers: int = 3,
        heads: int = 8,
        channel_width: int = 256,
        feedforward: int = 512,
        dropout: float = 0.1,
        nam_widths: Sequence[int] = (56, 128, 56, 56),
    ) -> None:
        sizes = {"vocabulary": vocabulary, "length": length, "symbols_per_token": symbols_per_token}
        inner = {"width": width, "layers": layers, "heads": heads, "channel_width": channel_width}
        rest = {"feedforward": feedforward, "dropout": dropout, "nam_widths": list(nam_widths)}
        super().__init__({**sizes, **inner, **rest})
        if min(vocabulary, length, symbols_per_token, layers) < 1 or width % heads or width % 2:
            raise ValueError(
                "TextJSCC needs positive sizes and an even width that the heads divide, "
                f"got {sizes} and {inner}"
            )
        self.vocabulary = vocabulary
        self.length = length
        self.symbols_per_token = symbols_per_token
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.register_buffer("positions", _sinusoids(length, width), persistent=False)
        transformer = (layers, width, heads, feedforward, dropout, nam_widths)
        self.semantic_encoder = _Transformer(*transformer)
        self.channel_encoder = _Feedforward(width, channel_width, 2 * symbols_per_token, nam_widths)
        self.channel_decoder = _Feedforward(2 * symbols_per_token, channel_width, width, nam_widths)
        self.semantic_decoder = _Transformer(*transformer)
        self.to_logits = nn.Linear(width, vocabulary)

    def channel_uses(self, tokens: int) -> int:
        """Complex channel uses of a sentence of so many tokens."""
        return tokens * self.symbols_per_token

    def encode(self, ids: torch.Tensor, mask: torch.Tensor | None, snr_db: torch.Tensor) -> torch.Tensor:
        """Channel values of a batch of sentences.

        Parameters
        ----------
        ids:
            ``[B, L]``, ``torch.int64``, 0 to ``vocabulary - 1``.
        mask:
            ``[B, L]``, ``torch.bool``, true where there is a token (tokens first, then padding); None: all.
        snr_db:
            ``[B]``, Es/N0 in decibels.

        Returns
        -------
        torch.Tensor
            ``[B, L * 2 * symbols_per_token]``, token by token, zeros at padding: only the first
            ``tokens * 2 * symbols_per_token`` of a sentence need be sent.

        Raises
        ------
        ValueError
            If a shape does not fit, an id is outside the vocabulary, or a sentence has no token.
        """
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.length or ids.dtype != torch.int64:
            raise ValueError(
                f"ids are [batch, 1 to {self.length} tokens] of int64, got {list(ids.shape)} of {ids.dtype}"
            )
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary:
            raise ValueError(f"ids are 0 to {self.vocabulary - 1}, got {int(ids.min())} to {int(ids.max())}")
        padding = _padding(ids.shape, mask, snr_db)
        x = self.embedding(ids) * math.sqrt(self.embedding.embedding_dim) + self.positions[: ids.shape[1]]
        values = self.channel_encoder(self.semantic_encoder(x, padding, snr_db), snr_db)
        return torch.as_tensor(values).masked_fill(padding[:, :, None], 0.0).flatten(1)

    def decode(
        self, values: torch.Tensor, snr_db: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits of every token, from the values that arrived.

        Parameters
        ----------
        values:
            ``[B, L * 2 * symbols_per_token]``, the signal at mean power 1/2 per real.
        snr_db:
            ``[B]``, Es/N0 in decibels.
        mask:
            As in `encode`.

        Returns
        -------
        torch.Tensor
            ``[B, L, vocabulary]``; what stands at padding means nothing.

        Raises
        ------
        ValueError
            If a shape does not fit.
        """
        size = 2 * self.symbols_per_token
        if values.ndim != 2 or values.shape[1] % size or not 1 <= values.shape[1] // size <= self.length:
            raise ValueError(
                f"values are [batch, tokens * {size}] with 1 to {self.length} tokens, "
                f"got {list(values.shape)}"
            )
        tokens = values.reshape(values.shape[0], -1, size)
        padding = _padding(tokens.shape[:2], mask, snr_db)
        x = self.channel_decoder(tokens, snr_db) + self.positions[: tokens.shape[1]]
        return torch.as_tensor(self.to_logits(self.semantic_decoder(x, padding, snr_db)))


def _padding(shape: torch.Size, mask: torch.Tensor | None, snr_db: torch.Tensor) -> torch.Tensor:
    """The mask turned round, after checking that it and the SNRs fit a batch of ``shape`` [B, L]."""
    if snr_db.shape != shape[:1]:
        raise ValueError(f"snr_db of shape {list(shape[:1])} is needed, got {list(snr_db.shape)}")
    if mask is None:
        return torch.zeros(shape, dtype=torch.bool, device=snr_db.device)
    if mask.shape != shape or mask.dtype != torch.bool or not bool(mask.any(dim=1).all()):
        raise ValueError(
            f"mask must be {list(shape)} of bool with a token in every sentence, "
            f"got {list(mask.shape)} of {mask.dtype}"
        )
    return ~mask


def _sinusoids(length: int, width: int) -> torch.Tensor:
    """Positions as ``[length, width]``: sines and cosines of geometric wavelengths up to 10,000 * 2 pi."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class TextCodec:
    """Sentences to channel values and back: a `TextJSCC` and its tokenizer.

    Sentences go through the network one at a time, so that results do not depend on their company.

    Parameters
    ----------
    model:
        Put into evaluation mode.
    tokenizer:
        With at most as many ids as the model's vocabulary.

    Raises
    ------
    ValueError
        If the tokenizer has more.

    Examples
    --------
    >>> from semantic import resolve
    >>> codec = TextCodec.from_pretrained(resolve("tiny-text-jscc"))
    >>> sent = codec.encode_text(["A small red star at the top against snow."], snr_db=12.0)
    >>> codec.decode_text(sent, snr_db=12.0)
    ['A small red star at the top against snow.']
    """

    def __init__(self, model: TextJSCC, tokenizer: Tokenizer) -> None:
        if tokenizer.get_vocab_size() > model.vocabulary:
            raise ValueError(
                f"the tokenizer has {tokenizer.get_vocab_size()} ids, the model only {model.vocabulary}"
            )
        self.model = model.eval()
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read ``config.json``, ``model.safetensors`` and ``tokenizer.json`` from a local folder.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If a file is missing.
        ValueError
            If the folder holds another network, or a tokenizer of another vocabulary.
        ImportError
            If the package tokenizers is missing; names the command that installs it.
        """
        file = Path(folder) / _TOKENIZER
        if not file.is_file():
            raise WeightsMissing(
                f"the folder {str(folder)!r} has no {_TOKENIZER}: point to one that save_pretrained wrote"
            )
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ImportError("text codecs need the package tokenizers: pip install tokenizers") from error
        model = TextJSCC.from_pretrained(folder, device=device, dtype=dtype)
        return cls(model, Tokenizer.from_file(str(file)))

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write the model (see `Pretrained.save_pretrained`) and ``tokenizer.json``."""
        self.model.save_pretrained(folder, dtype)
        with written(Path(folder) / _TOKENIZER) as beside:
            self.tokenizer.save(str(beside))

    @torch.no_grad()
    def encode_text(self, sentences: Sequence[str], snr_db: float) -> list[torch.Tensor]:
        """Channel values of each sentence, ``[tokens * 2 * symbols_per_token]``; none for an empty one.

        Parameters
        ----------
        sentences:
            Tokens beyond the model's ``length`` are cut off.
        snr_db:
            Es/N0 in decibels.
        """
        return [self._encode(sentence, snr_db) for sentence in sentences]

    def _encode(self, sentence: str, snr_db: float) -> torch.Tensor:
        weight = self.model.embedding.weight
        ids = torch.tensor(self.tokenizer.encode(sentence).ids[: self.model.length], dtype=torch.int64)
        if not len(ids):
            return weight.new_zeros(0)
        return self.model.encode(ids[None].to(weight.device), None, weight.new_tensor([snr_db]))[0]

    @torch.no_grad()
    def decode_text(self, values: Sequence[torch.Tensor], snr_db: float) -> list[str]:
        """Most likely token at every place, as sentences; special tokens are left out.

        Parameters
        ----------
        values:
            Of each sentence ``[tokens * 2 * symbols_per_token]``, as they arrived.
        snr_db:
            Es/N0 in decibels.

        Raises
        ------
        ValueError
            If a number of values belongs to no whole number of tokens.
        """
        return [self._decode(received, snr_db) for received in values]

    def _decode(self, received: torch.Tensor, snr_db: float) -> str:
        if not len(received):
            return ""
        weight = self.model.embedding.weight
        logits = self.model.decode(received[None].to(weight), weight.new_tensor([snr_db]))
        return str(self.tokenizer.decode(logits[0].argmax(dim=1).tolist()))
