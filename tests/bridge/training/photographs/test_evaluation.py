"""Evaluations on photographs: overlaps by hand, PSNR by a closed form, and which photographs are taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from bridge.training.figures import Mean, Share
from bridge.training.photographs.evaluation import (
    ChannelAt,
    jscc_figures,
    linear_code,
    masked_photographs,
    segmenter_figures,
    untrained,
)
from phy.channels.flat import AWGN, Rayleigh
from semantic.networks.jscc import JSCC, NestedJSCC
from semantic.samples.downloads import DATA_SETS

# --- segmenters


class _Fixed:
    """Says the same of every picture."""

    def __init__(self, labels: NDArray[np.int64]) -> None:
        self.said = labels

    def labels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
        return [self.said for _ in pictures]


def write(folder: Path, name: str, labels: NDArray[np.uint8]) -> None:
    for inside in ("JPEGImages", "SegmentationClass"):
        (folder / inside).mkdir(exist_ok=True)
    Image.fromarray(np.zeros((*labels.shape, 3), np.uint8)).save(folder / "JPEGImages" / f"{name}.jpg")
    Image.fromarray(labels).save(folder / "SegmentationClass" / f"{name}.png")


def test_overlaps_by_hand(tmp_path: Path) -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 3
    truth[4, 5:15] = 255  # not judged: what is said of it counts nowhere
    write(tmp_path, "a", truth)
    write(tmp_path, "b", np.zeros((20, 20), np.uint8))  # has no main object
    said = np.zeros((20, 20), np.int64)
    said[4:15, 5:10] = 9
    found = {
        figure.name: figure for figure in segmenter_figures(_Fixed(said), masked_photographs(tmp_path, 9))
    }
    # The main object: 50 of 100 pixels, and none too many; its box 11 x 5 of 10 x 10, 50 of 105 together.
    assert found["main-object-iou"].measured == Mean((0.5,))
    assert found["main-object-box-iou"].measured == Mean((50 / 105,))
    assert found["main-object-named"].measured == Share((0,), (1,))
    # In the other picture 55 pixels are called an object and none is.
    assert found["objects-iou"].measured == Share((50, 0), (100, 55))
    # Background: 290 + 345 of 340 + 400; 3 and 9: none.
    assert found["mean-iou"].measured.value == pytest.approx(635 / 740 / 3)
    # A box of 10 x 10 in the middle is the object itself.
    middle = found["main-object-iou"].baseline
    assert middle is not None
    assert (middle.name, middle.measured) == ("box-in-the-middle", Mean((1.0,)))
    all_ = found["objects-iou"].baseline
    assert all_ is not None
    assert all_.measured == Share((100, 0), (100, 100))


def test_photographs_that_were_set_apart_are_taken_alone(tmp_path: Path) -> None:
    listed = list(DATA_SETS["voc2012"].parts["eval"].names)
    assert len(set(listed)) == 175
    labels = np.full((4, 4), 8, np.uint8)
    for name in (*listed, "2099_000001"):
        write(tmp_path, name, labels)
    assert [pair.mask.stem for pair in masked_photographs(tmp_path, 1000)] == listed
    assert len(masked_photographs(tmp_path, 3)) == 3
    (tmp_path / "SegmentationClass" / f"{listed[0]}.png").unlink()  # then it is some other set
    assert len(masked_photographs(tmp_path, 1000)) == 175


def test_masks_that_show_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SegmentationClass"):
        masked_photographs(tmp_path, 9)
    write(tmp_path, "a", np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match="no masks with objects"):
        masked_photographs(tmp_path, 9)


# --- joint source-channel networks


class _Pixels(JSCC):
    """Sends black and white pixels as signs, without coding; CBR 1/2."""

    def __init__(self) -> None:
        super().__init__({}, channels=12)
        self.stride = 2

    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        return F.pixel_unshuffle(2 * pictures - 1, 2)

    def _synthesise(
        self, latent: torch.Tensor, snr_db: torch.Tensor, noise: torch.Tensor | None = None
    ) -> torch.Tensor:
        return (F.pixel_shuffle(latent, 2) * 2**0.5 + 1) / 2


def test_psnr_of_uncoded_pixels_is_what_theory_says() -> None:
    rng = np.random.default_rng(1)
    pictures = [(255 * rng.integers(0, 2, (64, 64, 3))).astype(np.uint8) for _ in range(4)]
    network = _Pixels()
    conditions = [ChannelAt(AWGN(), 10.0), ChannelAt(AWGN(), 16.0)]
    first, second = jscc_figures(network, {"itself": network}, pictures, conditions, 1)
    assert [figure.at for figure in (first, second)] == ["10dB", "16dB"]
    for figure, snr in ((first, 10.0), (second, 16.0)):
        # A real has the noise N0 / 2 at power 1/2; a pixel, half the distance of the signs, N0 / 4, and the
        # half of it that reaches beyond black and white is cut off. Of 49,152 pixels: 0.04 dB and less.
        assert figure.measured.value == pytest.approx(10 * math.log10(8) + snr, abs=0.2)
        assert figure.unit == "dB"
        assert figure.baseline is not None
        assert figure.baseline.measured == figure.measured  # on the same noise


def test_a_nested_network_sends_what_the_rate_allows() -> None:
    network = NestedJSCC(channels=64, stride=8, width=8, depth=1, context=8)
    pictures = [np.random.default_rng(2).integers(0, 256, (64, 48, 3)).astype(np.uint8)]
    sent: list[int] = []
    encode = network.encode

    def counted(*args: torch.Tensor | int | None) -> torch.Tensor:
        values = encode(*args)  # type: ignore[arg-type]
        sent.append(values.shape[1])
        return values

    network.encode = counted  # type: ignore[method-assign, assignment]
    list(jscc_figures(network, {"x": network}, pictures, [ChannelAt(Rayleigh(), 3.0)], 1, cbr=1 / 24))
    assert sent == 2 * [2 * (64 * 48 * 3 // 24)]
    assert str(ChannelAt(Rayleigh(), 3.0)) == "rayleigh,3dB"


def test_an_untrained_network_is_what_training_began_with() -> None:
    rng = np.random.default_rng(3)
    pictures = torch.from_numpy(rng.random((16, 3, 4, 4))).float()
    pictures = F.interpolate(pictures, (32, 32), mode="bicubic").clamp(0, 1)
    network = NestedJSCC(channels=64, stride=8, width=8, depth=1, context=8)
    network.fit_linear(pictures)
    snr = torch.full((1,), 5.0)
    values = 0.1 * torch.from_numpy(rng.standard_normal((1, 64 * 16))).float()

    def made(by: NestedJSCC) -> torch.Tensor:
        with torch.no_grad():
            return by.eval().decode(values, (32, 32), snr)

    begun = made(network)
    for parameter in network.windows.head.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(made(network), begun, atol=1e-3)
    torch.testing.assert_close(made(untrained(network)), begun)
    assert not torch.allclose(made(linear_code(network)), begun, atol=1e-3)
    assert not torch.allclose(made(network), begun, atol=1e-3)  # copies were changed, not the network
