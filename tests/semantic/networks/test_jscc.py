"""Deep JSCC: published sizes by arithmetic, layers by their formulas in NumPy, one contract for all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from semantic.networks import jscc
from semantic.networks.jscc import ADJSCC, AF, GDN, JSCC, DeepJSCC2019, NestedJSCC
from semantic.networks.subbands import dct, inverse_dct
from semantic.zoo.missing import WeightsMissing

MAKERS: dict[str, Callable[[], JSCC]] = {
    "2019": lambda: DeepJSCC2019(4),
    "bdjscc": lambda: ADJSCC(4, width=16, snr_adaptive=False),
    "adjscc": lambda: ADJSCC(4, width=32),
    "nested": lambda: fitted(NestedJSCC(16, stride=8, width=24, depth=1, context=8)),
}


@pytest.fixture(params=MAKERS)
def network(request: pytest.FixtureRequest) -> JSCC:
    torch.manual_seed(1)
    return randomised(MAKERS[request.param]()).eval()


def randomised(network: JSCC) -> JSCC:
    """Also layers that start at zero get weights, so that every path shows."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return network


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    """Smooth seeded pictures with some noise, 0 to 1."""
    generator = torch.Generator().manual_seed(height * width)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (smooth + 0.05 * torch.randn(count, 3, height, width, generator=generator)).clamp(0, 1)


def fitted(network: NestedJSCC) -> NestedJSCC:
    network.fit_linear(pictures(16, 64, 64))
    return network


def send(values: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
    """Unit power per pair of reals, and white noise of variance 1 / SNR per pair."""
    power = 2 * values.square().mean(dim=1, keepdim=True)
    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(9))
    return values / power.sqrt() + noise * (10 ** (-snr_db / 20) / 2**0.5)[:, None]


def snrs(*values: float) -> torch.Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize("c", [8, 16])
def test_the_network_of_2019_has_its_published_layers(c: int) -> None:
    filters = [(3, 16), (16, 32), (32, 32), (32, 32), (32, c)]
    encoder = sum(25 * inputs * outputs + outputs for inputs, outputs in filters)
    decoder = sum(25 * inputs * outputs + inputs for inputs, outputs in filters)
    slopes = 5 + 4  # one a PReLU; the decoder ends in a sigmoid
    network = DeepJSCC2019(c)
    assert sum(parameter.numel() for parameter in network.parameters()) == encoder + decoder + slopes
    assert [tuple(layer.stride) for layer in network.encoder if isinstance(layer, torch.nn.Conv2d)] == [
        (2, 2),
        (2, 2),
        (1, 1),
        (1, 1),
        (1, 1),
    ]
    assert network.channel_uses((512, 768)) / (3 * 512 * 768) == c / 96


def test_bdjscc_has_its_published_layers() -> None:
    with torch.device("meta"):
        network = ADJSCC(16, snr_adaptive=False)
        adaptive = ADJSCC(16)
    convolutions = [(81, 3, 256), (25, 256, 256), (25, 256, 256), (25, 256, 256), (25, 256, 16)]
    weights = sum(taps * a * b for taps, a, b in convolutions)
    biases = 4 * 256 + 16 + 4 * 256 + 3
    gdn = 8 * (256 + 256**2) + (16 + 16**2) + (3 + 9)
    expected = 2 * weights + biases + gdn + 8 * 256
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    af = 8 * (257 * 16 + 16 + 16 * 256 + 256)
    assert sum(parameter.numel() for parameter in adaptive.parameters()) == expected + af
    assert adaptive.channel_uses((128, 128)) / (3 * 128 * 128) == 1 / 6


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_its_formula(inverse: bool) -> None:
    torch.manual_seed(2)
    layer = GDN(5, inverse).double()
    with torch.no_grad():
        layer.root_gamma.uniform_(-1, 1)
        layer.root_beta.uniform_(0.5, 1)
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    gamma, beta = layer.root_gamma.detach().numpy() ** 2, layer.root_beta.detach().numpy() ** 2 + 1e-6
    expected = np.empty(x.shape)
    for i in range(5):
        energy = beta[i] + sum(gamma[i, j] * x[:, j].numpy() ** 2 for j in range(5))
        expected[:, i] = x[:, i].numpy() * energy**0.5 if inverse else x[:, i].numpy() / energy**0.5
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-12)


def test_gdn_starts_as_published_and_every_weight_can_move() -> None:
    layer = GDN(4)
    torch.testing.assert_close(layer.root_gamma.square(), 0.1 * torch.eye(4), atol=1e-5, rtol=0)
    layer(torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert layer.root_gamma.grad is not None and (layer.root_gamma.grad != 0).all()


def test_af_is_its_formula() -> None:
    torch.manual_seed(3)
    layer = AF(32).double()
    x, snr = torch.randn(2, 32, 3, 5, dtype=torch.float64), np.array([4.0, -2.0])
    w1, b1, w2, b2 = (parameter.detach().numpy() for parameter in layer.parameters())
    context = np.concatenate([x.numpy().mean(axis=(2, 3)), snr[:, None]], axis=1)
    scale = 1 / (1 + np.exp(-(np.maximum(context @ w1.T + b1, 0) @ w2.T + b2)))
    assert w1.shape == (2, 33)
    expected = x.numpy() * scale[:, :, None, None]
    np.testing.assert_allclose(layer(x, torch.from_numpy(snr)).detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(32, 48), (33, 47), (5, 3)])
def test_any_size_goes_through_and_costs_its_padding(network: JSCC, height: int, width: int) -> None:
    x, snr = pictures(2, height, width), snrs(5, 12)
    values = network.encode(x, snr)
    rows, columns = -(-height // network.stride), -(-width // network.stride)
    assert network.channel_uses((height, width)) * 2 == network.channels * rows * columns
    assert values.shape == (2, 2 * network.channel_uses((height, width)))
    y = network.decode(send(values, snr), (height, width), snr)
    assert y.shape == x.shape and 0 <= y.min() <= y.max() <= 1


def test_padding_repeats_the_edge(network: JSCC) -> None:
    x, snr = pictures(1, 20, 30), snrs(3)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (0, -20 % network.stride), (0, -30 % network.stride)), "edge")
    assert torch.equal(network.encode(x, snr), network.encode(torch.from_numpy(padded), snr))


def test_gradients_reach_every_weight(network: JSCC) -> None:
    x, snr = pictures(2, 32, 32), snrs(5, 12)
    for module in network.modules():
        if isinstance(module, AF):  # its few hidden ReLUs must be awake for this batch
            torch.nn.init.constant_(module.hidden.bias, 10.0)
    network.train()
    loss = (network.decode(send(network.encode(x, snr), snr), (32, 32), snr) - x).square().mean()
    torch.autograd.backward(loss)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.slow
def test_a_few_steps_on_one_batch_lower_the_loss(network: JSCC) -> None:
    x, snr = pictures(2, 16, 16), snrs(10, 10)
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(60):
        loss = (network.decode(send(network.encode(x, snr), snr), (16, 16), snr) - x).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_pictures_do_not_depend_on_their_company(network: JSCC) -> None:
    x, snr = pictures(3, 24, 32), snrs(0, 7, 14)
    together = network.encode(x, snr)
    for index in range(3):
        alone = network.encode(x[index : index + 1], snr[index : index + 1])
        torch.testing.assert_close(alone[0], together[index], rtol=1e-4, atol=1e-5)


def test_the_snr_matters_only_to_adaptive_networks(network: JSCC) -> None:
    x = pictures(1, 32, 32)
    low, high = network.encode(x, snrs(0)), network.encode(x, snrs(20))
    assert torch.equal(low, high) != network.snr_adaptive
    if network.snr_adaptive:
        with pytest.raises(ValueError, match=r"snr_db of shape \[1\], got None"):
            network.encode(x)
    else:
        assert torch.equal(network.encode(x), low)


def test_saved_and_read_again_it_is_bit_exact(network: JSCC, tmp_path: Path) -> None:
    x, snr = pictures(2, 32, 40), snrs(3, 9)
    network.save_pretrained(tmp_path)
    again = jscc.load_jscc(tmp_path)
    assert type(again) is type(network) and not again.training
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [type(network).__name__]
    values = network.encode(x, snr)
    assert torch.equal(again.encode(x, snr), values)
    assert torch.equal(again.decode(values, (32, 40), snr), network.decode(values, (32, 40), snr))


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    network = DeepJSCC2019(8)
    network.save_pretrained(tmp_path / "full")
    network.save_pretrained(tmp_path / "half", torch.float16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert 1.9 < sizes[0] / sizes[1] < 2.1
    again = DeepJSCC2019.from_pretrained(tmp_path / "half")
    for name, value in again.state_dict().items():
        assert torch.equal(value, network.state_dict()[name].half().float())


def nested() -> NestedJSCC:
    torch.manual_seed(4)
    return fitted(NestedJSCC(16, stride=8, width=24, depth=1, context=8)).eval()


@pytest.mark.parametrize("channels", [2, 6, 16])
def test_a_lower_rate_sends_fewer_values(channels: int) -> None:
    network, x, snr = nested(), pictures(2, 24, 40), snrs(10, 10)
    values = network.encode(x, snr, channels)
    assert values.shape == (2, channels * 3 * 5)
    assert network.channel_uses((24, 40), channels) == channels * 15 // 2
    assert network.decode(values, (24, 40), snr).shape == x.shape


def test_more_channels_and_more_snr_give_better_pictures() -> None:
    network, x = nested(), pictures(8, 64, 64)

    def error(channels: int, snr_db: float) -> float:
        snr = torch.full((8,), snr_db)
        values = send(network.encode(x, snr, channels), snr)
        return (network.decode(values, (64, 64), snr) - x).square().mean().item()

    assert error(2, 10) > error(6, 10) > error(16, 10)
    assert error(6, 0) > error(6, 10) > error(6, 30)


def test_an_untrained_network_is_the_linear_code() -> None:
    """Without noise, at the full rate: the strongest bands of the whole picture's DCT, nothing else."""
    network, x = nested(), pictures(16, 64, 64)
    snr = torch.full((16,), 100.0)
    values = network.encode(x, snr)
    received = values / (2 * values.square().mean(dim=1, keepdim=True)).sqrt()
    y = network.decode(received, (64, 64), snr).detach()

    pixels = x.numpy().transpose(1, 0, 2, 3).reshape(3, -1).astype(float)
    mean = pixels.mean(axis=1)[:, None, None]
    _, basis = np.linalg.eigh(np.cov(pixels))
    colours = dctn(np.einsum("ck,bchw->bkhw", basis[:, ::-1], x.numpy() - mean), axes=(2, 3), norm="ortho")
    bands = colours.reshape(16, 3, 8, 8, 8, 8).transpose(1, 2, 4, 0, 3, 5).reshape(192, -1)
    bands[np.argsort(-np.square(bands).mean(axis=1))[16:]] = 0
    kept = bands.reshape(3, 8, 8, 16, 8, 8).transpose(3, 0, 1, 4, 2, 5).reshape(16, 3, 64, 64)
    expected = np.einsum("ck,bkhw->bchw", basis[:, ::-1], idctn(kept, axes=(2, 3), norm="ortho")) + mean
    # The pilot takes one direction of a picture's 1,024.
    assert np.abs(y.numpy() - expected.clip(0, 1)).mean() < 2e-3


def test_the_linear_code_fills_power_as_lee_and_petersen_say() -> None:
    """Their conditions of optimality: p + N proportional to the deviation, or no power; N is 0.8 / SNR."""
    network = nested()
    shape = torch.Size((1, 6, 4, 5))
    deviation = network._variance(shape).sqrt().numpy().ravel()
    for snr_db in (-5.0, 10.0):
        power = network._power(snrs(snr_db), shape).numpy().ravel()
        assert power.mean() == pytest.approx(1, rel=2e-3)
        level = (power + 0.8 * 10 ** (-snr_db / 10)) / deviation
        on = power > 1e-3
        assert on.any() and np.ptp(level[on]) < 1e-3 * level[on].mean()
        assert (level[~on] >= level[on].mean() * 0.999).all()


def test_the_receiver_hears_how_strong_a_picture_is() -> None:
    """Energies at the nodes, nothing else sent: the ratio to the fitted spectrum, noise being taken away."""
    network = nested()
    shape = torch.Size((1, 16, 48, 64))
    power = network._power(torch.zeros(1), shape)
    counts = network.bands.sums(torch.ones_like(power))
    plenty = (counts > 300) & (network.bands.sums(power) > 0.3 * counts)  # else it stays near 1
    assert plenty.any()
    generator = torch.Generator().manual_seed(5)
    for ratio, noise in ((0.5, 0.1), (4.0, 0.1), (0.02, 0.1)):
        deviation = (ratio * power + noise).sqrt()
        received = deviation * torch.randn(shape, generator=generator)
        heard = network._heard(received, power, torch.full((1, 1, 1, 1), noise)).exp()
        assert (heard[plenty] - ratio).abs().max() < 0.2 * max(ratio, 0.5)


def test_noise_is_taken_away_where_the_picture_is_smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texture in one corner: what arrives there tells what to believe elsewhere."""
    network = nested()
    x = torch.full((1, 3, 128, 128), 0.5)
    texture = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(6))
    x[:, :, :48, :48] += 0.15 * torch.nn.functional.interpolate(texture, (48, 48), mode="bicubic")
    values = send(network.encode(x, snrs(5)), snrs(5))

    def error() -> float:
        """Far from the texture, lowest bands apart."""
        wrong = (network.decode(values, (128, 128), snrs(5)) - x)[:, :, 64:, 64:].reshape(3, 8, 8, 8, 8)
        return (wrong - wrong.mean(dim=(2, 4), keepdim=True)).square().mean().item()

    filtered = error()
    monkeypatch.setattr(network.windows, "forward", lambda planes, *spectra: planes)
    assert filtered < 0.5 * error()


def test_the_receiver_knows_what_its_planes_are_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures drawn from the fitted spectrum: their parts and their error have the energies that it says."""
    network, snr = nested(), torch.full((16,), 3.0)
    spectrum = network.bands.spectrum(network.bands.log_variance[None], 192, 192).exp()
    drawn = spectrum.sqrt() * torch.randn(16, 3, 192, 192, generator=torch.Generator().manual_seed(7))
    values = send(network.encode(network.bands.pictures(inverse_dct(drawn)), snr, 6), snr)
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(network.windows, "forward", lambda *parts: [seen.extend(parts), parts[0]][1])
    network.decode(values, (192, 192), snr)
    planes, heard, lost, error, told = seen
    got = dct(planes)
    assert (heard + lost).sum().item() == pytest.approx(got.square().sum().item(), rel=0.1)
    # Its doubts about level and spectrum are not counted: a tenth at 192 pixels a side.
    assert error.sum().item() == pytest.approx((got - drawn).square().sum().item(), rel=0.15)
    torch.testing.assert_close(told, torch.tensor([[0.3, math.log2(6 / 16) / 2]]).expand(16, 2))


def test_values_are_weighed_by_their_noise() -> None:
    """As after an equalised fade: some values drown. Told which, the network does without them."""
    network, x, snr = nested(), pictures(4, 64, 64), torch.full((4,), 10.0)
    values = network.encode(x, snr)
    values = values / (2 * values.square().mean(dim=1, keepdim=True)).sqrt()
    generator = torch.Generator().manual_seed(8)
    noise = torch.where(torch.rand(values.shape, generator=generator) < 0.1, 30.0, 0.1)
    received = values + (noise / 2).sqrt() * torch.randn(values.shape, generator=generator)

    def error(noise: torch.Tensor | None) -> float:
        return (network.decode(received, (64, 64), snr, noise) - x).square().mean().item()

    assert error(noise) < 0.3 * error(None)
    equal = torch.full_like(noise, 0.1)
    alike = (network.decode(received, (64, 64), snr, each) for each in (equal, None))
    torch.testing.assert_close(*alike)
    with pytest.raises(ValueError, match=r"takes noise of shape \[4, 1024\], got \[4\]"):
        network.decode(received, (64, 64), snr, torch.ones(4))
    with pytest.raises(ValueError, match="DeepJSCC2019 takes no noise of each value"):
        DeepJSCC2019(4).decode(torch.zeros(1, 1024), (64, 64), None, torch.ones(1, 1024))


def test_the_pilot_tells_a_pictures_level() -> None:
    network = nested()
    x = pictures(1, 64, 64)
    faint = 0.5 + 0.3 * (x - 0.5)
    snr = snrs(100)
    for picture in (x, faint):
        values = network.encode(picture, snr)
        loud = network.decode(values / (2 * values.square().mean()).sqrt(), (64, 64), snr)
        assert (loud - picture).square().mean() < 0.2 * (picture - picture.mean()).square().mean()


def test_channels_within_a_budget() -> None:
    network = nested()
    assert network.channels_within((64, 64), 1000) == 16
    assert network.channels_within((64, 64), 200) == 6  # 6 * 64 / 2 = 192
    with pytest.raises(ValueError, match="needs 64 channel uses or more"):
        network.channels_within((64, 64), 63)
    assert DeepJSCC2019(8).channels_within((32, 32), 256) == 8
    with pytest.raises(ValueError, match="needs 256 channel uses"):
        DeepJSCC2019(8).channels_within((32, 32), 255)


def test_bad_input_is_quoted(tmp_path: Path) -> None:
    network = DeepJSCC2019(8)
    with pytest.raises(ValueError, match=r"\[1, 4, 8, 8\]"):
        network.encode(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match="uint8"):
        network.encode(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="must be 8, got 4"):
        network.encode(torch.zeros(1, 3, 8, 8), channels=4)
    with pytest.raises(ValueError, match="from 2 to 16, got 3"):
        nested().encode(torch.zeros(1, 3, 8, 8), snrs(3), 3)
    with pytest.raises(ValueError, match=r"\[1, 33\]"):
        network.decode(torch.zeros(1, 33), (8, 8))
    with pytest.raises(ValueError, match=r"\(height, width\)"):
        network.channel_uses((8, 8, 3))
    with pytest.raises(ValueError, match="got 7"):
        DeepJSCC2019(7)
    with pytest.raises(ValueError, match="192 bands at stride 8, not 256"):
        NestedJSCC(256, stride=8)
    with pytest.raises(WeightsMissing, match=r"config\.json"):
        jscc.load_jscc(tmp_path)


def test_another_network_is_refused(tmp_path: Path) -> None:
    DeepJSCC2019(8).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds a DeepJSCC2019, not a ADJSCC"):
        ADJSCC.from_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "c": 4}))
    with pytest.raises(ValueError, match="holds no DeepJSCC2019"):
        DeepJSCC2019.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["Other"]}))
    with pytest.raises(ValueError, match="holds a Other"):
        jscc.load_jscc(tmp_path)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ValueError, match="is no JSON"):
        jscc.load_jscc(tmp_path)


def test_pictures_beyond_the_largest_transform_are_refused_before_any_work() -> None:
    network = NestedJSCC(channels=4, stride=4, width=8, depth=1, context=8)
    assert network.channel_uses((4096, 4)) == 2 * 1024
    for shape in ((10_000, 1), (16, 4097)):
        with pytest.raises(ValueError, match=f"at most 4096 pixels a side, got {shape[0]} x {shape[1]}"):
            network.least_channel_uses(shape)
