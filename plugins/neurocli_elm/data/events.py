"""Input of a neuron, dense or as sparse events, and its projection by a matrix.

Both kinds offer `project(matrix)`: [time, sample, column] of input [time, sample, channel] @ matrix [channel, column], and
`dense()`: the input itself. A projection is all the neuron needs of its input unless every synapse has a trace of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from neurocli.training.compiled import can_compile
from neurocli.training.derivatives import first_only

DENSE_ABOVE = 0.15
"""Share of non-zero entries above which one matrix product beats sending events one by one."""

_WITH_BAGS = ("cpu", "cuda")
"""Devices with a fast sum over rows of a table, which is what an event does."""
_SAMPLED_ROWS = 64
_COLUMNS = 4


@dataclass(frozen=True)
class InputEvents:
    """Input spikes of a batch of windows; several events at one place add up.

    step, channel, sample: integers [event]; sign: [event], +1 excitatory and -1 inhibitory; num_steps: length of the
    windows; num_samples: windows in the batch. Raises ValueError where an event lies outside.
    """

    step: torch.Tensor
    channel: torch.Tensor
    sign: torch.Tensor
    sample: torch.Tensor
    num_steps: int
    num_samples: int

    def __post_init__(self) -> None:
        if not len(self.step) == len(self.channel) == len(self.sign) == len(self.sample):
            sizes = ", ".join(str(len(t)) for t in (self.step, self.channel, self.sign, self.sample))
            raise ValueError(f"steps, channels, signs and samples of the events differ in number: {sizes}")
        for name, values, limit in (("step", self.step, self.num_steps), ("sample", self.sample, self.num_samples)):
            _check_range(name, values, limit)

    def to(self, device: torch.device | str) -> InputEvents:
        """The same events on a device."""
        step, channel, sign, sample = (t.to(device) for t in (self.step, self.channel, self.sign, self.sample))
        return InputEvents(step, channel, sign, sample, self.num_steps, self.num_samples)

    def dense(self, num_input: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """[time, sample, channel]."""
        _check_range("channel", self.channel, num_input)
        out = torch.zeros(self.num_steps * self.num_samples * num_input, dtype=dtype, device=self.sign.device)
        row = self.step.long() * self.num_samples + self.sample
        out.index_add_(0, row * num_input + self.channel, self.sign.to(dtype))
        return out.view(self.num_steps, self.num_samples, num_input)

    def project(self, matrix: torch.Tensor, *, compiled: bool | None = None) -> torch.Tensor:
        """Never depends on the events in how it is computed: a row has the same bits whatever stands in the others."""
        channels = len(matrix)
        _check_range("channel", self.channel, channels)
        if matrix.device.type not in _WITH_BAGS:
            return self.dense(channels, matrix.dtype) @ matrix
        row, channel, sign = self.sample.long() * self.num_steps + self.step, self.channel.long(), self.sign
        if can_compile(compiled, matrix, sign):
            row = self.step.long() * self.num_samples + self.sample
            sent = _Send.apply(row, channel, sign, matrix, self.num_samples * self.num_steps, True)
            return sent.view(self.num_steps, self.num_samples, -1)
        if not bool((row[1:] >= row[:-1]).all()):
            order = torch.argsort(row, stable=True)
            row, channel, sign = row[order], channel[order], sign[order]
        sent = _Send.apply(row, channel, sign.to(matrix.dtype), matrix, self.num_samples * self.num_steps, False)
        return sent.view(self.num_samples, self.num_steps, -1).transpose(0, 1).contiguous()


class OnEvents(nn.Module):
    """A network of dense input [sample, time, channel] that is given events."""

    def __init__(self, network: nn.Module, num_input: int) -> None:
        super().__init__()
        self.network, self.num_input = network, num_input

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.network(x)
        return out

    def forward_events(self, events: InputEvents) -> torch.Tensor:
        """Outputs [sample, time, output]."""
        return self(events.dense(self.num_input).transpose(0, 1).contiguous())


def with_events(network: nn.Module, num_input: int) -> Any:
    """A network that takes events: itself, where it does so already."""
    return network if hasattr(network, "forward_events") else OnEvents(network, num_input)


@dataclass(frozen=True)
class DenseInput:
    """x [sample, time, channel]."""

    x: torch.Tensor

    def dense(self, num_input: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """[time, sample, channel]."""
        return self.x.transpose(0, 1)

    def project(self, matrix: torch.Tensor, *, compiled: bool | None = None) -> torch.Tensor:
        """Where few entries of some rows are not zero, those are sent as events; else one product."""
        samples, steps, channels = self.x.shape
        rows = self.x.reshape(samples * steps, channels)
        events = None
        if not self.x.requires_grad and rows.dtype == matrix.dtype and rows.device.type == "cpu":
            events = _find(rows, can_compile(compiled, rows, matrix))
        sent = _Product.apply(rows, matrix) if events is None else _Send.apply(*events, matrix, samples * steps, False)
        return sent.view(samples, steps, -1).transpose(0, 1).contiguous()


Input = InputEvents | DenseInput


def _find(rows: torch.Tensor, compiled: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """Row, channel and value of each non-zero entry, row by row; None where there are many."""
    sampled = rows[:: max(1, len(rows) // _SAMPLED_ROWS)]
    if rows.numel() == 0 or int(torch.count_nonzero(sampled)) > DENSE_ABOVE * sampled.numel():
        return None
    if not compiled:
        place = _places(rows.reshape(-1))
        return place // rows.shape[1], place % rows.shape[1], rows.reshape(-1)[place]
    from neurocli_elm.data.event_kernel import find_kernel

    flat = rows.numpy().reshape(-1)
    room = int(2 * DENSE_ABOVE * flat.size) + 64
    row, channel, value = torch.empty(room, dtype=torch.int64), torch.empty(room, dtype=torch.int64), torch.empty(room)
    count = find_kernel(flat.view("int32"), flat, rows.shape[1], row.numpy(), channel.numpy(), value.numpy())
    return None if count < 0 else (row[:count], channel[:count], value[:count])


def _places(flat: torch.Tensor) -> torch.Tensor:
    """Where a flat array on the CPU is not zero: numpy finds truths several times faster than torch finds numbers."""
    return torch.from_numpy(np.flatnonzero(flat.numpy().astype(bool)))


class _Product(torch.autograd.Function):
    """rows @ matrix, in the forms that are fast for many rows and a few dozen columns."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, matrix)
        columns = matrix.shape[1]
        # Kernels work on small blocks of columns: with 30 a product takes longer than with 32, with 200 shorter than with 208.
        return (rows @ functional.pad(matrix, (0, -columns % _COLUMNS)))[:, :columns]

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, matrix = ctx.saved_tensors
        d_rows = gradient @ matrix.t() if ctx.needs_input_grad[0] else None
        return d_rows, (gradient.t() @ rows).t() if ctx.needs_input_grad[1] else None


class _Send(torch.autograd.Function):
    """[row, column]: each event adds its value times the matrix row of its channel. No gradient to the events.

    Events by row; compiled, in single precision on the CPU, in any order: each row then adds up its events as they come.
    """

    @staticmethod
    def forward(
        ctx: Any,
        row: torch.Tensor,
        channel: torch.Tensor,
        value: torch.Tensor,
        matrix: torch.Tensor,
        rows: int,
        compiled: bool,
    ) -> torch.Tensor:
        ctx.save_for_backward(row, channel, value)
        ctx.channels, ctx.compiled = len(matrix), compiled
        return (_sent if compiled else _bags)(row, channel, value, matrix, rows)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        row, channel, value = ctx.saved_tensors
        if ctx.compiled:
            back = _sent(channel, row, value, gradient, ctx.channels)
        else:
            order = torch.argsort(channel, stable=True)
            back = _bags(channel[order], row[order], value[order], gradient, ctx.channels)
        return None, None, None, back, None, None


def _sent(
    target: torch.Tensor, source: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor, rows: int
) -> torch.Tensor:
    """[rows, column]."""
    from neurocli_elm.data.event_kernel import send_kernel

    out = matrix.new_zeros(rows, matrix.shape[1])
    kernel: Any = send_kernel
    kernel(*(t.detach().contiguous().numpy() for t in (target, source, value, matrix)), out.numpy())
    return out


def _bags(
    target: torch.Tensor, source: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor, rows: int
) -> torch.Tensor:
    """[rows, column]: sums of value * matrix[source] over the events of each target, which are in its order."""
    first = torch.searchsorted(target.contiguous(), torch.arange(rows, device=target.device))
    table = matrix.contiguous()
    return functional.embedding_bag(source, table, first, mode="sum", per_sample_weights=value)


def _check_range(name: str, values: torch.Tensor, limit: int) -> None:
    if len(values) and not (int(values.min()) >= 0 and int(values.max()) < limit):
        raise ValueError(f"an event's {name} must be from 0 to {limit - 1}: {int(values.min())} to {int(values.max())}")
