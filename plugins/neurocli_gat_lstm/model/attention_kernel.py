"""The compiled attention sum: softmax and weighted sum over the incoming edges of every node, forward and backward.

One pass over the edges, without a message per edge and channel in memory. float32 on the CPU only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable

from neurocli.errors import DataError
from neurocli_gat_lstm.graph.tensors import Incoming


def attention_sum(
    values: torch.Tensor,
    from_source: torch.Tensor,
    to_target: torch.Tensor,
    of_edge: torch.Tensor,
    incoming: Incoming,
    present: torch.Tensor | None,
    slope: float,
) -> torch.Tensor:
    """Σ_j softmax_j(leaky_relu(from_source_j + to_target_i + of_edge_ij)) values_j, over edges and the node itself.

    values: [snapshot, node, head, channel]; from_source, to_target: [snapshot, node, head]; of_edge: [edge, head] in the order
    of `incoming`, 0 for the node itself; present: bool [snapshot, node] or [1, node], absent sources get no attention, except
    from themselves; slope: of the leaky ReLU. Returns [snapshot, node, head * channel].
    """
    if len(incoming.start) != values.shape[1] + 1 or len(incoming.source) != len(of_edge):
        raise DataError(
            f"{len(incoming.source)} edges among {len(incoming.start) - 1} nodes do not fit {len(of_edge)} scores of edges "
            f"and {values.shape[1]} nodes",
            where="graph",
        )
    if present is None:
        present = torch.ones(1, values.shape[1], dtype=torch.bool)
    result: torch.Tensor = _AttentionSum.apply(values, from_source, to_target, of_edge, incoming, present, slope)
    return result


class _AttentionSum(torch.autograd.Function):
    """Keeps values, scores' parts and attention [snapshot, edge + node, head] for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        values: torch.Tensor,
        from_source: torch.Tensor,
        to_target: torch.Tensor,
        of_edge: torch.Tensor,
        incoming: Incoming,
        present: torch.Tensor,
        slope: float,
    ) -> torch.Tensor:
        compiled = kernels()
        snapshots, nodes, heads, _ = values.shape
        attention = torch.empty(snapshots, len(incoming.source) + nodes, heads)
        out = torch.empty_like(values, memory_format=torch.contiguous_format)
        edges = _array(incoming.start), _array(incoming.source)
        arrays = (_array(t) for t in (from_source, to_target, of_edge))
        compiled.score(*arrays, *edges, _array(present), np.float32(slope), attention.numpy())
        attention.exp_()  # torch's exp is vectorised, a compiled loop's is not
        compiled.gather(_array(values), *edges, attention.numpy(), out.numpy())
        ctx.save_for_backward(values, from_source, to_target, of_edge, attention)
        ctx.incoming, ctx.slope = incoming, slope
        return out.flatten(-2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, from_source, to_target, of_edge, attention = ctx.saved_tensors
        given = values, from_source, to_target, of_edge
        gradients = [torch.zeros_like(t, memory_format=torch.contiguous_format) for t in given]
        kernels().spread(
            _array(gradient).reshape(values.shape),
            *(_array(t) for t in given),
            _array(ctx.incoming.start),
            _array(ctx.incoming.source),
            np.float32(ctx.slope),
            attention.numpy(),
            np.empty((ctx.incoming.widest + 1, values.shape[2]), np.float32),
            *(t.numpy() for t in gradients),
        )
        return (*gradients, None, None, None)


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


class _Kernels(NamedTuple):
    score: Callable[..., None]
    gather: Callable[..., None]
    spread: Callable[..., None]


@functools.cache
def kernels() -> _Kernels:
    """The compiled loops; the first call of each compiles for a second or two.

    In attention [snapshot, edge + node, head] the terms of node i stand from start[i] + i on, the node itself last. score
    writes the scores less the largest of each node; gather turns their exponentials into attention and writes the sum; spread
    adds up the gradients of values, from_source, to_target and of_edge.
    """
    import numba

    # No assumption that numbers are finite: -inf marks the absent, and NaN must come out as NaN.
    compiled = numba.njit(fastmath={"reassoc", "contract", "arcp", "nsz"}, error_model="numpy", nogil=True)

    @compiled
    def score(
        from_source: Any,
        to_target: Any,
        of_edge: Any,
        start: Any,
        source: Any,
        present: Any,
        slope: Any,
        scores: Any,
    ) -> None:
        snapshots, nodes, heads = from_source.shape
        largest = np.empty(heads, np.float32)
        for s in range(snapshots):
            counted = present[s if len(present) > 1 else 0]
            for i in range(nodes):
                low, high = start[i], start[i + 1]
                for h in range(heads):
                    raw = from_source[s, i, h] + to_target[s, i, h]
                    largest[h] = raw if raw > 0 else slope * raw
                    scores[s, high + i, h] = largest[h]
                for k in range(low, high):
                    j = source[k]
                    for h in range(heads):
                        if counted[j]:
                            raw = from_source[s, j, h] + to_target[s, i, h] + of_edge[k, h]
                            raw = raw if raw > 0 else slope * raw
                            scores[s, k + i, h] = raw
                            largest[h] = max(largest[h], raw)
                        else:
                            scores[s, k + i, h] = -np.inf
                for k in range(low + i, high + i + 1):
                    for h in range(heads):
                        scores[s, k, h] -= largest[h]

    @compiled
    def gather(values: Any, start: Any, source: Any, attention: Any, out: Any) -> None:
        snapshots, nodes, heads, channels = values.shape
        scale = np.empty(heads, np.float32)
        for s in range(snapshots):
            for i in range(nodes):
                low, high = start[i], start[i + 1]
                scale[:] = 0
                for k in range(low + i, high + i + 1):
                    for h in range(heads):
                        scale[h] += attention[s, k, h]
                for h in range(heads):
                    scale[h] = np.float32(1) / scale[h]
                    weight = attention[s, high + i, h] * scale[h]
                    attention[s, high + i, h] = weight
                    for c in range(channels):
                        out[s, i, h, c] = weight * values[s, i, h, c]
                for k in range(low, high):
                    j = source[k]
                    for h in range(heads):
                        weight = attention[s, k + i, h] * scale[h]
                        attention[s, k + i, h] = weight
                        for c in range(channels):
                            out[s, i, h, c] += weight * values[s, j, h, c]

    @compiled
    def spread(
        gradient: Any,
        values: Any,
        from_source: Any,
        to_target: Any,
        of_edge: Any,
        start: Any,
        source: Any,
        slope: Any,
        attention: Any,
        slack: Any,
        d_values: Any,
        d_source: Any,
        d_target: Any,
        d_edge: Any,
    ) -> None:
        snapshots, nodes, heads, channels = values.shape
        mean = np.empty(heads, np.float32)
        for s in range(snapshots):
            for i in range(nodes):
                low, count = start[i], start[i + 1] - start[i]
                mean[:] = 0
                for k in range(count + 1):
                    j = source[low + k] if k < count else i
                    for h in range(heads):
                        weight = attention[s, low + i + k, h]
                        total = np.float32(0)
                        for c in range(channels):
                            total += gradient[s, i, h, c] * values[s, j, h, c]
                            d_values[s, j, h, c] += weight * gradient[s, i, h, c]
                        slack[k, h] = total
                        mean[h] += weight * total
                for k in range(count + 1):
                    j = source[low + k] if k < count else i
                    for h in range(heads):
                        change = attention[s, low + i + k, h] * (slack[k, h] - mean[h])
                        raw = from_source[s, j, h] + to_target[s, i, h]
                        if k < count:
                            raw += of_edge[low + k, h]
                        if raw <= 0:
                            change *= slope
                        d_target[s, i, h] += change
                        d_source[s, j, h] += change
                        if k < count:
                            d_edge[low + k, h] += change

    return _Kernels(score, gather, spread)
