"""Arrays and functions of TensorFlow, JAX and NumPy beside PyTorch, through DLPack.

`to_torch`, `to_tensorflow`, `to_jax` and `to_numpy` take an array of any library that speaks ``__dlpack__``
and keep shape, values, dtype and device. Where memory allows nothing is copied: **both arrays are then the
same memory, and writing into one writes into the other.** TensorFlow tensors and JAX arrays are immutable
by contract, and their libraries rely on it, so write into neither side of such a pair; copy first
(``tensor.clone()``). A read-only array becomes a PyTorch tensor that would accept writing, all the same.

=====================  ==================================================================================
Copied, never shared   why
=====================  ==================================================================================
strided, transposed,   to TensorFlow and JAX, whose arrays are dense and in row order; NumPy and PyTorch
expanded arrays        share them
unaligned arrays       to TensorFlow and JAX, which compute on addresses that are multiples of 64 bytes;
                       PyTorch's own memory is aligned, slices of it and most NumPy arrays are not
reversed NumPy arrays  to all others: PyTorch has no negative strides
lazily conjugated or   to all others: what is to be conjugated exists in PyTorch only
negated tensors
=====================  ==================================================================================

Dtypes: bool, all integers, float16, float32, float64, complex64 and complex128 pass between all four, and
so does bfloat16 (in NumPy as ``ml_dtypes.bfloat16``). JAX holds 64-bit numbers (complex128 too) only after
``jax.config.update("jax_enable_x64", True)``.

TensorFlow and JAX are optional (``pip install 'semphy[tensorflow]'``, ``'semphy[jax]'``), and imported when
first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable
from torch.utils.dlpack import from_dlpack

from phy.channels.channel import SymbolReception, check_rows
from phy.random import Stream
from phy.units import EsN0

__all__ = ["TensorFlowChannel", "TensorFlowFunction", "to_jax", "to_numpy", "to_tensorflow", "to_torch"]

_ALIGNMENT = 64  # bytes; TensorFlow ends the process if it has to compute on any other address
_NOT_NUMBERS = ("string", "resource", "variant")  # TensorFlow ends the process if asked to export these


def to_torch(array: Any) -> torch.Tensor:
    """Make a PyTorch tensor of an array, on the same memory where possible.

    Parameters
    ----------
    array:
        Any array with ``__dlpack__``: of PyTorch (returned as it is), TensorFlow, JAX, NumPy, CuPy, ...

    Returns
    -------
    torch.Tensor
        Same shape, dtype and device; outside of PyTorch's gradients unless ``array`` was a PyTorch tensor.

    Raises
    ------
    ValueError
        If ``array`` is no such array (lists, TensorFlow variables, symbolic tensors), or its dtype does not
        exist in PyTorch (text, foreign byte order).

    Examples
    --------
    >>> array = np.zeros(3, dtype=np.complex64)
    >>> to_torch(array)[1] = 1j
    >>> complex(array[1])
    1j
    """
    if isinstance(array, torch.Tensor):
        return array
    kind, dtype = f"{type(array).__module__}.{type(array).__name__}", getattr(array, "dtype", None)
    if not hasattr(array, "__dlpack__"):
        raise ValueError(
            f"expected an array with __dlpack__ (PyTorch, TensorFlow, JAX, NumPy), got {kind}; "
            "of a TensorFlow variable give value(), and no symbolic tensor inside of tf.function"
        )
    if getattr(dtype, "name", "") in _NOT_NUMBERS:
        raise ValueError(f"PyTorch has no dtype for {dtype} of {kind}; give an array of numbers")
    try:
        return _from_numpy(array) if isinstance(array, np.ndarray) else from_dlpack(array)
    except Exception as error:  # every library raises its own
        raise ValueError(f"PyTorch cannot take {kind} of {dtype} through DLPack: {error}") from error


def to_tensorflow(array: Any) -> Any:
    """Make a TensorFlow tensor of an array, on the same memory where possible.

    Parameters
    ----------
    array:
        As for `to_torch`.

    Returns
    -------
    tf.Tensor
        Same shape, dtype and device. It shows later changes of ``array`` if it shares its memory.

    Raises
    ------
    ImportError
        If TensorFlow is not installed.
    ValueError
        If PyTorch tracks gradients of ``array`` (`TensorFlowFunction` carries them), or TensorFlow has no
        such dtype (8-bit floats) or device.

    Examples
    --------
    With TensorFlow installed::

        to_tensorflow(torch.ones(2, dtype=torch.complex64)).dtype  # tf.complex64
    """
    tf = _library("tensorflow")
    tensor = _dense(_untracked(array))
    if tensor.is_cuda:  # the capsule below does not say which stream still writes
        torch.cuda.current_stream(tensor.device).synchronize()
    try:
        return tf.experimental.dlpack.from_dlpack(tensor.__dlpack__())
    except tf.errors.OpError as error:
        raise ValueError(f"TensorFlow cannot take {tensor.dtype} on {tensor.device}: {error}") from error


def to_jax(array: Any) -> Any:
    """Make a JAX array of an array, on the same memory where possible.

    Parameters
    ----------
    array:
        As for `to_torch`.

    Returns
    -------
    jax.Array
        Same shape, dtype and device. It shows later changes of ``array`` if it shares its memory.

    Raises
    ------
    ImportError
        If JAX is not installed.
    ValueError
        If PyTorch tracks gradients of ``array``, or JAX would not keep its dtype (64 bit) or device.

    Examples
    --------
    With JAX installed::

        to_jax(torch.ones(2)).sum()  # Array(2., dtype=float32)
    """
    jax = _library("jax")
    tensor = _dense(_untracked(array))
    try:
        result = _library("jax.numpy").from_dlpack(tensor)
    except Exception as error:  # BufferError, RuntimeError and TypeError, by backend
        raise ValueError(f"JAX cannot take {tensor.dtype} on {tensor.device}: {error}") from error
    if result.dtype.name != str(tensor.dtype).removeprefix("torch."):
        raise ValueError(
            f"JAX {jax.__version__} would turn {tensor.dtype} into {result.dtype}; call "
            'jax.config.update("jax_enable_x64", True) at the start of the program, or convert first'
        )
    return result


def to_numpy(array: Any) -> NDArray[Any]:
    """Make a NumPy array of an array, on the same memory where possible, strides included.

    Parameters
    ----------
    array:
        As for `to_torch`, in main memory.

    Returns
    -------
    numpy.ndarray
        Same shape and dtype. It accepts writing even where ``array`` is immutable: see the module.

    Raises
    ------
    ImportError
        If the array is of bfloat16 and the package ``ml_dtypes`` is not installed.
    ValueError
        If PyTorch tracks gradients of ``array``, it lies on another device than the CPU, or NumPy has no
        such dtype (8-bit floats).

    Examples
    --------
    >>> tensor = torch.zeros(3)
    >>> to_numpy(tensor)[1] = 2
    >>> tensor
    tensor([0., 2., 0.])
    """
    tensor = _untracked(array)
    if tensor.device.type != "cpu":
        raise ValueError(
            f"NumPy arrays lie in main memory, got a tensor on {tensor.device}; call cpu() first"
        )
    if tensor.dtype == torch.bfloat16:
        half: NDArray[Any] = tensor.view(torch.int16).numpy().view(_library("ml_dtypes").bfloat16)
        return half
    try:
        result: NDArray[Any] = tensor.numpy()
    except TypeError as error:
        raise ValueError(
            f"NumPy has no dtype for {tensor.dtype}; convert first, for example by float()"
        ) from error
    return result


class TensorFlowFunction:
    """A callable on TensorFlow tensors, turned into one on PyTorch tensors that gradients flow through.

    Inputs reach TensorFlow without a copy where memory allows; outputs and gradients are copied into
    PyTorch's own memory, so that writing into them harms no TensorFlow tensor. Gradients are taken with
    ``tf.GradientTape`` with respect to the inputs, complex ones included (both libraries return
    dL/dRe + i dL/dIm). TensorFlow's own variables, such as the weights of a layer, are constants to PyTorch:
    its optimisers train what lies on either side of the function, never those. Second derivatives do not
    exist.

    Parameters
    ----------
    fn:
        Takes as many tensors as are given, and returns a tensor or a tuple of tensors: a Keras layer or
        model, a block of Sionna 1.x, a ``tf.function``.

    Raises
    ------
    ImportError
        If TensorFlow is not installed.

    Examples
    --------
    With TensorFlow installed::

        x = torch.tensor([1.0, 2.0], requires_grad=True)
        TensorFlowFunction(tf.square)(x).sum().backward()
        x.grad  # tensor([2., 4.])
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        _library("tensorflow")
        self.fn = fn

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Apply the function.

        Returns
        -------
        torch.Tensor or tuple of torch.Tensor
            One tensor where the function returns one, otherwise a tuple.

        Raises
        ------
        ValueError
            Later, in the backward pass, if TensorFlow finds no gradient with respect to any input that asks
            for one.
        """
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
            outputs: tuple[torch.Tensor, ...] = _Taped.apply(self.fn, *inputs)  # type: ignore[no-untyped-call]
        else:
            outputs = _owned(_listed(self.fn(*(to_tensorflow(tensor.detach()) for tensor in inputs))))
        return outputs[0] if len(outputs) == 1 else outputs


@dataclass(frozen=True)
class TensorFlowChannel:
    """A channel written in TensorFlow, wherever a `phy.channels.channel.Channel` stands.

    Rows are sent one by one, each with a seed from its own stream, so that a function that draws from
    nothing but its seed gives the same result whatever the batch. Gradients flow through the symbols.

    Parameters
    ----------
    fn:
        Called as ``fn(symbols, no, seed)`` with symbols ``[1, N]``, ``tf.complex64``, the noise variance per
        complex dimension, a scalar ``tf.float32``, and a seed ``[2]``, ``tf.int32``, as the functions
        ``tf.random.stateless_*`` take it.
        Returns the equalised symbols ``[1, N]``; or these and their noise variance after equalisation,
        ``[1, N]`` or broadcastable to it, where it is not ``no``.
    name:
        Name with all parameters, as it stands in results.

    Examples
    --------
    A block of Sionna 1.x draws from a generator that it keeps, to be set for each row. (It cannot be
    installed beside Sionna 2.x, which most of `phy` needs but neither this module nor `phy.channels.flat`.)

    ::

        def awgn(symbols, no, seed):
            sionna.phy.config.seed = int(seed[0]) << 31 | int(seed[1])
            return sionna.phy.channel.AWGN()(symbols, no)

        channel = TensorFlowChannel(awgn, "sionna1-awgn")
    """

    fn: Callable[[Any, Any, Any], Any]
    name: str

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        """Send ``[batch, N]`` symbols, ``torch.complex64``; with ``real``, drop what is imaginary behind it.

        Raises
        ------
        ImportError
            If TensorFlow is not installed.
        ValueError
            If there is not one stream a row, or the function returns something else than it should.
        """
        check_rows(symbols, streams)
        function = TensorFlowFunction(self.fn)
        rows = [
            self._row(function, row[None], snr, stream) for row, stream in zip(symbols, streams, strict=True)
        ]
        received = torch.cat([symbols[:0], *(row for row, _ in rows)])
        no = torch.cat([symbols[:0].real, *(variance for _, variance in rows)])
        if real:
            received = torch.complex(received.real, torch.zeros_like(received.real))
        return SymbolReception(received, no)

    def _row(
        self, function: TensorFlowFunction, row: torch.Tensor, snr: EsN0, stream: Stream
    ) -> tuple[torch.Tensor, torch.Tensor]:
        seed = stream.child("tensorflow").seed
        words = torch.tensor([seed >> 32, seed & 0x7FFFFFFF], dtype=torch.int32, device=row.device)
        no = torch.tensor(snr.no, dtype=torch.float32, device=row.device)
        result = function(row, no, words)
        received, variance = (result, no) if isinstance(result, torch.Tensor) else (result[0], result[1])
        if received.shape != row.shape or received.dtype != row.dtype:
            raise ValueError(
                f"the TensorFlow channel {self.name} must return symbols {row.dtype} {list(row.shape)}, "
                f"got {received.dtype} {list(received.shape)}"
            )
        return received, variance.to(torch.float32).expand(row.shape)


class _Taped(torch.autograd.Function):
    """A TensorFlow function under a tape, which the backward pass reads."""

    @staticmethod
    def forward(ctx: Any, fn: Callable[..., Any], *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        tf = _library("tensorflow")
        given = [to_tensorflow(tensor.detach()) for tensor in inputs]
        ctx.wanted = [i for i, needed in enumerate(ctx.needs_input_grad[1:]) if needed]
        ctx.sources = [given[i] for i in ctx.wanted]
        # persistent, because PyTorch may ask again under retain_graph
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as ctx.tape:
            ctx.tape.watch(ctx.sources)
            ctx.targets = _listed(fn(*given))
        ctx.name, ctx.inputs = getattr(fn, "name", None) or repr(fn), len(inputs)
        ctx.save_for_backward(*inputs)
        ctx.set_materialize_grads(False)
        return _owned(ctx.targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        _ = ctx.saved_tensors  # raises if the inputs, whose memory the tape holds, were written to since
        asked = [(t, to_tensorflow(g)) for t, g in zip(ctx.targets, gradients, strict=True) if g is not None]
        found = ctx.tape.gradient([t for t, _ in asked], ctx.sources, [g for _, g in asked])
        if asked and all(gradient is None for gradient in found):
            raise ValueError(
                f"TensorFlow has no gradient of {ctx.name} with respect to its inputs: an operation inside "
                "is not differentiable or leaves TensorFlow (NumPy); pass detached tensors if that is meant"
            )
        results: list[torch.Tensor | None] = [None] * ctx.inputs
        for i, gradient in zip(ctx.wanted, found, strict=True):
            results[i] = None if gradient is None else _owned(_listed(gradient))[0]
        return (None, *results)


def _listed(result: Any) -> list[Any]:
    """Tensors that a TensorFlow function returned, sparse gradients made dense."""
    tf = _library("tensorflow")
    return [tf.convert_to_tensor(r) for r in (result if isinstance(result, tuple | list) else [result])]


def _owned(tensors: list[Any]) -> tuple[torch.Tensor, ...]:
    """Copies in PyTorch's memory: a TensorFlow result may be a weight, a constant or an input."""
    return tuple(to_torch(tensor).clone() for tensor in tensors)


def _from_numpy(array: NDArray[Any]) -> torch.Tensor:
    if any(stride < 0 for stride in array.strides):  # torch.from_dlpack ends the process on these
        array = np.ascontiguousarray(array)
    if array.dtype.name == "bfloat16":  # of ml_dtypes, which NumPy does not export
        return from_dlpack(array.view(np.int16)).view(torch.bfloat16)
    return from_dlpack(array)


def _untracked(array: Any) -> torch.Tensor:
    """Return the array as a plain tensor; refuse to drop its gradients silently."""
    tensor = to_torch(array)
    if tensor.requires_grad:
        raise ValueError(
            f"this {tensor.dtype} tensor {list(tensor.shape)} requires gradients, which would be lost: call "
            "detach() if that is meant, or wrap the TensorFlow code in a TensorFlowFunction, which keeps them"
        )
    if tensor.layout != torch.strided:
        raise ValueError(f"only dense tensors can be shared, got {tensor.layout}; call to_dense() first")
    return tensor.resolve_conj().resolve_neg()


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    compact = tensor.contiguous()
    return compact.clone() if compact.data_ptr() % _ALIGNMENT else compact


def _library(name: str) -> Any:
    """Import an optional package.

    Raises
    ------
    ImportError
        If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        if error.name != package:
            raise
        wanted = package if package == "ml_dtypes" else f"semphy[{package}]"
        raise ImportError(f"{package} is not installed; run: pip install '{wanted}'") from error
