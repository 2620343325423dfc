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
from neurocli_elm.model.kernels import gated as gated_kernel
from neurocli_elm.model.kernels import traces as trace_kernel

_GATED: Any = gated_kernel
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
    def forward(ctx: Any, given: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        gates = given.detach().clone(memory_format=torch.contiguous_format)
        steps, samples, wide = gates.shape
        cell, squashed, hidden = (gates.new_empty(steps, samples, wide // 4) for _ in range(3))
        _GATED.lstm_forward(*map(_numpy, (gates, weight, cell, squashed, hidden)))
        ctx.save_for_backward(weight, gates, cell, squashed, hidden)
        return hidden

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, gates, cell, squashed, hidden = ctx.saved_tensors
        d_gates = torch.empty_like(gates)
        own = gradient.clone(memory_format=torch.contiguous_format)
        _GATED.lstm_backward(*map(_numpy, (own, weight.t(), gates, cell, squashed, d_gates)))
        return d_gates, _product(hidden[:-1], d_gates[1:])


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        gates = given.detach().clone(memory_format=torch.contiguous_format)
        steps, samples, wide = gates.shape
        recurrent, hidden = torch.empty_like(gates), gates.new_empty(steps, samples, wide // 3)
        _GATED.gru_forward(*map(_numpy, (gates, weight, bias, recurrent, hidden)))
        ctx.save_for_backward(weight, gates, recurrent, hidden)
        return hidden

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, gates, recurrent, hidden = ctx.saved_tensors
        d_gates, d_recurrent = torch.empty_like(gates), torch.empty_like(gates)
        own = gradient.clone(memory_format=torch.contiguous_format)
        _GATED.gru_backward(*map(_numpy, (own, weight.t(), gates, recurrent, hidden, d_gates, d_recurrent)))
        return d_gates, _product(hidden[:-1], d_recurrent[1:]), d_recurrent.sum((0, 1))


class _Dilated(torch.autograd.Function):
    """x + bias + sum over taps j of relu(x[t - j dilation]) @ weight[j]; zeros before the first step."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, dilation: int) -> torch.Tensor:
        rows = x.detach().flatten(0, 1)
        active = rows.clamp_min(0).contiguous()
        out = rows + bias
        shift, size = dilation * x.shape[1], len(rows)
        for tap, matrix in enumerate(weight.detach()):
            late = tap * shift
            if late < size:
                _GATED.add_products(_numpy(active[: size - late]), _numpy(matrix), out[late:].numpy())
        ctx.save_for_backward(weight, active)
        ctx.shift = shift
        return out.view_as(x)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, active = ctx.saved_tensors
        rows = gradient.contiguous().flatten(0, 1)
        size, d_active, d_weight = len(rows), torch.zeros_like(rows), torch.zeros_like(weight)
        for tap, matrix in enumerate(weight):
            late = tap * ctx.shift
            if late < size:
                _GATED.add_products(_numpy(rows[late:]), _numpy(matrix.t()), d_active[: size - late].numpy())
                d_weight[tap] = active[: size - late].t() @ rows[late:]
        d_x = torch.addcmul(rows, d_active, (active > 0).to(rows.dtype))
        return d_x.view_as(gradient), d_weight, rows.sum(0), None


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, y: torch.Tensor, spike: torch.Tensor, soma: torch.Tensor, of_spike: float, of_soma: float
    ) -> torch.Tensor:
        ctx.gradient = torch.empty_like(y, memory_format=torch.contiguous_format)
        given = (_numpy(t) for t in (y, spike, soma))
        loss = _TRACES.loss_kernel(*given, np.float32(of_spike), np.float32(of_soma), ctx.gradient.numpy())
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
    found: torch.Tensor = _Traces.apply(weight, batch, group, keep)
    return found


def lstm(given: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Hidden states [time, sample, unit]; given: [time, sample, 4 units] the input's part of input, forget, output gate and candidate."""
    found: torch.Tensor = _Lstm.apply(given, weight)
    return found


def gru(given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Hidden states [time, sample, unit]; given: [time, sample, 3 units] the input's part of reset, update and candidate, as torch's GRU."""
    found: torch.Tensor = _Gru.apply(given, weight, bias)
    return found


def dilated_block(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, dilation: int) -> torch.Tensor:
    """x [time, sample, channel] plus a causal convolution of its positive part; weight [tap, in, out], tap 0 the present."""
    found: torch.Tensor = _Dilated.apply(x, weight, bias, dilation)
    return found


def window_loss(y: torch.Tensor, batch: Batch, loss: LossConfig) -> torch.Tensor:
    """The neuron's loss of outputs [time, sample, 2] (logit of a spike, voltage), as one number."""
    first = loss.first(len(y))
    targets = (batch[name][:, first:] for name in ("spike", "soma"))
    found: torch.Tensor = _Loss.apply(y[first:], *targets, loss.spike, loss.soma)
    return found
