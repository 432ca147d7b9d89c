"""How the judge is trained, and how good it is.

Pictures are drawn afresh for every step from (seed, step), half of them distorted as generated or transmitted
pictures are, one in sixteen showing no object at all (a bare background, noise, or blots). So a run can be
resumed at any step, and is the same to the bit for one seed, number of threads, machine and set of versions.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional

from semantic.scenes.draw import draw, draw_background
from semantic.scenes.facts import Counts, count_right
from semantic.scenes.judge import HEADS, SceneJudge, to_batch
from semantic.scenes.scene import BACKGROUNDS, GRAINS, PLACES, Scene, below, choose, chooser, sample_scene

__all__ = ["DISTORTIONS", "evaluate_judge", "train_judge"]

_BATCH = 64
_RATE = 3e-3
_WARM_UP = 100
_SAVE_EVERY = 250
_CHECKPOINT = "checkpoint.safetensors"
_LOSSES = "loss.csv"
_TRAINING, _EVALUATION = 1, 2  # last word of the seeds: none is that of `load`, which has two words
_IGNORED = -100  # cross_entropy's mark for targets that do not count

_log = logging.getLogger(__name__)

Picture = NDArray[np.uint8]


# --- distortions ----------------------------------------------------------------------------------


def _clip(values: NDArray[np.float64]) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _blur(picture: Picture, generator: np.random.Generator) -> Picture:
    """One or two passes of the binomial filter (1, 2, 1) / 4 along both axes."""
    values = picture.astype(np.float64)
    for _ in range(1 + below(generator, 2)):
        for axis in (0, 1):
            edged = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
            first, middle, last = (edged.take(range(k, k + values.shape[axis]), axis) for k in range(3))
            values = (first + 2 * middle + last) / 4
    return _clip(values)


def _noise(picture: Picture, generator: np.random.Generator) -> Picture:
    """Gaussian noise of a standard deviation of 4 to 20 levels, alike in all channels or not."""
    deviation = 4 + below(generator, 17)
    channels = choose(generator, (1, 3))
    return _clip(picture + deviation * generator.standard_normal((*picture.shape[:2], channels)))


def _jpeg(picture: Picture, generator: np.random.Generator) -> Picture:
    """JPEG of a quality of 25 to 84."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=25 + below(generator, 60))
    return np.array(Image.open(file))


def _soften(picture: Picture, generator: np.random.Generator) -> Picture:
    """Down to 36 to 55 pixels and up again."""
    size = 36 + below(generator, 20)
    small = Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(small.resize(picture.shape[1::-1], Image.Resampling.BICUBIC))


def _tint(picture: Picture, generator: np.random.Generator) -> Picture:
    """Each channel scaled by 0.93 to 1.07 and shifted by up to 8 levels."""
    gains = [(93 + below(generator, 15)) / 100 for _ in range(3)]
    shifts = [below(generator, 17) - 8 for _ in range(3)]
    return _clip(picture * np.array(gains) + np.array(shifts))


def _shift(picture: Picture, generator: np.random.Generator) -> Picture:
    """One pixel to any side."""
    down, right = below(generator, 3), below(generator, 3)
    framed = np.pad(picture, [(1, 1), (1, 1), (0, 0)], mode="edge")
    return framed[down : down + picture.shape[0], right : right + picture.shape[1]]


Distortion = Callable[[Picture, np.random.Generator], Picture]

DISTORTIONS: dict[str, Distortion] = {
    "blurred": _blur,
    "noisy": _noise,
    "jpeg": _jpeg,
    "softened": _soften,
    "tinted": _tint,
    "shifted": _shift,
}
"""What the judge must bear: name -> (picture, generator) -> picture."""


def _distort(picture: Picture, generator: np.random.Generator) -> Picture:
    if below(generator, 2):
        return picture
    for _ in range(1 + below(generator, 2)):
        picture = choose(generator, tuple(DISTORTIONS.values()))(picture, generator)
    return picture


# --- data -----------------------------------------------------------------------------------------


def _bare(generator: np.random.Generator) -> Picture:
    """A picture without objects: a background, noise, or blots of some fineness."""
    if below(generator, 2):
        grain = below(generator, GRAINS), below(generator, GRAINS)
        return draw_background(choose(generator, BACKGROUNDS), grain).astype(np.uint8)
    side = choose(generator, (4, 8, 16, 32, 64))
    blots = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
    return np.array(Image.fromarray(blots).resize((64, 64), Image.Resampling.BILINEAR))


def _targets(scene: Scene | None) -> dict[str, list[int]]:
    """Indices into `HEADS`, nine for what is told of cells; ``_IGNORED`` where there is nothing to tell."""
    cells = {name: [_IGNORED] * len(PLACES) for name in ("colour", "size", "texture")}
    targets = {"shape": [0] * len(PLACES), **cells, "background": [_IGNORED], "light": [_IGNORED]}
    if scene is None:
        return targets
    for thing in scene.things:
        for name in ("shape", "colour", "size", "texture"):
            targets[name][PLACES.index(thing.place)] = HEADS[name].index(getattr(thing, name))
    targets["background"] = [BACKGROUNDS.index(scene.background)]
    targets["light"] = [HEADS["light"].index(scene.light)]
    return targets


def _batch(seed: int, step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Pictures ``[64, 3, 64, 64]`` and targets, ``[64 * 9]`` or ``[64]``, of one step."""
    generator = chooser([seed, step, _TRAINING])
    pictures, targets = [], []
    for index in range(_BATCH):
        scene = None if index % 16 == 0 else sample_scene(generator, "hard" if index % 4 else "medium")
        picture = _bare(generator) if scene is None else draw(scene)
        pictures.append(_distort(picture, generator))
        targets.append(_targets(scene))
    stacked = {name: torch.tensor([row[name] for row in targets]).flatten() for name in HEADS}
    return to_batch(pictures), stacked


# --- training -------------------------------------------------------------------------------------


def _loss(judge: SceneJudge, pictures: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
    logits = judge(pictures)
    losses = [
        functional.cross_entropy(logits[name].flatten(0, -2), targets[name], ignore_index=_IGNORED)
        for name in HEADS
    ]
    return torch.stack(losses).sum()


def _rate(step: int, steps: int) -> float:
    """Learning rate: a linear rise, then half a cosine to zero."""
    return _RATE * min((step + 1) / _WARM_UP, (1 + math.cos(math.pi * step / steps)) / 2)


def _save(file: Path, judge: SceneJudge, optimizer: torch.optim.Optimizer, run: dict[str, str]) -> None:
    tensors = {f"model.{name}": tensor.contiguous() for name, tensor in judge.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor.contiguous() for name, tensor in state.items()}
    partial = file.with_suffix(".partial")
    save_file(tensors, str(partial), metadata=run)
    partial.replace(file)


def _restore(file: Path, judge: SceneJudge, optimizer: torch.optim.Optimizer, run: dict[str, str]) -> int:
    """Load a checkpoint into model and optimizer; return the number of steps done."""
    with safe_open(str(file), "pt") as stored:
        metadata = stored.metadata()
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    step = int(metadata.pop("step"))
    if metadata != run:
        raise ValueError(f"{file} belongs to a run with {metadata}, not {run}; train into another folder")
    judge.load_state_dict({name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return step


def _losses_until(step: int, file: Path) -> list[str]:
    """Lines of the log of losses, head included, up to the step from which a run goes on."""
    head, *lines = (file.read_text() if file.is_file() else "step,loss\n").splitlines(keepends=True)
    return [head, *(line for line in lines if int(line.split(",")[0]) <= step)]


def train_judge(steps: int, seed: int, folder: str | Path, resume: bool = False) -> SceneJudge:
    """Train a judge on the CPU and save it in the hub's layout.

    The loss is logged every 50 steps (logger ``bridge.training.scenes.judge``, and ``loss.csv`` in the
    folder). A checkpoint with the optimizer's state is kept in the folder until the run is complete. One step
    of 64 pictures takes about 0.6 s on one core; the bundled judge took 2,400 from seed 1.

    Parameters
    ----------
    steps:
        How many in all, those before an interruption included.
    seed:
        Of the initial weights and the pictures.
    folder:
        Where the judge goes.
    resume:
        Go on from the folder's checkpoint if there is one.

    Returns
    -------
    SceneJudge
        Ready to read.

    Raises
    ------
    ValueError
        If ``steps`` is not positive, ``seed`` is negative, or the checkpoint is of another run.
    """
    if steps < 1 or seed < 0:
        raise ValueError(f"steps must be positive and seed must not be negative, got {steps!r} and {seed!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = SceneJudge()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=_RATE, weight_decay=1e-3)
    run, checkpoint = {"steps": str(steps), "seed": str(seed)}, folder / _CHECKPOINT
    done = _restore(checkpoint, judge, optimizer, run) if resume and checkpoint.is_file() else 0
    losses = _losses_until(done, folder / _LOSSES)
    judge.train()
    for step in range(done, steps):
        loss = _step(judge, optimizer, _batch(seed, step), _rate(step, steps))
        if (step + 1) % 50 == 0 or step + 1 == steps:
            _log.info("step %d of %d: loss %.4f", step + 1, steps, loss)
            losses.append(f"{step + 1},{loss:.5f}\n")
            (folder / _LOSSES).write_text("".join(losses))
        if (step + 1) % _SAVE_EVERY == 0:
            _save(checkpoint, judge, optimizer, {**run, "step": str(step + 1)})
    judge.eval().save_pretrained(folder)
    checkpoint.unlink(missing_ok=True)
    return judge


def _step(
    judge: SceneJudge,
    optimizer: torch.optim.Optimizer,
    batch: tuple[torch.Tensor, dict[str, torch.Tensor]],
    rate: float,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    loss = _loss(judge, *batch)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def evaluate_judge(judge: SceneJudge, count: int, seed: int) -> dict[str, Counts]:
    """Count right facts on unseen pictures of the hard level: ``clean``, and under each of `DISTORTIONS`.

    Counts add up over pictures, so accuracies weigh every fact alike.

    Parameters
    ----------
    judge:
        A trained judge.
    count:
        Pictures; the same scenes for every distortion.
    seed:
        Of the scenes; whatever it is, they are none of the training's.
    """
    scenes = [sample_scene(chooser([seed, index, _EVALUATION])) for index in range(count)]
    totals = {}
    for name, distort in {"clean": None, **DISTORTIONS}.items():
        generator = chooser(seed)
        drawn = [draw(scene) for scene in scenes]
        seen = judge.read(drawn if distort is None else [distort(picture, generator) for picture in drawn])
        counts = [count_right(scene, facts) for scene, facts in zip(scenes, seen, strict=True)]
        totals[name] = Counts(*map(sum, zip(*counts, strict=True)))
    return totals
