"""A classifier of ImageNet's classes with random weights, its tensors named as published."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from semantic.networks.fcn_mobilenet import MobileNetFCN

__all__ = ["write_imagenet"]


def write_imagenet(file: Path) -> None:
    """Write the backbone of a new `MobileNetFCN`, made from PyTorch's global generator."""
    tensors = {}
    for name, tensor in MobileNetFCN().backbone.state_dict().items():
        published = name.replace("stem.", "Conv.").replace("blocks.0.", "expanded_conv.")
        tensors["MobilenetV2." + published.replace("blocks.", "expanded_conv_")] = tensor
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(file))
