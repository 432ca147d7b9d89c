"""Checkpoints that hold every tensor of their model and no other.

Libraries only warn of what is missing, and draw it at random. What they tie (an output layer to the
embeddings) or know to be no weight (``position_ids``) is neither missing nor unexpected.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["WrongWeights", "check_tensors", "load_whole"]

_SHOWN = 3


class WrongWeights(ValueError):  # noqa: N818 - what it says is the name of the state
    """A checkpoint does not hold the tensors of the model that it should be; the message names them."""


def load_whole(model: Any, folder: str | Path, *, beside: str = "", **options: Any) -> Any:
    """Read a model of transformers or diffusers from a local folder.

    Parameters
    ----------
    model:
        Class of the library.
    folder:
        In the hub's layout.
    beside:
        Regular expression of tensors that may lie in it, too: of a model of which this one is a part.
    options:
        For ``from_pretrained``.

    Raises
    ------
    WrongWeights
        If tensors are missing, unexpected, or of other shapes.
    OSError
        If files are missing, as the library says it.
    """
    options |= {"output_loading_info": True, "ignore_mismatched_sizes": True, "local_files_only": True}
    with _quiet(model.__module__.partition(".")[0]):
        made, found = model.from_pretrained(folder, **options)
    unexpected = [name for name in found["unexpected_keys"] if not (beside and re.match(beside, name))]
    check_tensors(
        folder,
        model.__name__,
        made.state_dict().keys(),
        found["missing_keys"],
        unexpected,
        [name for name, *_ in found["mismatched_keys"]],
    )
    return made


@contextmanager
def _quiet(library: str) -> Iterator[None]:
    """Leave it to us to say what is missing: a library writes a page about it."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def check_tensors(
    folder: str | Path,
    model: str,
    wanted: Collection[str],
    missing: Iterable[str],
    unexpected: Iterable[str],
    misshapen: Iterable[str] = (),
) -> None:
    """Refuse a checkpoint that is not the whole of a model.

    Parameters
    ----------
    folder, model:
        For the message.
    wanted:
        Names of all tensors of the model.
    missing, unexpected, misshapen:
        Those that the checkpoint lacks, those that it has beyond them, and those of another shape.

    Raises
    ------
    WrongWeights
        Unless there are none; names the first of each.

    Examples
    --------
    >>> check_tensors("my-bart", "Bart", ["a", "b"], missing=["b"], unexpected=["c", "d"])
    Traceback (most recent call last):
    semantic.zoo.complete.WrongWeights: 'my-bart' is no complete Bart: 1 of 2 tensors missing (b), \
2 unexpected (c, d)
    """
    said = []
    for names, what in ((missing, "missing"), (misshapen, "of another shape"), (unexpected, "unexpected")):
        if found := sorted(names):
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            of = "" if what == "unexpected" else f" of {len(wanted)} tensors"
            said.append(f"{len(found)}{of} {what} ({', '.join(found[:_SHOWN])}{more})")
    if said:
        raise WrongWeights(f"{str(folder)!r} is no complete {model}: {', '.join(said)}")
