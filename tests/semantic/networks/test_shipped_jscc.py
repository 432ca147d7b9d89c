"""What the shipped joint source-channel networks send and show of one picture, stored."""

from __future__ import annotations

import pytest
import torch

from semantic.networks.jscc import load_jscc
from semantic.zoo.presets import resolve

# Es/N0 in dB; channel values 2k, the first six at unit symbol power, mean magnitude of all; and of what is
# received without noise pixel (5, 7) and PSNR in dB.
ANSWERS = {
    ("tiny-jscc", 0.0): (
        3072,
        [1.19002, 0.33928, 3.75892, 1.12784, 0.26894, 3.17026],
        0.29659,
        [0.36718, 0.41220, 0.10905],
        13.4945,
    ),
    ("tiny-jscc", 10.0): (
        3072,
        [0.82600, 0.23240, 2.62673, 0.77829, 0.19001, 2.21027],
        0.42723,
        [0.27767, 0.53255, 0.01022],
        15.9101,
    ),
    ("jscc-2019-c8", 10.0): (
        1536,
        [-0.01137, 0.14232, 0.01598, -0.19817, 0.01853, -0.25616],
        0.54047,
        [0.27632, 0.39734, 0.06161],
        14.2584,
    ),
    ("jscc-2019-c16", 10.0): (
        3072,
        [-0.32114, -0.31846, -0.51912, -0.22854, -0.38015, -0.08151],
        0.54184,
        [0.30055, 0.39161, 0.04418],
        14.4060,
    ),
}


def picture() -> torch.Tensor:
    """Stripes, a pattern and a disc: ``[1, 3, 64, 48]``."""
    y, x = torch.meshgrid(torch.arange(64), torch.arange(48), indexing="ij")
    disc = ((x - 24) ** 2 + (y - 32) ** 2 < 200).float()
    return torch.stack([(3 * x + y) % 97 / 96, x * y % 64 / 63, disc])[None]


@pytest.mark.parametrize(("name", "snr_db"), ANSWERS)
@torch.no_grad()
def test_shipped_networks_send_and_show_what_they_did(name: str, snr_db: float) -> None:
    count, first, magnitude, pixel, psnr = ANSWERS[name, snr_db]
    network, told, sent = load_jscc(resolve(name)), torch.tensor([snr_db]), picture()
    values = network.encode(sent, told)
    assert values.shape == (1, count)
    symbols = values / (2 * values.square().mean()).sqrt()
    shown = network.decode(symbols, (64, 48), told)
    assert symbols[0, :6].tolist() == pytest.approx(first, abs=2e-4)
    assert float(symbols.abs().mean()) == pytest.approx(magnitude, abs=2e-5)
    assert shown[0, :, 5, 7].tolist() == pytest.approx(pixel, abs=1e-3)
    assert float(-10 * (shown - sent).square().mean().log10()) == pytest.approx(psnr, abs=0.01)


@torch.no_grad()
def test_the_pilot_has_two_hundredths_of_the_mean_pictures_power() -> None:
    """Whatever is sent, its mean over the checkerboard of the latent is that of the pilot alone."""
    network = load_jscc(resolve("tiny-jscc"))
    for snr_db, channels in ((-4.0, 32), (10.0, 256)):
        latent = network.encode(picture(), torch.tensor([snr_db]), channels).reshape(channels, 4, 3)
        signs = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]]).repeat(2, 1)
        assert float((latent * signs).mean()) ** 2 == pytest.approx(0.02, rel=1e-4)
