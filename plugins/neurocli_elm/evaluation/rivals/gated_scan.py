"""What the networks of the baselines are made of, as functions with gradients: traces, LSTM, GRU, dilated convolution, loss.

Sequences are [time, sample, channel], float32 on the CPU; the loops are compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.recordings import Batch
from neurocli.training.derivatives import first_only
from neurocli_elm.config import LossConfig
from neurocli_elm.model.kernels import dilated as dilated_kernel
from neurocli_elm.model.kernels import gated as gated_kernel
from neurocli_elm.model.kernels import traces as trace_kernel

_GATED: Any = gated_kernel
_DILATED: Any = dilated_kernel
_TRACES: Any = trace_kernel


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    return tensor.detach().contiguous().numpy()


class _Traces(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, batch: Batch, group: NDArray[np.int64], keep: float) -> torch.Tensor:
        ctx.events = tuple(_numpy(batch[name]) for name in ("step", "sample", "channel"))
        ctx.group, ctx.keep, ctx.channels = group, np.float32(keep), len(weight)
        samples, steps = batch["spike"].shape
        out = weight.new_zeros(steps, samples, int(group.max()) + 1)
        _TRACES.traces_forward(*ctx.events, _numpy(weight), group, ctx.keep, out.numpy())
        return out

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        out = gradient.new_zeros(ctx.channels)
        _TRACES.traces_backward(*ctx.events, _numpy(gradient.clone()), ctx.group, ctx.keep, out.numpy())
        return out, None, None, None


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input_part: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        buffer = input_part.detach().clone(memory_format=torch.contiguous_format)
        steps, samples, wide = buffer.shape
        gates = buffer.new_empty(steps, 4, samples, wide // 4)
        cell, squashed, hidden = (buffer.new_empty(steps, samples, wide // 4) for _ in range(3))
        _GATED.lstm_forward(*map(_numpy, (buffer, weight, gates, cell, squashed, hidden)))
        ctx.save_for_backward(weight, gates, cell, squashed, hidden)
        return hidden

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, gates, cell, squashed, hidden = ctx.saved_tensors
        d_given = gradient.new_empty(*hidden.shape[:2], weight.shape[1])
        d_hidden = gradient.clone(memory_format=torch.contiguous_format)
        _GATED.lstm_backward(*map(_numpy, (d_hidden, weight.t(), gates, cell, squashed, d_given)))
        return d_given, _product(hidden[:-1], d_given[1:])


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input_part: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        steps, samples, wide = input_part.shape
        gates = input_part.new_empty(steps, 4, samples, wide // 3)
        hidden = input_part.new_empty(steps, samples, wide // 3)
        _GATED.gru_forward(*map(_numpy, (input_part, weight, bias, gates, hidden)))
        ctx.save_for_backward(weight, gates, hidden)
        return hidden

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, gates, hidden = ctx.saved_tensors
        d_given, d_past = (gradient.new_empty(*hidden.shape[:2], weight.shape[1]) for _ in range(2))
        d_hidden = gradient.clone(memory_format=torch.contiguous_format)
        _GATED.gru_backward(*map(_numpy, (d_hidden, weight.t(), gates, hidden, d_given, d_past)))
        return d_given, _product(hidden[:-1], d_past[1:]), d_past.sum((0, 1))


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weights: torch.Tensor, biases: torch.Tensor, shifts: NDArray[np.int64]
    ) -> torch.Tensor:
        out = x.detach().clone(memory_format=torch.contiguous_format)
        active = out.new_empty(len(weights), *out.shape)
        _DILATED.blocks_forward(_numpy(out), _numpy(weights), _numpy(biases), shifts, _numpy(active))
        ctx.save_for_backward(weights, active)
        ctx.shifts = shifts
        return out

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weights, active = ctx.saved_tensors
        d_x = gradient.clone(memory_format=torch.contiguous_format)
        d_weights, d_biases = torch.zeros_like(weights), weights.new_zeros(weights.shape[0], weights.shape[2])
        arrays = (_numpy(d_x), _numpy(weights.transpose(2, 3)), ctx.shifts, _numpy(active))
        _DILATED.blocks_backward(*arrays, _numpy(d_weights), _numpy(d_biases))
        return d_x, d_weights, d_biases, None


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, y: torch.Tensor, spike: torch.Tensor, soma: torch.Tensor, of_spike: float, of_soma: float
    ) -> torch.Tensor:
        ctx.gradient = torch.empty_like(y, memory_format=torch.contiguous_format)
        arrays = (_numpy(t) for t in (y, spike, soma))
        loss = _TRACES.loss_kernel(*arrays, np.float32(of_spike), np.float32(of_soma), ctx.gradient.numpy())
        return y.new_tensor(loss)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return ctx.gradient * gradient, None, None, None, None


def _product(inputs: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Gradient [in, out] of a weight, over all samples and times."""
    return inputs.flatten(0, 1).t() @ gradients.flatten(0, 1)


def weighted_traces(weight: torch.Tensor, batch: Batch, group: NDArray[np.int64], keep: float) -> torch.Tensor:
    """[time, sample, group] leaky sums of the events of a batch, each with the weight [channel] of its input.

    group: [channel] which sum it belongs to; keep: what is left of a sum after a step.
    """
    traces: torch.Tensor = _Traces.apply(weight, batch, group, keep)
    return traces


def lstm(input_part: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Hidden states [time, sample, unit]; input_part: [time, sample, 4 units], what the input adds to input, forget, output gate and candidate."""
    hidden: torch.Tensor = _Lstm.apply(input_part, weight)
    return hidden


def gru(input_part: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Hidden states [time, sample, unit]; input_part: [time, sample, 3 units], what the input adds to reset, update and candidate, as torch's GRU."""
    hidden: torch.Tensor = _Gru.apply(input_part, weight, bias)
    return hidden


def dilated_blocks(
    x: torch.Tensor, weights: torch.Tensor, biases: torch.Tensor, shifts: NDArray[np.int64]
) -> torch.Tensor:
    """Residual blocks one after another: x [channel, row] plus a bias and a causal convolution of its positive part.

    Rows are times and, within each, samples: a dilation of one time is a shift of as many rows as there are samples. weights
    [block, tap, out, in], tap 0 the present; biases [block, out]; shifts [block].
    """
    out: torch.Tensor = _Blocks.apply(x, weights, biases, shifts)
    return out


def window_loss(y: torch.Tensor, batch: Batch, loss: LossConfig) -> torch.Tensor:
    """The neuron's loss of outputs [time, sample, 2] (logit of a spike, voltage), as one number."""
    first = loss.first(len(y))
    targets = (batch[name][:, first:] for name in ("spike", "soma"))
    value: torch.Tensor = _Loss.apply(y[first:], *targets, loss.spike, loss.soma)
    return value
