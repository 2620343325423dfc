"""A view of gat-lstm-v3: one network that looks at one worm, with every step from z-scores to forecasts open to derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import SnapshotGATConv
from neurocli_gat_lstm.model.v2 import linear_change
from neurocli_gat_lstm.model.v3 import FARTHEST, DirectCorrection, GatLstmV3
from neurocli_gat_lstm.model.views import MOST_WORMS, View, taught_pairs

Array = NDArray[np.float64]
ORIGINS, FRAMES, CHUNKS, CHUNK = 24, 512, 4, 60


@dataclass(frozen=True, eq=False)
class DirectView(View):
    """network, number: all members, and which of them; paths: horizon → own, level and change among the worm's neurons."""

    network: GatLstmV3
    number: int
    paths: dict[int, dict[str, torch.Tensor]]
    burn_in: int

    @property
    def back(self) -> int:
        """Frames before the first one that has inputs."""
        return max(*self.network.look_back, self.lags - 1)

    def without(self, removed: NDArray[np.int64]) -> DirectView:
        """The same view without some edges, in every linear path and in the attention."""
        view = super().without(removed)
        assert isinstance(view, DirectView)
        pre, post = (ends[torch.from_numpy(removed)] for ends in self.graph.edge_index.cpu())
        paths = {}
        for horizon, linear in self.paths.items():
            paths[horizon] = {**linear, **{name: linear[name].clone() for name in ("level", "change")}}
            for name in ("level", "change"):
                paths[horizon][name][post, pre] = 0
        return replace(view, paths=paths)

    def forecast_change(self, x: torch.Tensor) -> torch.Tensor:
        """z [chunk, time, node] → changes that the paths forecast [chunk, time - back, node, horizon]."""
        past = torch.stack([x[:, self.back - lag : x.shape[1] - lag] for lag in range(self.lags)])
        return torch.stack([linear_change(past, self.paths[h]) for h in self.network.horizons], -1)

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """z [chunk, time, node] → scaled inputs [chunk, time - back, node, input], as `history.inputs_of` makes them."""
        now = x[:, self.back :]
        changes = [now - x[:, self.back - back : x.shape[1] - back] for back in self.network.look_back]
        unscaled = torch.cat((torch.stack([now, *changes], -1), self.forecast_change(x)), -1)
        return (unscaled / self.network.input_scale[self.fold]).clamp(-FARTHEST, FARTHEST)

    def attention(self) -> list[tuple[Array, Array]]:
        """Layer by layer: attention and attention x |W x_j| [edge + neuron, head], means over time; self-loops come last."""
        with torch.no_grad():
            by_layer = []
            features = self.inputs(self.windows(self.back + 1, FRAMES))[:, 0]
            layers: list[SnapshotGATConv] = list(self.direct.attention)  # type: ignore[arg-type]
            for layer in layers:
                values, weights, edges = layer.attend(features, self.graph.edge_index, self.graph.edge_attr)
                message = weights * values[:, edges[0]].norm(dim=-1)
                by_layer.append((_numpy(weights.mean(0)), _numpy(message.mean(0))))
                features = functional.elu(layer(features, self.graph.edge_index, self.graph.edge_attr))
        return by_layer

    @property
    def direct(self) -> DirectCorrection:
        member = self.network.members[self.number]
        assert isinstance(member, DirectCorrection)
        return member

    def derivatives(self, steps: int) -> tuple[Array, Array, Array]:
        """(forecast of one frame, sum of the forecasts of up to `steps` frames, correction of one frame) [post, pre]: means over time
        of the derivative by a neuron's present value."""
        x = self.windows(self.back + self.burn_in + 1, ORIGINS)
        n, scale = x.shape[2], self.network.output_scale[self.fold]
        with torch.no_grad():
            before = self.direct.embed(self.inputs(x[:, :-1]), self.graph)
            _, state = self.direct.lstm(before.transpose(1, 2).reshape(len(x) * n, before.shape[1], -1))
        now = x[:, -1].clone().requires_grad_()
        recent = torch.cat((x[:, -1 - self.back : -1], now[:, None]), 1)
        features = self.direct.embed(self.inputs(recent), self.graph)[:, 0]
        hidden, _ = self.direct.lstm(features.reshape(len(x) * n, 1, -1), state)
        correction = self.direct.head(torch.cat((hidden.view(len(x), n, -1), features), -1)) * scale
        forecast = now[..., None] + self.forecast_change(recent)[:, 0] + correction
        followed = [k for k, h in enumerate(self.network.horizons) if h <= steps]
        wanted = (forecast[..., 0], forecast[..., followed].sum(-1), correction[..., 0])
        rows = [np.stack([_gradient(output[:, post], now) for post in range(n)]) for output in wanted]
        return rows[0], rows[1], rows[2]

    @torch.no_grad()
    def ablated(self, rounds: Sequence[NDArray[np.int64]]) -> Array:
        """[edge] squared error that removing an edge adds one frame ahead, over persistence's of the neuron.

        Each of `rounds` removes one edge into every neuron at a time; what the others' removal does by way of the attention is in it.
        """
        x = self.windows(self.back + self.burn_in + CHUNK + 1, CHUNKS)
        first = self.back + self.burn_in
        truth, now = x[:, first + 1 :], x[:, first:-1]
        scale = np.maximum(_numpy((truth - now).square().mean((0, 1))), 1e-9)

        def error(view: DirectView) -> Array:
            correction = view.direct(view.inputs(x[:, :-1]), view.graph, view.burn_in)[..., 0]
            correction = correction * view.network.output_scale[view.fold][0]
            forecast = now + view.forecast_change(x[:, :-1])[:, view.burn_in :, :, 0] + correction
            return _numpy((forecast - truth).square().mean((0, 1)))

        post, whole = self.graph.edge_index[1].cpu().numpy(), error(self)
        added = np.full(len(post), np.nan)
        for edges in rounds:
            added[edges] = ((error(self.without(edges)) - whole) / scale)[post[edges]]
        return added


def direct_views(data: DirectWormData, network: GatLstmV3, groups: Sequence[str] | None = None) -> list[DirectView]:
    """Every test worm, seen by the networks that `evaluate` takes."""
    device = network.own.device
    views = []
    for group in (data.split.test if groups is None else groups)[:MOST_WORMS]:
        worm = data.worms[group]
        nodes = torch.from_numpy(data.nodes_of(worm)).to(device)
        graph: GraphTensors = data.graph_of(worm).to(device)
        for fold in data.folds_for(group):
            paths = {h: network.linear_of(fold, nodes, h) for h in network.horizons}
            for member, number in enumerate(network.members_of(fold)):
                taught = taught_pairs(data, fold, worm)
                correction = network.members[number]
                assert isinstance(correction, DirectCorrection)
                seen = (fold, member, True, correction, paths[1], worm, nodes, graph, taught)
                views.append(DirectView(*seen, network, number, paths, data.burn_in))
    return views


def _gradient(output: torch.Tensor, now: torch.Tensor) -> Array:
    """[pre] mean over origins of the derivative of `output` [origin] by `now` [origin, pre]."""
    (gradient,) = torch.autograd.grad(output.sum(), now, retain_graph=True)
    return _numpy(gradient.mean(0))


def _numpy(values: torch.Tensor) -> Array:
    return values.detach().cpu().numpy().astype(np.float64)
