"""Input of a neuron, dense or as sparse events, and its projection by a matrix.

Both kinds offer `project(matrix)`: [time, sample, column] of input [time, sample, channel] @ matrix [channel, column], and
`dense()`: the input itself. A projection is all the neuron needs of its input unless every synapse has a trace of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from neurocli_elm.compiled import can_compile

DENSE_ABOVE = 0.15
"""Share of non-zero entries above which one matrix product beats sending events one by one."""

_SCATTER_COST, _FILL_COST = 130, 16
"""Without compiled loops: cost of an event per column, and of an entry of a dense array, in multiplications of a product."""

_EVENTS_AT_ONCE = 8192
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
        out.index_add_(0, self._row() * num_input + self.channel, self.sign.to(dtype))
        return out.view(self.num_steps, self.num_samples, num_input)

    def project(self, matrix: torch.Tensor, *, compiled: bool | None = None) -> torch.Tensor:
        _check_range("channel", self.channel, len(matrix))
        sign = self.sign.to(matrix.dtype)
        compiled = can_compile(compiled, matrix, sign)
        rows, (channels, columns) = self.num_steps * self.num_samples, matrix.shape
        if not compiled and _SCATTER_COST * len(sign) * columns > rows * channels * (_FILL_COST + columns):
            return self.dense(channels, matrix.dtype) @ matrix
        sent = _Send.apply(self._row(), self.channel.long(), sign, matrix, rows, compiled)
        return sent.view(self.num_steps, self.num_samples, matrix.shape[1])

    def _row(self) -> torch.Tensor:
        return self.step.long() * self.num_samples + self.sample.long()


@dataclass(frozen=True)
class DenseInput:
    """x [sample, time, channel]."""

    x: torch.Tensor

    def dense(self, num_input: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """[time, sample, channel]."""
        return self.x.transpose(0, 1)

    def project(self, matrix: torch.Tensor, *, compiled: bool | None = None) -> torch.Tensor:
        samples, steps, channels = self.x.shape
        rows = self.x.reshape(samples * steps, channels)
        if can_compile(compiled, rows, matrix) and not self.x.requires_grad:
            found = _find(rows, samples)
            if found is not None:
                sent = _Send.apply(*found, matrix, samples * steps, True)
                return sent.view(steps, samples, -1)
        return _Product.apply(rows, matrix).view(samples, steps, -1).transpose(0, 1).contiguous()


Input = InputEvents | DenseInput


def _find(rows: torch.Tensor, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """Row (in the order [time, sample]), channel and value of each non-zero entry; None where there are many."""
    from neurocli_elm.event_kernel import count_kernel, find_kernel

    array = rows.numpy()
    some = array[:: max(1, len(array) // _SAMPLED_ROWS)]
    if array.size == 0 or count_kernel(some) > DENSE_ABOVE * some.size:
        return None
    room = int(2 * DENSE_ABOVE * array.size) + 64
    row, channel = torch.empty(room, dtype=torch.int64), torch.empty(room, dtype=torch.int64)
    value = torch.empty(room)
    flat = array.reshape(-1)
    arrays = (row.numpy(), channel.numpy(), value.numpy())
    found = find_kernel(flat.view("int32"), flat, array.shape[1], samples, *arrays)
    return None if found < 0 else (row[:found], channel[:found], value[:found])


class _Product(torch.autograd.Function):
    """rows @ matrix, in the forms that are fast for many rows and a few dozen columns."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, matrix)
        columns = matrix.shape[1]
        # Kernels work on small blocks of columns: with 30 a product takes longer than with 32, with 200 shorter than with 208.
        return (rows @ functional.pad(matrix, (0, -columns % _COLUMNS)))[:, :columns]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, matrix = ctx.saved_tensors
        d_rows = gradient @ matrix.t() if ctx.needs_input_grad[0] else None
        return d_rows, (gradient.t() @ rows).t() if ctx.needs_input_grad[1] else None


class _Send(torch.autograd.Function):
    """[row, column]: each event adds its value times the matrix row of its channel. No gradient to the events."""

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
        ctx.compiled, ctx.channels = compiled, len(matrix)
        return _send(row, channel, value, matrix, rows, compiled)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        row, channel, value = ctx.saved_tensors
        back = _send(channel, row, value, gradient, ctx.channels, ctx.compiled)
        return None, None, None, back, None, None


def _send(
    target: torch.Tensor, source: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor, rows: int, compiled: bool
) -> torch.Tensor:
    out = matrix.new_zeros(rows, matrix.shape[1])
    if not compiled:
        for low in range(0, len(value), _EVENTS_AT_ONCE):
            some = slice(low, low + _EVENTS_AT_ONCE)
            out.index_add_(0, target[some], matrix.index_select(0, source[some]).mul_(value[some, None]))
        return out
    from neurocli_elm.event_kernel import send_kernel

    rows_to, rows_from, values, table = (t.detach().contiguous().numpy() for t in (target, source, value, matrix))
    send_kernel(rows_to, rows_from, values, table, out.numpy())
    return out


def _check_range(name: str, values: torch.Tensor, limit: int) -> None:
    if len(values) and not (int(values.min()) >= 0 and int(values.max()) < limit):
        raise ValueError(f"an event's {name} must be from 0 to {limit - 1}: {int(values.min())} to {int(values.max())}")
