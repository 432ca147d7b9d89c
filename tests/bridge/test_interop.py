"""Arrays of four libraries on the same memory, and gradients through TensorFlow."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bridge.interop import (
    TensorFlowChannel,
    TensorFlowFunction,
    to_jax,
    to_numpy,
    to_tensorflow,
    to_torch,
)
from phy.channels.flat import AWGN, Rayleigh
from phy.coding.uncoded import Uncoded
from phy.links.analog import AnalogLink
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits, complex_normal
from phy.units import EsN0

pytestmark = pytest.mark.slow

INTEGERS = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
EXPORTS = {"tensorflow": to_tensorflow, "jax": to_jax, "numpy": to_numpy}
SNR = EsN0(7.0)


@pytest.fixture
def tf() -> Any:
    return pytest.importorskip(
        "tensorflow", reason="TensorFlow is an extra: pip install 'semphy[tensorflow]'"
    )


@pytest.fixture
def jax() -> Any:
    return pytest.importorskip("jax", reason="JAX is an extra: pip install 'semphy[jax]'")


@pytest.fixture(params=list(EXPORTS))
def library(request: pytest.FixtureRequest) -> str:
    """Name of an installed library that arrays go to."""
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


def address(array: Any) -> int:
    """Where the library itself says that the numbers lie."""
    kind = type(array).__module__.partition(".")[0]
    if kind == "tensorflow":
        return np.asarray(array).ctypes.data
    if kind == "torch":
        return array.data_ptr()
    return array.ctypes.data if kind == "numpy" else array.unsafe_buffer_pointer()


def values(name: str) -> torch.Tensor:
    """Numbers that no narrower type holds: lost precision, signs or imaginary parts would show."""
    dtype = getattr(torch, name)
    if dtype.is_complex:
        return torch.complex(values("float64"), -values("float64") / 3).to(dtype)
    if dtype.is_floating_point:
        return torch.tensor([[0.1, -2.7, 3e-4], [1.0, 65000.0, -0.0]], dtype=torch.float64).to(dtype)
    if dtype == torch.bool:
        return torch.tensor([[True, False, True], [False, True, True]])
    info = torch.iinfo(dtype)
    return torch.tensor([[info.min, 1, info.max], [3, 5, 7]], dtype=dtype)


@pytest.mark.parametrize("name", ["bool", *INTEGERS, *FLOATS])
def test_every_dtype_there_and_back(library: str, name: str, request: pytest.FixtureRequest) -> None:
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 in NumPy takes ml_dtypes")
    if library == "jax":
        request.getfixturevalue("wide_jax")
    sent = values(name)
    there = EXPORTS[library](sent)
    assert (str(there.dtype).partition("'")[2].strip("'>") or str(there.dtype)) == name
    assert tuple(there.shape) == (2, 3)
    assert address(there) == sent.data_ptr()
    assert bytes(np.asarray(there).tobytes()) == sent.view(torch.uint8).numpy().tobytes()
    back = to_torch(there)
    assert back.dtype == sent.dtype and back.data_ptr() == sent.data_ptr()
    assert torch.equal(back, sent)


@pytest.fixture
def wide_jax(jax: Any) -> Any:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("name", ["int64", "float64", "complex128"])
def test_jax_does_not_narrow_silently(jax: Any, name: str) -> None:
    with pytest.raises(ValueError, match="jax_enable_x64"):
        to_jax(values(name))


def test_100_megabytes_to_tensorflow_and_back_copy_nothing(tf: Any) -> None:
    sent = torch.rand(25_000_000)
    there = to_tensorflow(sent)
    assert address(there) == sent.data_ptr()
    assert to_torch(there).data_ptr() == sent.data_ptr()
    sent[123] = 7.0
    assert float(there[123]) == 7.0


def test_100_megabytes_from_tensorflow_copy_nothing(tf: Any) -> None:
    sent = tf.fill([25_000_000], 3.0)
    there = to_torch(sent)
    assert there.data_ptr() == address(sent)
    assert address(to_tensorflow(there)) == address(sent)
    assert to_numpy(sent).ctypes.data == address(sent)


def test_memory_outlives_its_first_owner(library: str) -> None:
    there = EXPORTS[library](torch.full((250_000,), 3.0))
    gc.collect()
    torch.zeros(250_000)
    back = to_torch(there)
    del there
    gc.collect()
    torch.zeros(250_000)
    assert float(back.sum()) == 750_000.0


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[:, ::2],
        lambda x: x[:1].expand(6, 8),
        lambda x: x.flatten()[1:],  # TensorFlow would end the process on this address
        lambda x: x[:, :0],
        lambda x: x[0, 0],
        lambda x: torch.complex(x, x - 3).conj(),
        lambda x: torch.complex(x, x - 3).conj().imag,
    ],
    ids=["transposed", "strided", "expanded", "unaligned", "empty", "scalar", "conjugated", "negated"],
)
def test_views(library: str, view: Callable[[torch.Tensor], torch.Tensor]) -> None:
    tensor = view(torch.arange(48.0).reshape(6, 8))
    there = EXPORTS[library](tensor)
    expected = tensor.resolve_conj().resolve_neg().numpy()
    np.testing.assert_array_equal(np.asarray(there), expected)
    np.testing.assert_array_equal(np.asarray(there + there), 2 * expected)  # the library can compute on it


def test_numpy_shares_strides_and_torch_takes_reversed_arrays() -> None:
    array = np.arange(48.0).reshape(6, 8)
    assert to_torch(array.T[::2]).data_ptr() == array.ctypes.data
    assert to_numpy(to_torch(array)[:, ::3]).strides == (64, 24)
    np.testing.assert_array_equal(to_torch(array[::-1, ::-1]).numpy(), array[::-1, ::-1])


def test_tensorflow_computes_on_unaligned_numpy_memory(tf: Any) -> None:
    raw = np.arange(4097, dtype=np.float32)
    for start in range(16):
        assert (
            float(tf.reduce_sum(to_tensorflow(raw[start : start + 64]) * 2))
            == 2 * raw[start : start + 64].sum()
        )


def test_gradients_are_not_dropped_silently(library: str) -> None:
    with pytest.raises(ValueError, match=r"detach\(\).*TensorFlowFunction"):
        EXPORTS[library](torch.ones(3, requires_grad=True))


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ([1.0, 2.0], "builtins.list"),
        (np.array(["a"]), "DLPack"),
        (np.arange(3, dtype=">f4"), "byte order"),
    ],
)
def test_what_is_no_array_of_numbers(thing: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        to_torch(thing)


def test_sparse_tensors_and_odd_dtypes(library: str) -> None:
    with pytest.raises(ValueError, match="to_dense"):
        EXPORTS[library](torch.eye(3).to_sparse())
    if library != "jax":
        with pytest.raises(ValueError, match="float8_e5m2"):
            EXPORTS[library](torch.ones(3).to(torch.float8_e5m2))


def test_what_tensorflow_cannot_give(tf: Any) -> None:
    with pytest.raises(ValueError, match="numbers"):
        to_torch(tf.constant(["a"]))  # TensorFlow's own export ends the process
    with pytest.raises(ValueError, match=r"value\(\)"):
        to_torch(tf.Variable([1.0]))
    with pytest.raises(ValueError, match="symbolic"):
        tf.function(lambda x: to_torch(x) and x)(tf.constant(1.0))


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_missing_packages_are_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda n: (_ for _ in ()).throw(_missing(n)))
    with pytest.raises(ImportError, match=rf"pip install 'semphy\[{name}\]'"):
        EXPORTS[name](torch.ones(3))


def _missing(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.slow
def test_nothing_imports_tensorflow_or_jax_unasked() -> None:
    code = (
        "import sys, bridge.interop, phy.links.digital\n"
        "found = {name.partition('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'jax'}\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("channel", [AWGN(), Rayleigh("block")], ids=["awgn", "rayleigh"])
def test_gradients_of_an_analog_link_equal_finite_differences(channel: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    picture = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    link, streams = AnalogLink(channel), Stream(1).batch(range(2))

    def loss(sender: torch.Tensor, receiver: torch.Tensor) -> torch.Tensor:
        symbols = torch.view_as_complex((picture @ sender).tanh().reshape(2, 3, 2))
        received = torch.view_as_real(link(symbols, SNR, streams).symbols).flatten(1)
        return ((received @ receiver).tanh() - picture).square().mean()

    weights = [torch.randn(size, generator=generator, dtype=torch.float64) for size in ((5, 6), (6, 5))]
    assert torch.autograd.gradcheck(loss, [w.requires_grad_() for w in weights])


def torch_layer(kind: str) -> torch.nn.Module:
    torch.manual_seed(3)
    if kind == "dense":
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 10))
    return torch.nn.Conv1d(2, 4, 3, padding="same")


def keras_layer(tf: Any, kind: str, layer: torch.nn.Module) -> Callable[[Any], Any]:
    """The same layer in Keras, with the same weights; input ``[batch, 2, 16]``."""
    weight, bias = (parameter.detach().numpy() for parameter in layer.parameters())
    if kind == "dense":
        model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(10)])
        model.build((None, 2, 16))
        model.set_weights([weight.T, bias])
        return model
    model = tf.keras.layers.Conv1D(4, 3, padding="same")
    model.build((None, 16, 2))
    model.set_weights([weight.transpose(2, 1, 0), bias])
    return lambda x: tf.transpose(model(tf.transpose(x, [0, 2, 1])), [0, 2, 1])


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_keras_layer_as_receiver_behind_an_analog_link(tf: Any, kind: str) -> None:
    layer = torch_layer(kind)
    link, streams = AnalogLink(AWGN()), Stream(1).batch(range(4))
    picture = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))

    def gradient(receiver: Callable[[torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(1)
        sender = torch.nn.Linear(8, 32)
        symbols = torch.view_as_complex(sender(picture).reshape(4, 16, 2))
        received = torch.view_as_real(link(symbols, SNR, streams).symbols).transpose(1, 2)
        loss = receiver(received).square().mean()
        loss.backward()
        return loss, sender.weight.grad

    ours, ours_gradient = gradient(layer)
    theirs, theirs_gradient = gradient(TensorFlowFunction(keras_layer(tf, kind, layer)))
    assert ours_gradient.abs().max() > 1e-2
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        theirs_gradient, ours_gradient, rtol=1e-5, atol=1e-5 * ours_gradient.abs().max().item()
    )


def double(*shape: int, dtype: torch.dtype = torch.complex128, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("case", ["holomorphic", "modulus", "parts", "amplifier"])
def test_complex_gradients_equal_finite_differences(tf: Any, case: str) -> None:
    functions = {
        "holomorphic": lambda z, w: z * z * w + tf.exp(w),
        "modulus": lambda z, w: tf.abs(z) ** 2 * tf.math.real(w),
        "parts": lambda z, w: tf.complex(tf.math.imag(z) ** 3, tf.math.real(w * z)),
        "amplifier": lambda z, w: w * z * tf.complex(1 / (1 + tf.abs(z) ** 2), tf.zeros_like(tf.abs(z))),
    }
    assert torch.autograd.gradcheck(TensorFlowFunction(functions[case]), (double(2, 3), double(3, seed=2)))


def test_several_outputs_and_inputs_without_gradients(tf: Any) -> None:
    function = TensorFlowFunction(lambda x, i, y: (tf.gather(x, i) ** 2, x + y, i, tf.reduce_sum(y**3)))
    x, y, index = (
        double(4, dtype=torch.float64),
        double(4, dtype=torch.float64, seed=2),
        torch.tensor([3, 1, 1]),
    )
    gathered, added, same, cubes = function(x, index, y)
    assert not same.requires_grad and torch.equal(same, index) and added.shape == (4,) and cubes.shape == ()
    gathered.sum().backward()  # reaches x alone; repeated indices add
    torch.testing.assert_close(
        x.grad, 2 * x.detach() * torch.tensor([0.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    )
    assert y.grad is None

    def differentiable(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        gathered, added, _, cubes = function(x, index, y)
        return gathered, added, cubes

    assert torch.autograd.gradcheck(differentiable, (x, y))


def test_compiled_functions_and_repeated_backward_passes(tf: Any) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = TensorFlowFunction(tf.function(tf.square))(x)
    for _ in range(2):
        (gradient,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
        assert gradient.tolist() == [2.0, 4.0]
    with torch.no_grad():
        assert not TensorFlowFunction(tf.square)(x).requires_grad


def test_inputs_that_changed_before_the_backward_pass_raise(tf: Any) -> None:
    x = torch.ones(3, requires_grad=True)
    scaled = x * 2
    y = TensorFlowFunction(tf.square)(scaled)
    scaled.detach().mul_(10)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_results_belong_to_pytorch(tf: Any) -> None:
    weight = tf.Variable([1.0, 2.0])
    for function, given in (
        (lambda x: weight, torch.ones(2)),
        (tf.identity, torch.ones(2, requires_grad=True)),
    ):
        result = TensorFlowFunction(function)(given)
        result.detach().fill_(9.0)
        assert weight.numpy().tolist() == [1.0, 2.0] and given.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("leave", ["round", "numpy"])
def test_a_function_without_gradient_says_so(tf: Any, leave: str) -> None:
    functions = {
        "round": lambda x: tf.cast(tf.cast(x, tf.int32), tf.float32),
        "numpy": lambda x: tf.constant(x.numpy()),
    }
    y = TensorFlowFunction(functions[leave])(torch.ones(3, requires_grad=True))
    with pytest.raises(ValueError, match="no gradient"):
        y.sum().backward()


def tensorflow_awgn(tf: Any) -> TensorFlowChannel:
    def awgn(symbols: Any, no: Any, seed: Any) -> Any:
        noise = tf.random.stateless_normal([2, *symbols.shape], seed) * tf.sqrt(no / 2)
        return symbols + tf.complex(noise[0], noise[1])

    return TensorFlowChannel(awgn, "tensorflow-awgn")


def test_tensorflow_channel_in_a_digital_link(tf: Any) -> None:
    """Bit error rate of Gray QPSK, Q(sqrt(Es/N0)), within four standard deviations."""
    rows, count = 8, 20_000
    link = DigitalLink(Uncoded(count), Modulation("qpsk"), tensorflow_awgn(tf))
    sent = bits(Stream(1, "bits").batch(range(rows)), count)
    reception = link(sent, SNR, Stream(2).batch(range(rows)))
    rate, expected = float((reception.bits != sent).double().mean()), float(norm.sf(SNR.linear**0.5))
    assert abs(rate - expected) < 4 * (expected * (1 - expected) / sent.numel()) ** 0.5
    torch.testing.assert_close(reception.symbol_no, torch.full((rows, count // 2), SNR.no))


def test_tensorflow_channel_does_not_depend_on_the_batch(tf: Any) -> None:
    symbols = complex_normal(Stream(1).batch(range(5)), 64)
    channel, streams = tensorflow_awgn(tf), Stream(2).batch(range(5))
    together = channel(symbols, SNR, streams).symbols
    alone = torch.cat([channel(symbols[i : i + 1], SNR, streams[i : i + 1]).symbols for i in range(5)])
    assert torch.equal(together, alone)
    assert len({row.sum().item() for row in together - symbols}) == 5
    assert channel(symbols[:0], SNR, []).symbols.shape == (0, 64)
    assert not channel(symbols, SNR, streams, real=True).symbols.imag.any()


def test_tensorflow_channel_with_its_own_noise_variance(tf: Any) -> None:
    def halved(symbols: Any, no: Any, seed: Any) -> Any:
        return symbols * 2, tf.fill(symbols.shape, 4 * no)

    symbols = complex_normal(Stream(1).batch(range(2)), 8).requires_grad_()
    reception = TensorFlowChannel(halved, "halved")(symbols, SNR, Stream(1).batch(range(2)))
    torch.testing.assert_close(reception.no, torch.full((2, 8), 4 * SNR.no))
    reception.symbols.abs().square().sum().backward()
    torch.testing.assert_close(symbols.grad, 8 * symbols.detach())


def test_tensorflow_channel_names_wrong_results(tf: Any) -> None:
    symbols = complex_normal(Stream(1).batch(range(2)), 8)
    with pytest.raises(
        ValueError, match=r"broken must return symbols torch.complex64 \[1, 8\], got torch.float32"
    ):
        TensorFlowChannel(lambda x, no, seed: tf.abs(x), "broken")(symbols, SNR, Stream(1).batch(range(2)))
    with pytest.raises(ValueError, match="as many streams"):
        tensorflow_awgn(tf)(symbols, SNR, [])
