"""A captioner of photographs for little data: frozen features, a projection, and a small language model.

::

    picture and its mirror image -> MobileNet v2, frozen -> mean over positions -> unit length
            -> W -> meaning (and colours)
    meaning -> linear -> the only prefix of GPT-2's blocks -> pieces of words

The *meaning* of a picture is what its captions have in common, as a few numbers; how they are made is in
`bridge.training.photographs`. It needs no picture, so that the language model learns from text alone; W alone
learns from photographs, in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from semantic.networks.fcn_mobilenet import MobileNetBackbone
from semantic.zoo.presets import import_transformers
from semantic.zoo.pretrained import Pretrained

__all__ = ["END", "FEATURES", "LONGEST", "PADDING", "SIDE", "UNKNOWN", "MeaningCaptioner", "looked_at"]

PADDING, END, UNKNOWN = 0, 1, 2
"""Pieces that are no words; `END` is the start, too."""

FEATURES = 320
"""Channels of MobileNet v2's last inverted residual."""

SIDE = 224
"""Pixels of a side at which pictures are looked at, whole."""

LONGEST = 24
"""Most pieces of a caption."""

_CONTEXT = 32


def looked_at(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Pictures of any size, whole, as the network takes them: ``[B, 3, 224, 224]`` from -1 to 1 (bicubic)."""
    small = [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for picture in pictures]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


class MeaningCaptioner(Pretrained):
    """Picture to meaning to words.

    Parameters
    ----------
    vocabulary:
        Pieces of words.
    meaning:
        Numbers of the meaning.
    colours:
        Pieces that name a colour, of each of which W says how sure it is.
    sure:
        Share of the captions from which on W is sure enough of a colour to say it.
    width, layers:
        Of the language model.
    """

    def __init__(
        self,
        vocabulary: int = 4096,
        meaning: int = 128,
        colours: tuple[int, ...] = (),
        sure: float = 0.0,
        width: int = 256,
        layers: int = 4,
    ) -> None:
        super().__init__(
            {
                "vocabulary": vocabulary,
                "meaning": meaning,
                "colours": list(colours),
                "sure": sure,
                "width": width,
                "layers": layers,
            }
        )
        transformers = import_transformers()
        self.meaning, self.sure = meaning, sure
        self.backbone = MobileNetBackbone()
        self.projection = nn.Linear(FEATURES, meaning + len(colours))
        self.prefix = nn.Linear(meaning, width)
        nn.init.normal_(self.prefix.weight, std=0.05)
        shape = {"vocab_size": vocabulary, "n_positions": _CONTEXT, "n_embd": width, "n_layer": layers}
        heads, ends = max(1, width // 64), {"bos_token_id": END, "eos_token_id": END}
        self.language = transformers.GPT2Model(transformers.GPT2Config(n_head=heads, **shape, **ends))
        self.register_buffer("colours", torch.tensor(colours, dtype=torch.long), persistent=False)

    colours: torch.Tensor

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """What is seen in pictures ``[B, 3, 224, 224]`` from -1 to 1, the same in their mirror images.

        Returns
        -------
        torch.Tensor
            ``[B, 320]``, of unit length.
        """
        both = torch.cat([pictures, pictures.flip(3)])
        means = self.backbone(both)[-1].mean(dim=(2, 3))
        return F.normalize(means.unflatten(0, (2, -1)).mean(dim=0), dim=1)

    def read(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Meanings ``[B, meaning]`` of features ``[B, 320]``, and of each colour whether it may be said."""
        told = self.projection(features)
        return told[:, : self.meaning], told[:, self.meaning :] >= self.sure

    def forward(self, meaning: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Scores ``[B, L, vocabulary]`` of what comes behind each of the pieces ``[B, L]``."""
        words = self.language.wte(ids)
        states = torch.cat([self.prefix(meaning)[:, None], words], dim=1)
        seen = self.language(inputs_embeds=states, use_cache=False).last_hidden_state[:, 1:]
        return F.linear(seen, self.language.wte.weight)

    @torch.no_grad()
    def say(
        self,
        meaning: torch.Tensor,
        sure: torch.Tensor,
        beams: int = 5,
        power: float = 0.7,
        longest: int = LONGEST,
    ) -> list[list[int]]:
        """The most likely sentences, by beams.

        Parameters
        ----------
        meaning, sure:
            Of `read`.
        beams:
            How many beginnings are kept.
        power:
            Sentences compete by their log-probability over length to this power.
        longest:
            Most pieces, `LONGEST` at most.

        Returns
        -------
        list of list of int
            Pieces; none comes twice in a row, and no colour that is not sure.
        """
        count, vocabulary = len(meaning), self.settings["vocabulary"]
        rows = meaning.repeat_interleave(beams, dim=0)
        barred = torch.zeros(count, vocabulary, dtype=torch.bool, device=rows.device)
        barred[:, [PADDING, UNKNOWN]] = True
        barred[:, self.colours] = ~sure
        barred = barred.repeat_interleave(beams, dim=0)
        ids = torch.full((count * beams, 1), END, device=rows.device)
        scores = torch.full((count, beams), -torch.inf, device=rows.device)
        scores[:, 0] = 0.0
        best: list[tuple[float, list[int]]] = [(-torch.inf, [])] * count
        for step in range(1, min(longest, LONGEST) + 1):
            logs = self(rows, ids)[:, -1].float().log_softmax(dim=-1).masked_fill(barred, -torch.inf)
            if step > 1:
                logs.scatter_(1, ids[:, -1:], -torch.inf)
                ended = (scores + logs[:, END].view(count, beams)) / step**power
                for row, beam in enumerate(ended.argmax(dim=1).tolist()):
                    if float(ended[row, beam]) > best[row][0]:
                        best[row] = (float(ended[row, beam]), ids[row * beams + beam, 1:].tolist())
            logs[:, END] = -torch.inf
            scores, place = (scores[:, :, None] + logs.view(count, beams, -1)).flatten(1).topk(beams, dim=1)
            source = place // vocabulary + torch.arange(count, device=rows.device)[:, None] * beams
            ids = torch.cat([ids[source.flatten()], (place % vocabulary).view(-1, 1)], dim=1)
        return [pieces for _, pieces in best]
