"""The memory of an ELM neuron over a whole sequence: the one part of it that has to go step by step.

m[t] = k m[t-1] + gain d[t],  d[t] = 1.7159 tanh(2/3 MLP[b[t], k m[t-1]])

The branch traces' part of the first layer is computed beforehand for all t (`base`). Inside, the memory is carried as
n = m / (1.7159 gain) and all constants sit in the weights, so that a step is two matrix products and three vector operations.
The backward pass is a loop of the same kind, after which each weight's gradient is one matrix product over all samples and times.
Two forms with the same numbers to 1e-5: fused torch calls, anywhere, and a compiled loop for single precision on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from neurocli.training.compiled import can_compile
from neurocli.training.derivatives import first_only
from neurocli_elm.model.mlp import TANH_HEIGHT, TANH_SLOPE

LARGEST_COMPILED = 40_000
"""Weights between memory and hidden layer above which the compiled loop loses to batched matrix products."""


class Layer(NamedTuple):
    """A linear layer: weight [out, in], bias [out]."""

    weight: torch.Tensor
    bias: torch.Tensor


def memory_scan(
    base: torch.Tensor,
    memory_weight: torch.Tensor,
    inner: Sequence[Layer],
    last: Layer,
    k: torch.Tensor,
    gain: torch.Tensor,
    start: torch.Tensor | None = None,
    *,
    activation: str = "relu",
    compiled: bool | None = None,
) -> torch.Tensor:
    """Memory [time, sample, memory] after each step.

    base: [time, sample, hidden], the first layer's input from the branches with its bias; memory_weight: [hidden, memory];
    inner: the hidden layers after the first; k, gain: [memory]; start: [sample, memory], zero by default.
    compiled: None takes the compiled loop where it can run and is the faster one.
    """
    arguments: list[Any] = [
        base,
        k,
        gain,
        start,
        memory_weight,
        last.weight,
        last.bias,
        *(part for layer in inner for part in layer),
    ]
    use = can_compile(compiled, *(t for t in arguments if t is not None))
    if compiled is None and memory_weight.numel() > LARGEST_COMPILED:
        use = False
    silu = activation == "silu"
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in arguments):
        return _Scan.apply(silu, use, *arguments)
    scaled, scale = _scaled(*arguments)
    return _forward(silu, use, False, *scaled).memory * scale


def _scaled(
    base: torch.Tensor, k: torch.Tensor, gain: torch.Tensor, start: torch.Tensor | None, *w: torch.Tensor
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What the loops take: base, k, start of n, and the weights [in, out] with all constants in them; and m / n."""
    scale = TANH_HEIGHT * gain
    n_start = base.new_zeros(base.shape[1], len(k)) if start is None else start / scale
    memory_weight, last_weight, last_bias, *inner = w
    weights = [(memory_weight * (k * scale)).t(), last_weight.t() * TANH_SLOPE, last_bias * TANH_SLOPE]
    weights += [w.t() if w.dim() == 2 else w for w in inner]
    return [t.contiguous() for t in (base, k, n_start, *weights)], scale


class _Records(NamedTuple):
    """What the backward pass needs: hidden, slopes [time, layer, sample, unit]; updates, memory [time, sample, memory]."""

    hidden: torch.Tensor
    slopes: torch.Tensor
    updates: torch.Tensor
    memory: torch.Tensor


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, silu: bool, compiled: bool, *arguments: Any) -> torch.Tensor:
        (base, k, start, *weights), scale = _scaled(*arguments)
        records = _forward(silu, compiled, True, base, k, start, *weights)
        ctx.silu, ctx.compiled = silu, compiled
        ctx.save_for_backward(*records, arguments[2], arguments[4], scale, k, start, *weights)
        return records.memory * scale

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        records = _Records(*ctx.saved_tensors[:4])
        gain, memory_weight, scale, k, start, *weights = ctx.saved_tensors[4:]
        run = _backward_compiled if ctx.compiled else _backward_torch
        # All with respect to n = m / scale.
        d_hidden, d_updates, d_memory, d_start = run(ctx.silu, records, gradient * scale, k, *weights)

        before = torch.cat((start[None], records.memory[:-1]))
        d_base = d_hidden[:, 0].contiguous()
        d_weights = [
            _product(d_base, before) * (k * scale),
            _product(d_updates, records.hidden[:, -1]) * TANH_SLOPE,
            d_updates.sum((0, 1)) * TANH_SLOPE,
        ]
        for layer in range(1, records.hidden.shape[1]):
            d_weights += [_product(d_hidden[:, layer], records.hidden[:, layer - 1]), d_hidden[:, layer].sum((0, 1))]
        d_k = d_gain = None
        if ctx.needs_input_grad[
            3
        ]:  # k acts on what is left of the memory, which both the memory and the first layer take
            left = d_memory + d_base @ (memory_weight * scale)
            d_k = (left * before).sum((0, 1))
        if ctx.needs_input_grad[4]:
            d_gain = (d_memory * records.updates).sum((0, 1)) / gain
        return None, None, d_base, d_k, d_gain, d_start / scale if ctx.needs_input_grad[5] else None, *d_weights


def _product(gradients: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Gradient [out, in] of a weight, over all samples and times."""
    return gradients.flatten(0, 1).t() @ inputs.flatten(0, 1)


def _forward(
    silu: bool, compiled: bool, keep: bool, base: torch.Tensor, k: torch.Tensor, start: torch.Tensor, *w: torch.Tensor
) -> _Records:
    """Runs the recurrence; without `keep` the compiled loop has scratch of one step in place of all but the memory."""
    steps, samples, units = base.shape
    layers, rows = 1 + (len(w) - 3) // 2, steps if keep or not compiled else 1
    hidden = base.new_empty(rows, layers, samples, units)
    slopes = torch.empty_like(hidden) if silu else base.new_empty(rows, layers, samples, 0)
    records = _Records(hidden, slopes, base.new_empty(rows, samples, len(k)), base.new_empty(steps, samples, len(k)))
    (_forward_compiled if compiled else _forward_torch)(silu, records, base, k, start, *w)
    return records


def _forward_torch(
    silu: bool, records: _Records, base: torch.Tensor, k: torch.Tensor, start: torch.Tensor, *w: torch.Tensor
) -> None:
    w_memory, w_out, b_out, *inner = w
    # For silu the slopes' place holds what goes into the activation until the loop is done.
    before = records.slopes if silu else records.hidden
    before[:, 0] = base  # all biases in place at once: a product that adds to what is there is the cheapest
    for layer, bias in enumerate(inner[1::2]):
        before[:, 1 + layer] = bias
    records.updates.copy_(b_out.expand_as(records.updates))
    inputs, hidden = _views(before), _views(records.hidden)
    weights = list(zip([w_memory, *inner[::2]], inputs, hidden, strict=True))
    n = start
    for t, (z, out) in enumerate(zip(records.updates.unbind(0), records.memory.unbind(0), strict=True)):
        below = n
        for weight, into, outof in weights:
            a = into[t].addmm_(below, weight)
            below = torch.sigmoid(a, out=outof[t]).mul_(a) if silu else a.relu_()
        z.addmm_(below, w_out).tanh_()
        n = torch.addcmul(z, k, n, out=out)
    if silu:
        s = torch.sigmoid(before)
        records.slopes.copy_(s * (1 + before * (1 - s)))


def _views(records: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """For each layer of [time, layer, sample, unit], a view of each step, made in one call."""
    return [records[:, layer].unbind(0) for layer in range(records.shape[1])]


def _backward_torch(
    silu: bool, records: _Records, gradient: torch.Tensor, k: torch.Tensor, *w: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    w_memory, w_out, _, *inner = _transposed(w)
    steps, layers = len(gradient), records.hidden.shape[1]
    slopes = records.slopes if silu else (records.hidden > 0).to(gradient.dtype)
    flat = (1 - records.updates.square()).unbind(0)
    d_hidden, d_updates = torch.empty_like(records.hidden), torch.empty_like(records.updates)
    d_memory, d_start = torch.empty_like(gradient), torch.empty_like(gradient[0])
    d_memory[-1] = gradient[-1]
    by_layer, slope = _views(d_hidden), _views(slopes)
    d_z, d_m, gradients = d_updates.unbind(0), d_memory.unbind(0), gradient.unbind(0)
    for t in range(steps - 1, -1, -1):
        g = d_m[t]
        above = torch.mul(g, flat[t], out=d_z[t])
        weight = w_out
        for layer in range(layers - 1, -1, -1):
            above = torch.mm(above, weight, out=by_layer[layer][t])
            above.mul_(slope[layer][t])
            if layer:
                weight = inner[2 * layer - 2]
        if t:
            torch.addcmul(gradients[t - 1], k, g, out=d_m[t - 1]).addmm_(above, w_memory)
        else:
            torch.addmm(k * g, above, w_memory, out=d_start)
    return d_hidden, d_updates, d_memory, d_start


def _transposed(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [w.t().contiguous() if w.dim() == 2 else w for w in weights]


def _arrays(*tensors: torch.Tensor) -> list[Any]:
    return [t.detach().contiguous().numpy() for t in tensors]


def _stacked(inner: Sequence[torch.Tensor], units: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inner layers as [layer, in, out] and [layer, out]; empty where there is none."""
    if not inner:
        return torch.empty(0, units, units), torch.empty(0, units)
    return torch.stack(tuple(inner[::2])), torch.stack(tuple(inner[1::2]))


def _forward_compiled(
    silu: bool, records: _Records, base: torch.Tensor, k: torch.Tensor, start: torch.Tensor, *w: torch.Tensor
) -> None:
    from neurocli_elm.model.kernels.memory import forward_kernel

    w_memory, w_out, b_out, *inner = w
    kernel: Any = forward_kernel
    kernel(
        *_arrays(base, w_memory, *_stacked(inner, base.shape[2]), w_out, b_out, k, start),
        silu,
        *(t.numpy() for t in records),
    )


def _backward_compiled(
    silu: bool, records: _Records, gradient: torch.Tensor, k: torch.Tensor, *w: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    from neurocli_elm.model.kernels.memory import backward_kernel

    w_memory, w_out, _, *inner = _transposed(w)
    w_inner, _ = _stacked(inner, records.hidden.shape[3])
    kernel: Any = backward_kernel
    gradients = (
        torch.empty_like(records.hidden),
        torch.empty_like(records.updates),
        torch.empty_like(gradient),
        torch.empty_like(gradient[0]),
    )
    kernel(
        *_arrays(gradient, w_memory, w_inner, w_out, k),
        silu,
        *_arrays(records.hidden, records.slopes, records.updates),
        *(t.numpy() for t in gradients),
    )
    return gradients
