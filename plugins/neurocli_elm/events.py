"""Input of a neuron, dense or as sparse events, and its projection by a matrix.

Both kinds offer `project(matrix)`: [time, sample, column] of input [time, sample, channel] @ matrix [channel, column], and
`dense()`: the input itself. A projection is all the neuron needs of its input unless every synapse has a trace of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from neurocli_elm.compiled import can_compile
from neurocli_elm.derivatives import first_only

DENSE_ABOVE = 0.15
"""Share of non-zero entries above which one matrix product beats sending events one by one."""

_ROWS_AT_ONCE = 8192
"""Without compiled loops events are filled into so many dense rows at a time, which then take one product."""

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
        """How it is computed depends on sizes alone, never on the events: a row has the same bits whatever stands in others."""
        _check_range("channel", self.channel, len(matrix))
        sign = self.sign.to(matrix.dtype)
        row, channel, rows = self._row(), self.channel.long(), self.num_steps * self.num_samples
        if not can_compile(compiled, matrix, sign):
            if rows > _ROWS_AT_ONCE:
                order = torch.argsort(row, stable=True)
                row, channel, sign = row[order], channel[order], sign[order]
            sent = _Fill.apply(row, channel, sign, matrix, rows)
        else:
            sent = _Send.apply(row, channel, sign, matrix, rows)
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
                sent = _Send.apply(*found, matrix, samples * steps)
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
        return _product(rows, matrix)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, matrix = ctx.saved_tensors
        d_rows = gradient @ matrix.t() if ctx.needs_input_grad[0] else None
        return d_rows, (gradient.t() @ rows).t() if ctx.needs_input_grad[1] else None


def _product(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    columns = matrix.shape[1]
    # Kernels work on small blocks of columns: with 30 a product takes longer than with 32, with 200 shorter than with 208.
    return (rows @ functional.pad(matrix, (0, -columns % _COLUMNS)))[:, :columns]


class _Send(torch.autograd.Function):
    """[row, column], compiled: each event adds its value times the matrix row of its channel. No gradient to the events."""

    @staticmethod
    def forward(
        ctx: Any, row: torch.Tensor, channel: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor, rows: int
    ) -> torch.Tensor:
        ctx.save_for_backward(row, channel, value)
        ctx.channels = len(matrix)
        return _send(row, channel, value, matrix, rows)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        row, channel, value = ctx.saved_tensors
        return None, None, None, _send(channel, row, value, gradient, ctx.channels), None


def _send(
    target: torch.Tensor, source: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor, rows: int
) -> torch.Tensor:
    from neurocli_elm.event_kernel import send_kernel

    out = matrix.new_zeros(rows, matrix.shape[1])
    rows_to, rows_from, values, table = (t.detach().contiguous().numpy() for t in (target, source, value, matrix))
    send_kernel(rows_to, rows_from, values, table, out.numpy())
    return out


class _Fill(torch.autograd.Function):
    """The same in torch: events, ordered by row where there are many rows, become dense rows, a block at a time.

    Only the events are kept for the backward pass, which fills the rows again.
    """

    @staticmethod
    def forward(
        ctx: Any, row: torch.Tensor, channel: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor, rows: int
    ) -> torch.Tensor:
        ctx.save_for_backward(row, channel, value)
        ctx.rows, ctx.channels = rows, len(matrix)
        filled = _filled(row, channel, value, rows, len(matrix))
        parts = [_product(block, matrix) for block in filled]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        row, channel, value = ctx.saved_tensors
        back = gradient.new_zeros(gradient.shape[1], ctx.channels)
        low = 0
        for block in _filled(row, channel, value, ctx.rows, ctx.channels):
            back.addmm_(gradient[low : low + len(block)].t(), block)
            low += len(block)
        return None, None, None, back.t(), None


def _filled(
    row: torch.Tensor, channel: torch.Tensor, value: torch.Tensor, rows: int, channels: int
) -> Iterator[torch.Tensor]:
    """Dense [row, channel] blocks of the events; several events at one place add up."""
    lows = range(0, max(rows, 1), _ROWS_AT_ONCE)
    first = [0, len(row)]
    if len(lows) > 1:
        edges = torch.tensor([*lows, rows], device=row.device)
        first = torch.searchsorted(row, edges).tolist()
    for low, start, end in zip(lows, first[:-1], first[1:], strict=True):
        size = min(_ROWS_AT_ONCE, rows - low)
        block = value.new_zeros(size * channels)
        block.index_add_(0, (row[start:end] - low) * channels + channel[start:end], value[start:end])
        yield block.view(size, channels)


def _check_range(name: str, values: torch.Tensor, limit: int) -> None:
    if len(values) and not (int(values.min()) >= 0 and int(values.max()) < limit):
        raise ValueError(f"an event's {name} must be from 0 to {limit - 1}: {int(values.min())} to {int(values.max())}")
