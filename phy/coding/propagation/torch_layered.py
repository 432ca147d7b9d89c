"""Min-sum LDPC decoding in plain PyTorch operations, on any device, for any parity-check matrix.

The numbers are those of `phy.coding.propagation.compiled` in ``float32``: rows are visited from top to
bottom, a-posteriori LLRs are sums in that order, and a frame ends by itself. What differs is what lies side
by side: here one step takes a *layer*, consecutive rows that share no variable (in a quasi-cyclic code the
Z rows of one row of blocks), of all frames. Tested on the CPU; not yet measured on CUDA, for which it is
written: no random numbers, no atomic additions, and one synchronisation an iteration.

Within this file LLRs are log p(b=0)/p(b=1), and frames are the last dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from phy.coding.decoding import MIN_SUM, Decoding
from phy.coding.propagation.graph import Graph

__all__ = ["LayeredMinSum", "TensorOutcome", "layers"]

_WORK = {"cpu": 1 << 20, "cuda": 1 << 28}  # messages decoded at once: what suits the caches, or the memory


@dataclass(frozen=True)
class TensorOutcome:
    """What the decoder found: `phy.coding.propagation.compiled.Outcome` as tensors on the decoder's device.

    Attributes
    ----------
    bits:
        Decisions of all variables, ``[frames, variables]``, ``torch.uint8``; an LLR of exactly 0 decides 1.
    soft:
        A-posteriori LLRs log p(b=1)/p(b=0) of all variables, ``[frames, variables]``, ``torch.float32``.
    iterations:
        Iterations used, ``[frames]``, ``torch.int32``.
    satisfied:
        Whether all parity checks hold, ``[frames]``, ``torch.bool``.
    """

    bits: torch.Tensor
    soft: torch.Tensor
    iterations: torch.Tensor
    satisfied: torch.Tensor


def layers(graph: Graph) -> list[range]:
    """Cut the rows into runs of consecutive rows that share no variable, each as long as it can be.

    Examples
    --------
    >>> layers(Graph.of(np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]])))
    [range(0, 2), range(2, 3)]
    """
    last_seen = np.full(graph.size, -1)
    begins = [0]
    for row, (first, end) in enumerate(pairwise(graph.starts)):
        variables = graph.variables[first:end]
        if last_seen[variables].max() >= begins[-1]:
            begins.append(row)
        last_seen[variables] = row
    return [range(first, end) for first, end in pairwise([*begins, len(graph.starts) - 1])]


class LayeredMinSum:
    """Min-sum decoding, offset and normalised too, in layers or flooding.

    The messages are those of `phy.coding.decoding.Decoding`, m_cv = prod sign(x) * scale(min |x|) over the
    other variables' x_u = P_u - m_cu; P_v = x_v + m_cv layer by layer, or in flooding the channel's LLR plus
    all m_cv.

    Parameters
    ----------
    graph:
        The parity-check matrix; layered decoding follows its rows from top to bottom. Fast if many
        consecutive rows share no variable, as in quasi-cyclic codes.
    decoding:
        ``minsum``, ``offset-minsum`` or ``normalized-minsum`` in floating point.
    device:
        Where frames are decoded.

    Raises
    ------
    ValueError
        If the algorithm is another one, or in fixed point.

    Examples
    --------
    >>> decoder = LayeredMinSum(Graph.of(np.array([[1, 1, 0], [0, 1, 1]])), Decoding("minsum"))
    >>> decoder.decode(torch.tensor([[3.0, -1.0, 2.0]])).bits
    tensor([[1, 1, 1]], dtype=torch.uint8)
    """

    def __init__(self, graph: Graph, decoding: Decoding, device: str | torch.device = "cpu") -> None:
        if decoding.fixed_point is not None:
            raise ValueError(f"PyTorch decodes in floating point, got llr_bits={decoding.fixed_point.bits}")
        self.graph, self.decoding = graph, decoding.among("PyTorch", MIN_SUM)
        self.device = torch.device(device)
        self._layers = [_padded(graph, rows).to(self.device) for rows in layers(graph)]

    def decode(self, llr: torch.Tensor) -> TensorOutcome:
        """Decode frames.

        Parameters
        ----------
        llr:
            Channel LLRs log p(b=1)/p(b=0) of all variables, ``[frames, variables]``: 0 for punctured ones,
            large and negative for known zeros.

        Raises
        ------
        ValueError
            If the shape is another, or a value is NaN.
        """
        if llr.ndim != 2 or llr.shape[1] != self.graph.size:
            raise ValueError(f"LLRs must have shape [frames, {self.graph.size}], got {list(llr.shape)}")
        llr = llr.to(self.device, torch.float32)
        if bool(torch.isnan(llr).any()):
            raise ValueError("LLRs must be numbers (infinite ones are certain bits), got NaN")
        at_once = max(1, _WORK.get(self.device.type, _WORK["cuda"]) // self.graph.edges)
        posterior = llr.new_empty(self.graph.size, len(llr))
        iterations = torch.zeros(len(llr), dtype=torch.int32, device=self.device)
        satisfied = torch.zeros(len(llr), dtype=torch.bool, device=self.device)
        for first in range(0, len(llr), at_once):
            part = slice(first, first + at_once)
            self._propagate(llr[part], posterior[:, part], iterations[part], satisfied[part])
        return TensorOutcome((posterior.T <= 0).to(torch.uint8), 0.0 - posterior.T, iterations, satisfied)

    def _propagate(
        self, llr: torch.Tensor, final: torch.Tensor, iterations: torch.Tensor, satisfied: torch.Tensor
    ) -> None:
        """Decode one part of the frames into views of the outputs."""
        # One more variable, certain to be 0: it fills short rows, and no message changes its infinity.
        channel = torch.nn.functional.pad(-llr.T, (0, 0, 0, 1), value=torch.inf)
        channel[:-1].clamp_(-self.decoding.clip, self.decoding.clip)
        posterior = channel.clone()
        messages = [channel.new_zeros(*layer.shape, len(llr)) for layer in self._layers]
        frame = torch.arange(len(llr), device=self.device)
        running = torch.ones(len(llr), dtype=torch.bool, device=self.device)
        for iteration in range(1, self.decoding.iterations + 1):
            posterior = self._iterate(channel, posterior, messages)
            last = iteration == self.decoding.iterations
            if not (last or self.decoding.early_stop):
                continue
            good = self._checks_hold(posterior)
            ending = running if last else running & good
            ended = frame[ending]
            final[:, ended] = posterior[:-1, ending]
            iterations[ended], satisfied[ended] = iteration, good[ending]
            running = running & ~ending
            left = int(running.sum())
            if not left:
                return
            if 2 * left <= len(running):  # copying what is left pays once it is half
                frame, channel, posterior = frame[running], channel[:, running], posterior[:, running]
                messages = [message[..., running] for message in messages]
                running = running[running]

    def _iterate(
        self, channel: torch.Tensor, posterior: torch.Tensor, messages: list[torch.Tensor]
    ) -> torch.Tensor:
        """One iteration over all rows, messages in place; returns the new a-posteriori LLRs."""
        flooding = self.decoding.schedule == "flooding"
        new = channel.clone() if flooding else posterior
        for variables, message in zip(self._layers, messages, strict=True):
            x = posterior[variables] - message
            message.copy_(self._check(x))
            new[variables] = (new[variables] if flooding else x) + message
        return new

    def _check(self, x: torch.Tensor) -> torch.Tensor:
        """Messages of checks to their variables, from theirs to them: ``[rows, degree, frames]``."""
        size = x.abs().clamp_max(self.decoding.clip)
        least, smallest = size.min(dim=1, keepdim=True)
        second = size.scatter(1, smallest, self.decoding.clip).amin(dim=1, keepdim=True)
        place = torch.arange(x.shape[1], device=self.device)[:, None]
        others = torch.where(place == smallest, self._scale(second), self._scale(least))
        negative = x < 0
        odd = negative.sum(dim=1, keepdim=True, dtype=torch.int32) % 2 == 1
        return torch.where(odd ^ negative, -others, others)

    def _scale(self, size: torch.Tensor) -> torch.Tensor:
        decoding = self.decoding
        if decoding.algorithm == "offset-minsum":
            return (size - decoding.offset).clamp_min(0)
        return decoding.factor * size if decoding.algorithm == "normalized-minsum" else size

    def _checks_hold(self, posterior: torch.Tensor) -> torch.Tensor:
        """Whether the decisions of each frame satisfy all parity checks, ``[frames]``."""
        ones = posterior <= 0
        failing = torch.zeros_like(ones[0])
        for variables in self._layers:
            parity = ones[variables].sum(dim=1, dtype=torch.int32) % 2
            failing |= (parity == 1).any(dim=0)
        return ~failing


def _padded(graph: Graph, rows: range) -> torch.Tensor:
    """Variables of a layer's rows, ``[rows, degree]``; short rows end in the variable behind the last one."""
    starts = graph.starts[rows.start : rows.stop + 1].astype(np.int64)
    degrees = np.diff(starts)
    place = np.arange(degrees.max())
    edges = np.minimum(starts[:-1, None] + place, len(graph.variables) - 1)
    padded = np.where(place < degrees[:, None], graph.variables[edges], graph.size)
    return torch.from_numpy(padded.astype(np.int64))
