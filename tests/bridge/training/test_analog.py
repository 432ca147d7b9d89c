"""The channel in the loop of trainings: its noise against the link's, its gradients, and where it runs."""

from __future__ import annotations

import pytest
import torch

from bridge.training.analog import through, weighed
from phy.channels.flat import AWGN, Rayleigh
from phy.random import Stream, complex_normal


def values() -> torch.Tensor:
    return torch.randn(3, 64, generator=torch.Generator().manual_seed(1))


def test_values_meet_the_noise_of_their_streams_at_unit_power() -> None:
    sent, streams = values(), Stream(1).batch(range(3))
    symbols = torch.view_as_complex(sent.reshape(3, -1, 2))
    power = symbols.abs().square().mean(dim=1, keepdim=True)
    noise = complex_normal([stream.child("noise") for stream in streams], 32) * 10 ** (-5 / 20)
    expected = torch.view_as_real(symbols / power.sqrt() + noise).flatten(1)
    torch.testing.assert_close(through(sent, AWGN(), 5.0, streams), expected, rtol=0, atol=1e-5)


def test_gradients_go_through_the_power() -> None:
    """At unit power the scale of a row does not matter: the gradient has no part along the row."""
    sent = values().requires_grad_()
    weights = torch.randn(3, 64, generator=torch.Generator().manual_seed(2))
    (through(sent, AWGN(), 5.0, Stream(1).batch(range(3))) * weights).sum().backward()
    assert sent.grad is not None and sent.grad.abs().max() > 0.01
    along = (sent.grad * sent.detach()).sum(dim=1)
    torch.testing.assert_close(along, torch.zeros(3), rtol=0, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("channel", [AWGN(), Rayleigh("block")])
def test_on_a_gpu_it_stays_there_and_meets_the_same_noise(channel: AWGN | Rayleigh) -> None:
    streams = Stream(1).batch(range(3))
    there = weighed(values().cuda(), channel, 5.0, streams)
    assert {part.device.type for part in there} == {"cuda"}
    for part, here in zip(there, weighed(values(), channel, 5.0, streams), strict=True):
        torch.testing.assert_close(part.cpu(), here, rtol=1e-4, atol=1e-5)
