"""A published segmentation network as a teacher: DeepLab v3 on MobileNet v2, run from its list of operations.

The folder holds float weights (``*.safetensors``, in PyTorch's layout) and, as ``*.graph.json``, the
operations of the TensorFlow Lite graph that they were read from. Pictures may have any size.

References
----------
L.-C. Chen et al.: Rethinking atrous convolution for semantic image segmentation. arXiv 1706.05587, 2017.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

__all__ = ["Teacher"]

_ZERO, _STEP = 128, 1 / 128  # what the graph subtracts from pixels and multiplies them by
_STRIDE = 16


class Teacher(nn.Module):
    """Class scores of Pascal VOC's 21 labels.

    Parameters
    ----------
    folder:
        With one ``*.graph.json`` and the weights of the same name.

    Raises
    ------
    ValueError
        If there is no graph, its weights are missing, or an operation is unknown.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        graphs = sorted(folder.glob("*.graph.json"))
        if not graphs:
            raise ValueError(f"a teacher's folder holds a *.graph.json and weights; {folder} has no graph")
        weights = graphs[0].with_name(graphs[0].name.replace(".graph.json", ".safetensors"))
        if not weights.is_file():
            raise ValueError(f"the graph {graphs[0]} goes with weights in {weights.name}, which are missing")
        operations = json.loads(graphs[0].read_text())["ops"]
        # Behind the scores there is only their enlargement and a maximum.
        last = max(index for index, each in enumerate(operations) if each["op"] == "CONV_2D")
        self.operations: list[dict[str, Any]] = operations[: last + 1]
        unknown = {each["op"] for each in self.operations} - set(_OPERATIONS)
        if unknown:
            raise ValueError(
                f"{graphs[0]} has operations that are not known here: {', '.join(sorted(unknown))}"
            )
        for name, tensor in load_file(weights).items():
            self.register_buffer(name.replace(".", "/"), tensor.float())

    @torch.no_grad()
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scores of pictures, one in sixteen pixels.

        Parameters
        ----------
        pictures:
            ``[B, 3, H, W]``, ``torch.float32``, RGB from 0 to 1; objects should be about as large as in
            photographs of 500 pixels.

        Returns
        -------
        torch.Tensor
            ``[B, 21, h, w]``: logits whose corners lie on the picture's corners.
        """
        # One more pixel than a multiple of the stride, as corners are to fall on corners.
        height, width = (-(-(side - 1) // _STRIDE) * _STRIDE + 1 for side in pictures.shape[2:])
        pictures = pictures.to(next(self.buffers()).device)
        shown = F.interpolate(pictures, (height, width), mode="bilinear", align_corners=True)
        values = {self.operations[0]["inputs"][0]: (shown * 255 - _ZERO) * _STEP}
        for each in self.operations:
            inputs = [values[name] for name in each["inputs"]]
            values[each["output"]] = _activate(_OPERATIONS[each["op"]](self, each, inputs), each)
        return values[self.operations[-1]["output"]]

    def _weight(self, name: str) -> torch.Tensor:
        return self.get_buffer(name.replace(".", "/"))


def _convolve(teacher: Teacher, operation: dict[str, Any], inputs: list[torch.Tensor]) -> torch.Tensor:
    weight, bias = teacher._weight(operation["weight"]), teacher._weight(operation["bias"])
    stride, dilation = operation["stride"], operation["dilation"]
    x = _pad(inputs[0], weight.shape[2:], stride, dilation)
    return F.conv2d(x, weight, bias, stride, 0, dilation, operation.get("groups", 1))


def _pad(x: torch.Tensor, kernel: torch.Size, stride: list[int], dilation: list[int]) -> torch.Tensor:
    """TensorFlow's ``SAME``: as many outputs as strides begin in the input; an odd row goes behind."""
    amounts: list[int] = []
    for side, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True):
        missing = max((-(-side // s) - 1) * s + (k - 1) * d + 1 - side, 0)
        amounts = [missing // 2, missing - missing // 2, *amounts]
    return F.pad(x, amounts)


def _join(teacher: Teacher, operation: dict[str, Any], inputs: list[torch.Tensor]) -> torch.Tensor:
    """Beside each other; what was pooled to one pixel is everywhere the same."""
    sides = [max(x.shape[axis] for x in inputs) for axis in (2, 3)]
    return torch.cat([x.expand(-1, -1, *sides) for x in inputs], dim=1)


_OPERATIONS = {
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve,
    "ADD": lambda teacher, operation, inputs: inputs[0] + inputs[1],
    "AVERAGE_POOL_2D": lambda teacher, operation, inputs: inputs[0].mean(dim=(2, 3), keepdim=True),
    "RESIZE_BILINEAR": lambda teacher, operation, inputs: inputs[0],  # of one pixel: `_join` does it
    "CONCATENATION": _join,
}


def _activate(x: torch.Tensor, operation: dict[str, Any]) -> torch.Tensor:
    kind = operation.get("activation")
    return x.clamp(0, 6) if kind == "RELU6" else F.relu(x) if kind == "RELU" else x
