"""Our own networks on disk, in the hub's layout: ``config.json`` and ``model.safetensors`` in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from semantic.files import write_text, written
from semantic.zoo.complete import check_tensors
from semantic.zoo.missing import WeightsMissing

__all__ = ["Pretrained", "read_config"]

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read the ``config.json`` of a folder in the hub's layout.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If the folder lacks ``config.json`` or ``model.safetensors``.
    ValueError
        If ``config.json`` is no JSON object.
    """
    missing = [name for name in (_CONFIG, _WEIGHTS) if not (Path(folder) / name).is_file()]
    if missing:
        raise WeightsMissing(
            f"the folder {str(folder)!r} has no {' and no '.join(missing)}: point to a folder that "
            "save_pretrained wrote (semphy train makes one)"
        )
    file = Path(folder) / _CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(file)!r} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{str(file)!r} holds no JSON object but {type(config).__name__}")
    return config


class Pretrained(nn.Module):
    """A network that saves and loads itself with its settings.

    Parameters
    ----------
    settings:
        The keyword arguments that make this very network again; they must survive JSON.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.settings = settings

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write ``config.json`` and ``model.safetensors``.

        Parameters
        ----------
        folder:
            Made when it does not exist.
        dtype:
            Type of the stored floating-point tensors, for instance ``torch.float16`` to halve the file;
            None keeps them bit for bit.
        """
        path = Path(folder)
        config = {"architectures": [type(self).__name__], **self.settings}
        write_text(path / _CONFIG, json.dumps(config, indent=2) + "\n")
        tensors = {
            name: (value if dtype is None or not value.is_floating_point() else value.to(dtype)).contiguous()
            for name, value in self.state_dict().items()
        }
        with written(path / _WEIGHTS) as beside:
            save_file(tensors, beside, metadata={"format": "pt"})

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read a network that `save_pretrained` wrote, ready for evaluation.

        Parameters
        ----------
        folder:
            A local directory.
        device, dtype:
            Where the network is to live, and the type of its floating-point tensors.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If the folder lacks one of the two files.
        ValueError
            If the folder holds another class, other settings, or (`semantic.zoo.complete.WrongWeights`) other
            tensors.
        """
        config = read_config(folder)
        name = config.pop("architectures", [None])[0]
        if name != cls.__name__:
            raise ValueError(f"the folder {str(folder)!r} holds a {name}, not a {cls.__name__}")
        try:
            model = cls(**config)
            tensors = load_file(Path(folder) / _WEIGHTS)
            found = model.load_state_dict(tensors, strict=False)
        except (TypeError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"the folder {str(folder)!r} holds no {cls.__name__}: {error}") from error
        check_tensors(folder, name, model.state_dict(), found.missing_keys, found.unexpected_keys)
        return model.to(device=device, dtype=dtype).eval()
