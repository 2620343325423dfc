"""What a network does along each edge: attention, coefficients, derivatives of its forecasts, and the loss without the edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from neurocli_gat_lstm.model.attention import SnapshotGATConv
from neurocli_gat_lstm.model.rollout import BOUND, continued
from neurocli_gat_lstm.model.v2 import linear_change
from neurocli_gat_lstm.model.v3 import DirectCorrection
from neurocli_gat_lstm.model.view_v1 import PlannedCorrection
from neurocli_gat_lstm.model.view_v3 import DirectView
from neurocli_gat_lstm.model.views import View

Array = NDArray[np.float64]

STEPS = 5
"""Frames of the rollout that an edge's effect is followed for."""
ORIGINS = 48
"""Frames of a worm at which derivatives are taken."""
CONTEXT = 50
FRAMES = 512
"""Frames of a worm that attention is averaged over, evenly from all of it."""
CHUNKS, CHUNK, BURN_IN = 10, 60, 10
"""Of the frames that edges are removed on."""
MOST_ROUNDS = 80
HEAVY_ORIGINS, HEAVY_FRAMES, HEAVY_ROUNDS, HEAVY_CHUNKS = 4, 64, 12, 2
"""The same for networks of the published widths."""

LINEAR, NETWORK, FUNCTIONAL = "linear path", "network", "functional weight"
FOLLOWED = f"functional weight, {STEPS} steps"
ATTENTION, MESSAGE, ABLATION = "attention", "attention x value", "ablation"
WHAT = {
    ATTENTION: "of the first layer, mean over time and heads",
    MESSAGE: "attention times the norm of the features that it passes on",
    LINEAR: "coefficient of the neighbour's present value, z per z",
    NETWORK: "derivative of the network's correction one step ahead by that value, mean over time, z per z",
    FUNCTIONAL: "the sum of these two, the derivative of the forecast, z per z",
    FOLLOWED: f"the same for the sum of the forecasts 1 to {STEPS} steps ahead",
    ABLATION: "squared error one step ahead that removing the edge adds, divided by that of persistence for the neuron",
}


def attention_of(view: View) -> list[tuple[Array, Array]]:
    """Layer by layer: attention and attention x |W x_j| [edge + neuron, head], means over time; self-loops come last."""
    with torch.no_grad():
        if isinstance(view, DirectView):
            return view.attention()
        assert not isinstance(view.correction, DirectCorrection)
        z = view.windows(2, HEAVY_FRAMES if view.heavy else FRAMES)
        everyone = torch.ones(1, z.shape[2], dtype=torch.bool, device=z.device)
        embedded = view.correction.embed(z[:, 1:], z[:, :1], view.nodes, view.graph, everyone)[:, 0]
        by_layer = []
        layers: list[SnapshotGATConv] = list(view.correction.attention)  # type: ignore[arg-type]
        planned = isinstance(view.correction, PlannedCorrection)
        # In the other model the embedding begins with what the first layer takes.
        features = z[:, 1, :, None] if planned or not layers else embedded[..., : layers[0].in_channels]
        for number, layer in enumerate(layers):
            values, weights, edges = layer.attend(features, view.graph.edge_index, view.graph.edge_attr)
            message = weights * values[:, edges[0]].norm(dim=-1)
            by_layer.append((_numpy(weights.mean(0)), _numpy(message.mean(0))))
            attended = layer(features, view.graph.edge_index, view.graph.edge_attr)
            if isinstance(view.correction, PlannedCorrection):
                features = view.correction.activated(number, attended)
            else:
                features = functional.elu(attended)
    return by_layer


@dataclass(frozen=True)
class Derivatives:
    """[post, pre] means over time of the derivative by a neuron's present value, in z per z.

    one_step, followed: of the forecast one step ahead and of the sum of the first STEPS; network: of the correction alone.
    """

    one_step: Array
    followed: Array
    network: Array


def derivatives(view: View, steps: int = STEPS, origins: int | None = None) -> Derivatives:
    """Exact, by reverse differentiation: one pass for every neuron that is forecast."""
    if isinstance(view, DirectView):
        return Derivatives(*view.derivatives(steps))
    assert not isinstance(view.correction, DirectCorrection)
    count = origins or (HEAVY_ORIGINS if view.heavy else ORIGINS)
    x = view.windows(max(CONTEXT, view.lags) + 1, count)
    n = x.shape[2]
    correction, linear, graph = view.correction, view.linear, view.graph
    everyone = torch.ones(1, n, dtype=torch.bool, device=x.device)
    with torch.no_grad():
        features = correction.embed(x[:, 1:-1], x[:, :-2], view.nodes, graph, everyone)
        _, state = correction.advance(features)
    now = x[:, -1].clone().requires_grad_()
    recent = [now, *(x[:, -1 - lag] for lag in range(1, view.lags))]
    after: list[torch.Tensor] = []
    corrections: list[torch.Tensor] = []
    for _ in range(steps):
        embedded = correction.embed(recent[0][:, None], recent[1][:, None], view.nodes, graph, everyone)
        change, state = correction.advance(embedded, state)
        corrections.append(change[:, 0])
        following = recent[0] + linear_change(torch.stack(recent), linear) + change[:, 0]
        after.append(following.clamp(-BOUND, BOUND))
        recent = [after[-1], *recent[:-1]]
    wanted = (corrections[0], after[0], torch.stack(after).sum(0))
    rows = [[_numpy(_gradient(output[:, post], now)) for post in range(n)] for output in wanted]
    network, one_step, followed = (np.stack(row) for row in rows)
    return Derivatives(one_step, followed, network)


def _gradient(output: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
    """[pre] mean over origins of the derivative of `output` [origin] by `now` [origin, pre]."""
    if not output.requires_grad:
        return torch.zeros_like(now[0])
    (gradient,) = torch.autograd.grad(output.sum(), now, retain_graph=True)
    return gradient.mean(0)


def ablated(view: View, seed: int = 0) -> Array:
    """[edge] squared error that removing an edge adds one step ahead, over persistence's of the neuron; NaN: not asked.

    With one attention layer a forecast one step ahead depends on the edges into its own neuron alone, so that one edge of
    every neuron can be removed at a time. With more layers each edge needs a pass of its own, and a sample is taken.
    """
    if isinstance(view, DirectView):
        return view.ablated(rounds(view.graph.edge_index[1].cpu().numpy(), 1, seed))
    x = view.windows(view.lags + CHUNK + 1, HEAVY_CHUNKS if view.heavy else CHUNKS)
    truth = x[:, view.lags + BURN_IN + 1 :]
    # As shares of what persistence gets wrong, neurons that change little count as much as others.
    scale = np.maximum(_numpy((truth - x[:, view.lags + BURN_IN : -1]).square().mean((0, 1))), 1e-9)

    def error(view: View) -> Array:
        everyone = torch.ones(len(x), x.shape[2], dtype=torch.bool, device=x.device)
        network: Any = view.correction
        known, _ = continued(network, view.linear, x[:, :-1], view.nodes, view.graph, everyone, 1)
        return _numpy((known[:, BURN_IN:] - truth).square().mean((0, 1)))

    post = view.graph.edge_index[1].cpu().numpy()
    added = np.full(len(post), np.nan)
    with torch.no_grad():
        whole = error(view)
        for edges in rounds(post, len(view.correction.attention), seed)[: HEAVY_ROUNDS if view.heavy else None]:
            without = error(view.without(edges))
            added[edges] = ((without - whole) / scale)[post[edges]]
    return added


def rounds(post: NDArray[np.int64], layers: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Edges [round][edge] that may be removed at once: one into every neuron, or with several layers one at all."""
    rng = np.random.default_rng(seed)
    if layers > 1:
        return [edge[None] for edge in rng.permutation(len(post))[:MOST_ROUNDS]]
    order = np.argsort(post, kind="stable")
    first = np.searchsorted(post[order], post[order])
    turn = np.empty(len(post), np.int64)
    turn[order] = np.arange(len(post)) - first
    turns = range(int(turn.max()) + 1 if len(turn) else 0)
    return [np.flatnonzero(turn == number) for number in turns]


def linear_of(view: View) -> Array:
    """[post, pre] coefficient of the present value: of the level and of the change together."""
    return _numpy(view.linear["level"] + view.linear["change"])


def head_name(layer: int, head: int) -> str:
    return f"layer {layer + 1}, head {head + 1}"


@dataclass(frozen=True)
class EdgeScores:
    """Scores of every edge among the neurons of the viewed worms.

    names [node]; pre, post int64 [edge], positions in names; structural float64 [edge]: log1p chemical + log1p gap.
    by_view: score → [view, edge], NaN where a worm has not both neurons, and, but for attention, where no worm that
    the network was fitted on has; heads: (layer, head) → the same of attention; to_itself:
    (layer, head) → [view] attention to itself, mean over neurons.
    """

    views: tuple[View, ...]
    names: tuple[str, ...]
    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    structural: Array
    by_view: dict[str, Array]
    heads: dict[tuple[int, int], Array]
    to_itself: dict[tuple[int, int], Array]

    @property
    def n_edges(self) -> int:
        return len(self.pre)

    def mean(self, name: str) -> Array:
        """[edge] over the views of networks that have not seen the worm."""
        return self._mean(self.by_view[name])

    def head(self, layer: int, head: int) -> Array:
        """[edge] attention of a head, over independent views."""
        return self._mean(self.heads[layer, head])

    def by_head(self) -> dict[str, Array]:
        """Name of a head → [edge] its attention, over independent views."""
        return {head_name(*key): self.head(*key) for key in self.heads}

    def edge_name(self, edge: int) -> str:
        return f"{self.names[self.pre[edge]]} → {self.names[self.post[edge]]}"

    def ends_of_strongest(self, size: Array, count: int) -> list[int]:
        """Up to so many nodes, senders first, of the edges of largest size [edge]."""
        order = np.argsort(-np.nan_to_num(size))
        return list(dict.fromkeys(int(node) for edge in order for node in (self.pre[edge], self.post[edge])))[:count]

    def _mean(self, values: Array) -> Array:
        chosen = values[[view.independent for view in self.views]]
        known = np.isfinite(chosen)
        total, count = np.where(known, chosen, 0).sum(0), known.sum(0)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def edge_scores(views: Sequence[View], seed: int = 0) -> EdgeScores:
    """All scores of some views. Ablation is made for independent views only."""
    names = tuple(sorted({name for view in views for name in view.worm.names}))
    place = {name: k for k, name in enumerate(names)}
    nodes = [np.array([place[name] for name in view.worm.names], np.int64) for view in views]
    keys = []
    for view, node in zip(views, nodes, strict=True):
        pre, post = node[view.graph.edge_index.cpu().numpy()]
        keys.append(post * len(names) + pre)
    every = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
    structural = np.zeros(len(every))
    by_view = {name: np.full((len(views), len(every)), np.nan) for name in WHAT}
    heads: dict[tuple[int, int], Array] = {}
    to_itself: dict[tuple[int, int], Array] = {}
    for row, (view, key) in enumerate(zip(views, keys, strict=True)):
        at = np.searchsorted(every, key)
        pre, post = view.graph.edge_index.cpu().numpy()
        structural[at] = _numpy(view.graph.edge_attr[:, :2].sum(1))
        for number, (weights, message) in enumerate(attention_of(view)):
            if number == 0:
                by_view[ATTENTION][row, at] = weights[: len(at)].mean(1)
                by_view[MESSAGE][row, at] = message[: len(at)].mean(1)
            for head in range(weights.shape[1]):
                values = heads.setdefault((number, head), np.full((len(views), len(every)), np.nan))
                values[row, at] = weights[: len(at), head]
                to_itself.setdefault((number, head), np.full(len(views), np.nan))[row] = weights[len(at) :, head].mean()
        slopes = derivatives(view)
        matrices = {
            LINEAR: linear_of(view),
            NETWORK: slopes.network,
            FUNCTIONAL: slopes.one_step,
            FOLLOWED: slopes.followed,
        }
        taught = view.taught[post, pre]
        for name, matrix in matrices.items():
            by_view[name][row, at] = np.where(taught, matrix[post, pre], np.nan)
        if view.independent:
            by_view[ABLATION][row, at] = np.where(taught, ablated(view, seed), np.nan)
    size = max(len(names), 1)
    return EdgeScores(tuple(views), names, every % size, every // size, structural, by_view, heads, to_itself)


def _numpy(values: torch.Tensor) -> Array:
    return values.detach().cpu().numpy().astype(np.float64)
