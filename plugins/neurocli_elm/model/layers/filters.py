"""Leaky traces s[t] = k s[t-1] + x[t] over whole sequences, forward and backward.

One k for all channels: blocks of a lower-triangular Toeplitz matrix, a few matrix products. One k per channel: a loop of fused
steps. On the CPU in single precision a compiled loop can take the place of both. Sequences are [time, sample, channel].
"""

from __future__ import annotations

from typing import Any

import torch

from neurocli.training.derivatives import first_only

_BLOCK = 64


def leaky_filter(
    x: torch.Tensor, k: torch.Tensor, start: torch.Tensor | None = None, *, compiled: bool = False
) -> torch.Tensor:
    """Traces [time, sample, channel] of x; k: one decay [] or one per channel [channel]; start: [sample, channel] or zero.

    The decays are constants: no gradient reaches them.
    """
    if not (torch.is_grad_enabled() and (x.requires_grad or (start is not None and start.requires_grad))):
        return _run(x.contiguous(), k, start, compiled, reverse=False)
    return _Filter.apply(x, k, start, compiled)


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, k: torch.Tensor, start: torch.Tensor | None, compiled: bool) -> torch.Tensor:
        ctx.save_for_backward(k)
        ctx.compiled = compiled
        return _run(x.contiguous(), k, start, compiled, reverse=False)

    @staticmethod
    @first_only
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (k,) = ctx.saved_tensors
        given = _run(gradient.contiguous(), k, None, ctx.compiled, reverse=True)
        start = k * given[0] if ctx.needs_input_grad[2] else None
        return given, None, start, None


def _run(
    x: torch.Tensor, k: torch.Tensor, start: torch.Tensor | None, compiled: bool, *, reverse: bool
) -> torch.Tensor:
    """The filter along time, or against it."""
    if compiled:
        from neurocli_elm.data.event_kernel import filter_kernel

        out = torch.empty_like(x)
        first = x.new_zeros(x.shape[1:]) if start is None else start.contiguous()
        decays = k.expand(x.shape[2]).contiguous()
        filter_kernel(x.detach().numpy(), decays.detach().numpy(), first.detach().numpy(), reverse, out.numpy())
        return out
    return _stepwise(x, k, start, reverse) if k.dim() else _blockwise(x, k, start, reverse)


def _blockwise(x: torch.Tensor, k: torch.Tensor, start: torch.Tensor | None, reverse: bool) -> torch.Tensor:
    """Block by block. What is not finite goes step by step: in a product it would reach the whole block, for 0 x NaN is NaN."""
    if bool(x.sum().isfinite()):
        return _toeplitz(x, k, start, reverse)
    finite = x.isfinite()
    # Before the first such entry nothing is added but zeros: earlier steps keep their bits.
    zero = x.new_zeros(())
    broken = _stepwise(torch.where(finite, zero, x), k, None, reverse)
    return _toeplitz(torch.where(finite, x, zero), k, start, reverse) + broken


def _toeplitz(x: torch.Tensor, k: torch.Tensor, start: torch.Tensor | None, reverse: bool) -> torch.Tensor:
    steps, samples, channels = x.shape
    x = x.view(steps, samples * channels)
    lag = torch.arange(min(_BLOCK, steps), device=x.device)
    lag = lag[:, None] - lag
    kernel = torch.where(lag >= 0, k ** lag.clamp_min(0), 0)
    out = torch.empty_like(x)
    before = None if start is None else start.reshape(1, -1)
    lows = range(0, steps, _BLOCK)
    for low in reversed(lows) if reverse else lows:
        block = x[low : low + _BLOCK]
        size = len(block)
        mine = kernel[:size, :size].t() if reverse else kernel[:size, :size]
        if before is None:
            torch.mm(mine, block, out=out[low : low + size])
        else:
            # The step next to the last block decays once, the far end `size` times.
            reach = (mine[:, -1:] if reverse else mine[:, :1]) * k
            torch.addmm(reach * before, mine, block, out=out[low : low + size])
        before = out[low : low + 1] if reverse else out[low + size - 1 : low + size]
    return out.view(steps, samples, channels)


def _stepwise(x: torch.Tensor, k: torch.Tensor, start: torch.Tensor | None, reverse: bool) -> torch.Tensor:
    out = torch.empty_like(x)
    state = x.new_zeros(x.shape[1:]) if start is None else start
    rows = list(zip(x.unbind(0), out.unbind(0), strict=True))
    for row, here in reversed(rows) if reverse else rows:
        torch.addcmul(row, k, state, out=here)
        state = here
    return out


def synapse_traces(
    x: torch.Tensor,
    indices: torch.Tensor,
    weights: torch.Tensor,
    k: torch.Tensor,
    num_branch: int,
    start: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Branch sums of traces kept per synapse: ([time, sample, branch], the last traces [sample, synapse]).

    x: [time, sample, channel]; indices, weights, k: [synapse], synapses branch by branch; start: [sample, synapse] or zero.
    Goes step by step, so that no [time, synapse] array is ever held; the backward pass repeats that. Both results carry gradient.
    """
    first = x.new_zeros(x.shape[1], len(weights)) if start is None else start
    return _SynapseTraces.apply(x, indices, weights, k, num_branch, first)


class _SynapseTraces(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        indices: torch.Tensor,
        weights: torch.Tensor,
        k: torch.Tensor,
        num_branch: int,
        start: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        steps, samples, _ = x.shape
        branches = x.new_empty(steps, samples, num_branch)
        trace = start.clone()
        routed = torch.empty_like(trace)
        for row, out in zip(x.unbind(0), branches.unbind(0), strict=True):
            torch.index_select(row, 1, indices, out=routed)
            trace.mul_(k).addcmul_(routed, weights)
            torch.sum(trace.view(samples, num_branch, -1), 2, out=out)
        ctx.save_for_backward(x, indices, weights, k)
        return branches, trace

    @staticmethod
    @first_only
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradient, of_last = gradients
        x, indices, weights, k = ctx.saved_tensors
        steps, samples, channels = x.shape
        num_branch = gradient.shape[2]
        back = of_last.clone()  # by the traces of the step at hand, later steps included
        routed, summed = torch.empty_like(back), torch.zeros_like(back)
        d_x = x.new_zeros(steps, samples, channels) if ctx.needs_input_grad[0] else None
        by_branch = back.view(samples, num_branch, -1)
        for t in range(steps - 1, -1, -1):
            by_branch.add_(gradient[t, :, :, None])
            torch.index_select(x[t], 1, indices, out=routed)
            summed.addcmul_(routed, back)
            if d_x is not None:
                d_x[t].index_add_(1, indices, back * weights)
            back.mul_(k)
        return d_x, None, summed.sum(0), None, None, back if ctx.needs_input_grad[5] else None
