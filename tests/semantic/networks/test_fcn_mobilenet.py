"""FCN on MobileNet v2: the published network in transformers' own layers, names, shapes and bad files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MobileNetV2Config, MobileNetV2Model

from semantic.models.segmentation import Segmenter
from semantic.networks.fcn_mobilenet import MobileNetFCN
from tests.tiny.imagenet import write_imagenet


def test_backbone_is_transformers_mobilenet_with_its_normalisation_folded() -> None:
    """Their normalisation does nothing at its start; their stem holds the first block."""
    torch.manual_seed(1)
    config = MobileNetV2Config(output_stride=16, layer_norm_eps=0.0, finegrained_output=True, tf_padding=True)
    theirs, ours = MobileNetV2Model(config).eval(), MobileNetFCN(width=4).eval()
    convolutions = [layer for layer in theirs.modules() if isinstance(layer, torch.nn.Conv2d)]
    mine = [layer for layer in ours.backbone.modules() if isinstance(layer, torch.nn.Conv2d)]
    with torch.no_grad():
        for theirs_layer, layer in zip(convolutions, mine, strict=False):
            assert theirs_layer.weight.shape == layer.weight.shape
            layer.weight.copy_(theirs_layer.weight)
            torch.nn.init.zeros_(layer.bias)
        x = torch.rand(1, 3, 97, 64) * 2 - 1
        expected = theirs(x, output_hidden_states=True).hidden_states
        fine, middle, coarse = ours.backbone(x)
    assert len(mine) == len(convolutions) - 1  # without their last, 1 x 1 to 1,280
    for seen, index in ((fine, 4), (middle, 11), (coarse, 15)):
        torch.testing.assert_close(seen, expected[index], rtol=1e-4, atol=1e-4)


def test_scores_have_the_pictures_size_and_every_weight_counts() -> None:
    torch.manual_seed(2)
    network = MobileNetFCN(classes=5, width=8)
    scores = network(torch.randn(2, 3, 50, 67))
    assert scores.shape == (2, 5, 50, 67)
    scores.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


@pytest.mark.slow
def test_weights_come_by_their_published_names(tmp_path: Path) -> None:
    torch.manual_seed(4)
    write_imagenet(tmp_path / "m.safetensors")
    published = load_file(tmp_path / "m.safetensors")
    network = MobileNetFCN(width=4)
    network.load_imagenet(tmp_path / "m.safetensors")
    assert torch.equal(network.backbone.stem.weight, published["MobilenetV2.Conv.weight"])
    block = network.backbone.blocks[16]
    assert torch.equal(
        block.get_parameter("project.bias"), published["MobilenetV2.expanded_conv_16.project.bias"]
    )
    del published["MobilenetV2.expanded_conv.depthwise.bias"]
    save_file(published, str(tmp_path / "m.safetensors"))
    with pytest.raises(
        ValueError, match=r"MobilenetV2\.expanded_conv\.depthwise\.bias should be \[32\], is None"
    ):
        network.load_imagenet(tmp_path / "m.safetensors")


def test_a_segmenter_reads_it(tmp_path: Path) -> None:
    network = MobileNetFCN(classes=3, width=4, short_side=32)
    network.save_pretrained(tmp_path)
    read = Segmenter.from_pretrained(tmp_path).network
    assert isinstance(read, MobileNetFCN) and read.short_side == 32
    with pytest.raises(ValueError, match="got 0 and 128"):
        MobileNetFCN(classes=0)
