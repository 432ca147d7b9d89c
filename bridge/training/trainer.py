"""One training loop for all recipes: checkpoints, log, learning rate, and draws that a step number fixes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from semantic.files import write_text, written

__all__ = ["AnotherRun", "Recipe", "train"]

_log = logging.getLogger(__name__)
_CHECKPOINT = "checkpoint.safetensors"
_LOSSES = "loss.csv"


class AnotherRun(ValueError):  # noqa: N818 - what it says is the name of the state
    """The folder's checkpoint belongs to a run of another recipe, seed or number of steps."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    name:
        What to say to ``semphy train``; the bundled folder has the same name.
    make:
        Builds the model from a seed.
    loss:
        Loss of one step: (model, step) to a scalar. Whatever it draws depends on seed and step only, so that
        an interrupted run goes on as if nothing had happened; PyTorch's global generators, from which dropout
        draws, are seeded for each step.
    save:
        Writes the finished model to a folder in the hub's layout.
    rate, warm_up:
        Highest learning rate, and steps of its linear rise; behind it falls half a cosine to zero.
    groups:
        Parameter groups of the optimiser, ``lr`` in them being a factor; None is all parameters at 1.
    weight_decay, clip:
        Of AdamW; and the largest norm of a gradient, infinity for any.
    """

    name: str
    make: Callable[[], nn.Module]
    loss: Callable[[Any, int], torch.Tensor]
    save: Callable[[Any, Path], None]
    rate: float
    warm_up: int = 100
    groups: Callable[[Any], list[dict[str, Any]]] | None = None
    weight_decay: float = 0.0
    clip: float = 1.0


def train(
    recipe: Recipe,
    steps: int,
    folder: Path,
    *,
    seed: int = 1,
    device: str = "cpu",
    resume: bool = True,
    save_every: int = 500,
    until: int | None = None,
) -> list[float]:
    """Train, from the folder's checkpoint on if there is one, and save the model.

    Parameters
    ----------
    recipe:
        What to train.
    steps:
        How many in all, those before an interruption included; the learning rate falls to zero over them.
    folder:
        Receives model, ``loss.csv`` and, until the run is complete, the checkpoint.
    seed:
        Of the initial weights, and a part of the checkpoint's identity.
    device:
        Where model and optimiser live.
    resume:
        False begins anew.
    save_every:
        Steps between checkpoints.
    until:
        Stop early after so many steps, checkpoint kept, as an interruption would.

    Returns
    -------
    list of float
        Losses of the steps run now.

    Raises
    ------
    ValueError
        If ``steps`` is not positive or the checkpoint belongs to another run (`AnotherRun`).
    """
    if steps < 1:
        raise ValueError(f"a training needs at least one step, got {steps}")
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = recipe.make().to(device)
    everything: list[dict[str, Any]] = [{"params": list(model.parameters()), "lr": 1.0}]
    groups = recipe.groups(model) if recipe.groups else everything
    factors: list[float] = [group["lr"] for group in groups]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    run = {"recipe": recipe.name, "steps": str(steps), "seed": str(seed)}
    checkpoint = folder / _CHECKPOINT
    done = _restore(checkpoint, model, optimizer, run) if resume and checkpoint.is_file() else 0
    log = _Losses(folder / _LOSSES, done)
    model.train()
    for step in range(done, steps if until is None else min(until, steps)):
        rate = recipe.rate * _schedule(step, steps, recipe.warm_up)
        for group, factor in zip(optimizer.param_groups, factors, strict=True):
            group["lr"] = rate * factor
        optimizer.zero_grad(set_to_none=True)
        with _drawing(seed, step, device):
            loss = recipe.loss(model, step)
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        log.add(step + 1, loss.item(), steps)
        if (step + 1) % save_every == 0 or step + 1 in (until, steps):
            _save(checkpoint, model, optimizer, {**run, "step": str(step + 1)})
    if until is None or until >= steps:
        model.eval()
        recipe.save(model, folder)
        checkpoint.unlink(missing_ok=True)
    return log.losses


@contextmanager
def _drawing(seed: int, step: int, device: str) -> Iterator[None]:
    """Let layers that draw from PyTorch's own generators (dropout) depend on seed and step only."""
    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed << 32 | step)
        yield


def _schedule(step: int, steps: int, warm_up: int) -> float:
    return min((step + 1) / warm_up, (1 + math.cos(math.pi * step / steps)) / 2)


class _Losses:
    """Means of 50 losses, in the log and in a file that an interrupted run continues."""

    def __init__(self, file: Path, done: int) -> None:
        head, *lines = (file.read_text() if file.is_file() and done else "step,loss\n").splitlines()
        kept = [line for line in lines if int(line.split(",")[0]) <= done]
        write_text(file, "\n".join([head, *kept]) + "\n")
        self.file, self.losses, self._begun = file, list[float](), time.monotonic()

    def add(self, step: int, loss: float, steps: int) -> None:
        """Count one step."""
        self.losses.append(loss)
        if step % 50 and step != steps:
            return
        recent = self.losses[-50:]
        mean = sum(recent) / len(recent)
        pace = (time.monotonic() - self._begun) / len(self.losses)
        _log.info("step %d of %d: loss %.5f, %.2f s a step", step, steps, mean, pace)
        with self.file.open("a") as stream:
            stream.write(f"{step},{mean:.6f}\n")


def _save(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, run: dict[str, str]) -> None:
    tensors = dict(_named("model", model.state_dict().items()))
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= dict(_named(f"optimizer.{index}", state.items()))
    with written(file) as beside:
        save_file(tensors, str(beside), metadata=run)


def _named(prefix: str, items: Iterable[tuple[str, torch.Tensor]]) -> Iterable[tuple[str, torch.Tensor]]:
    """Tensors under names of their own and with memory of their own, as safetensors wants them."""
    return ((f"{prefix}.{name}", tensor.detach().cpu().contiguous().clone()) for name, tensor in items)


def _restore(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, run: dict[str, str]) -> int:
    with safe_open(str(file), "pt") as stored:
        metadata = dict(stored.metadata())
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    step = int(metadata.pop("step"))
    if metadata != run:
        raise AnotherRun(f"{file} belongs to the run {metadata}, not {run}: train into another folder")
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return step
