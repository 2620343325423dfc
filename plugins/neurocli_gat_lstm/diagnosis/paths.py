"""Does the network run along the connectome, and is it causal? A trained network on a worm, on every path that it has.

Three paths give forecasts: `per step` goes from frame to frame by torch-geometric's message passing, `batched` takes whole windows
at once, `cached` is the one that is scored, where each frame is embedded once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.training.devices import device_of
from neurocli_gat_lstm.configs import CorrectedConfig
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model import folds_v1
from neurocli_gat_lstm.model.attention import SnapshotGATConv
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.rollout import BOUND, continued, rolled_out
from neurocli_gat_lstm.model.v1 import PlannedGatLstm
from neurocli_gat_lstm.model.v2 import Correction, GatLstm, linear_change

_TOGETHER = 32
_STIR = 1.0
"""By how much z-scores are changed to see what depends on them."""


@dataclass(frozen=True)
class NetworkOnWorm(ABC):
    """One network and one worm that it has not seen. beyond: bool [from, to], what reaches further than attention may."""

    worm: WormSeries
    graph: GraphTensors
    beyond: NDArray[np.bool_]
    context: int
    horizons: Sequence[int]

    origins_compared: ClassVar[int] = 3

    @property
    @abstractmethod
    def network(self) -> torch.nn.Module:
        """The network with its layers of attention and its LSTM."""

    @property
    @abstractmethod
    def lead(self) -> int:
        """First frames of a window after which no forecast is given."""

    @property
    def compared(self) -> list[int]:
        """Horizons at which paths are compared."""
        return list(self.horizons)

    @property
    def layers(self) -> list[SnapshotGATConv]:
        return [layer for layer in self.network.modules() if isinstance(layer, SnapshotGATConv)]

    @property
    def device(self) -> torch.device:
        return device_of(self.network)

    @abstractmethod
    def embed(self, frames: torch.Tensor, before: torch.Tensor | None = None) -> torch.Tensor:
        """Frames [chunk, neuron], each on its own, and those before them (0 if not given) → features [chunk, neuron, feature]."""

    @abstractmethod
    def after_each(self, windows: torch.Tensor) -> torch.Tensor:
        """Forecasts of the next frame after each frame of windows [chunk, time, neuron] but the first `lead`."""

    @abstractmethod
    def batched(self, windows: torch.Tensor, steps: int) -> torch.Tensor:
        """Forecasts [chunk, step, neuron] after windows [chunk, time, neuron]."""

    @abstractmethod
    def cached(self, z: NDArray[np.float32], origins: NDArray[np.int64]) -> dict[int, NDArray[np.float32]]:
        """Horizon → forecasts [origin, neuron], as they are scored: the path that is made to be fast."""

    @abstractmethod
    def per_step(self, window: torch.Tensor, steps: int) -> torch.Tensor:
        """Forecasts [step, neuron] after a window [time, neuron], as plainly as can be."""

    def origins(self, count: int) -> NDArray[np.int64]:
        """Some frames, evenly spread, from which every horizon can be forecast."""
        every = self.worm.origins(self.context, max(self.horizons))
        return every[np.unique(np.linspace(0, len(every) - 1, count).astype(np.int64))] if len(every) else every

    def windows(self, origins: NDArray[np.int64]) -> torch.Tensor:
        """z-scores [origin, context, neuron] up to each origin."""
        return torch.from_numpy(self.worm.z[origins[:, None] + np.arange(1 - self.context, 1)]).to(self.device)

    def everyone(self, chunks: int) -> torch.Tensor:
        return torch.ones(chunks, len(self.worm.names), dtype=torch.bool, device=self.device)


@dataclass(frozen=True)
class NetworkOnWormV2(NetworkOnWorm):
    """A network that corrects a linear path."""

    correction: Correction
    linear: dict[str, torch.Tensor]
    nodes: torch.Tensor

    @property
    def network(self) -> Correction:
        return self.correction

    @property
    def lead(self) -> int:
        return int(self.linear["own"].shape[1])

    def embed(self, frames: torch.Tensor, before: torch.Tensor | None = None) -> torch.Tensor:
        earlier = torch.zeros_like(frames) if before is None else before
        present = self.everyone(len(frames))
        return self.correction.embed(frames[:, None], earlier[:, None], self.nodes, self.graph, present)[:, 0]

    def after_each(self, windows: torch.Tensor) -> torch.Tensor:
        present = self.everyone(len(windows))
        return continued(self.correction, self.linear, windows, self.nodes, self.graph, present, 1)[0]

    def batched(self, windows: torch.Tensor, steps: int) -> torch.Tensor:
        present = self.everyone(len(windows))
        return torch.stack(
            continued(self.correction, self.linear, windows, self.nodes, self.graph, present, steps)[1], 1
        )

    def cached(self, z: NDArray[np.float32], origins: NDArray[np.int64]) -> dict[int, NDArray[np.float32]]:
        nodes = self.nodes.cpu().numpy()
        return rolled_out(self.correction, self.linear, z, nodes, self.graph, origins, self.context, self.horizons)

    def per_step(self, window: torch.Tensor, steps: int) -> torch.Tensor:
        everyone = self.everyone(1)
        frames = list(window)
        state = None
        forecasts: list[torch.Tensor] = []
        for time in range(self.lead, len(window) + steps - 1):
            if time >= len(window):
                frames.append(forecasts[-1])
            now, before = frames[time][None, None], frames[time - 1][None, None]
            embedded = self.correction.embed(now, before, self.nodes, self.graph, everyone)
            change, state = self.correction.advance(embedded, state)
            if time >= len(window) - 1:
                past = torch.stack([frames[time - lag] for lag in range(self.lead)])
                following = frames[time] + linear_change(past, self.linear) + change[0, 0]
                forecasts.append(following.clamp(-BOUND, BOUND))
        return torch.stack(forecasts)


@dataclass(frozen=True)
class NetworkOnWormV1(NetworkOnWorm):
    """The published network; its size allows for few comparisons."""

    planned: PlannedGatLstm

    origins_compared: ClassVar[int] = 1

    @property
    def network(self) -> PlannedGatLstm:
        return self.planned

    @property
    def lead(self) -> int:
        return 0

    @property
    def compared(self) -> list[int]:
        return [h for h in self.horizons if h <= 5] or [min(self.horizons)]

    def embed(self, frames: torch.Tensor, before: torch.Tensor | None = None) -> torch.Tensor:
        return self.planned.embed(frames, self.graph, self.everyone(len(frames)))

    def after_each(self, windows: torch.Tensor) -> torch.Tensor:
        return self.planned.forward_all(windows, self.graph, self.everyone(len(windows)))

    def batched(self, windows: torch.Tensor, steps: int) -> torch.Tensor:
        return self.planned.rollout(windows, self.graph, self.everyone(len(windows)), steps)

    def cached(self, z: NDArray[np.float32], origins: NDArray[np.int64]) -> dict[int, NDArray[np.float32]]:
        forecasts = folds_v1.rolled_out(self.planned, z, self.graph, origins, self.context, self.horizons)
        if 1 in forecasts:  # the next step has a path of its own, on which each frame is embedded once
            series = [torch.from_numpy(z[o + 1 - self.context : o + 1]).to(self.device) for o in origins]
            everyone = self.everyone(1)[0]
            once = [
                self.planned.forward_windows(window, self.graph, everyone, window=self.context, stride=1)[0]
                for window in series
            ]
            forecasts[1] = torch.stack(once).cpu().numpy()
        return forecasts

    def per_step(self, window: torch.Tensor, steps: int) -> torch.Tensor:
        frames = window[None]
        for _ in range(steps):
            frames = torch.cat((frames, self.planned(frames, self.graph, self.everyone(1))[:, None]), 1)
        return frames[0, len(window) :]


def network_on_worm(
    network: GatLstm | PlannedFolds, data: WormData, config: CorrectedConfig, group: str
) -> NetworkOnWorm:
    """The first network that was not fitted on a worm."""
    worm, fold = data.worms[group], data.folds_for(group)[0]
    evaluate = config.evaluate
    device = device_of(network)
    graph = data.graph_of(worm).to(device)
    n = len(worm.names)
    if isinstance(network, PlannedFolds):
        return NetworkOnWormV1(
            worm, graph, np.zeros((n, n), bool), evaluate.context, evaluate.horizons, network.member(fold)
        )
    nodes = torch.from_numpy(data.nodes_of(worm)).to(device)
    linear, correction = network.linear_of(fold, nodes), network.members_of(fold)[0]
    return NetworkOnWormV2(
        worm, graph, along(data, config, worm), evaluate.context, evaluate.horizons, correction, linear, nodes
    )


def along(data: WormData, config: CorrectedConfig, worm: WormSeries) -> NDArray[np.bool_]:
    """[from, to]: who may act on whom along the linear path, over neurons of the run that this worm may lack."""
    n = len(worm.names)
    if config.model.linear != "edges":
        return np.zeros((n, n), bool)
    place = {name: k for k, name in enumerate(data.names)}
    index = np.array([place.get(name, -1) for name in worm.names])
    allowed = data.wiring.allowed(config.model.hops).T[np.ix_(index, index)]
    return np.asarray(allowed & (index >= 0)[:, None] & (index >= 0)[None, :])


@torch.no_grad()
def path_differences(view: NetworkOnWorm) -> dict[str, float]:
    """Largest difference of the batched and of the cached path from the path per step, over horizons; relative above 1."""
    origins = view.origins(view.origins_compared)
    x = view.windows(origins)
    steps = max(view.compared)
    with _message_passing(view):
        reference = torch.stack([view.per_step(window, steps) for window in x])
    scale = reference.abs().clamp_min(1)
    cached = view.cached(view.worm.z, origins)
    at = [horizon - 1 for horizon in view.compared]
    from_cache = torch.stack([torch.from_numpy(cached[h]).to(x.device) for h in view.compared], 1)
    return {
        "batched": float(((view.batched(x, steps) - reference).abs() / scale).max()),
        "cached": float(((from_cache - reference[:, at]).abs() / scale[:, at]).max()),
    }


@contextmanager
def _message_passing(view: NetworkOnWorm) -> Iterator[None]:
    """torch-geometric's message passing in place of the compiled sum."""
    before = [layer.compiled for layer in view.layers]
    for layer in view.layers:
        layer.compiled = False
    try:
        yield
    finally:
        for layer, compiled in zip(view.layers, before, strict=True):
            layer.compiled = compiled


def reach(graph: GraphTensors, neurons: int, hops: int) -> NDArray[np.bool_]:
    """[from, to]: whether `to` is reached from `from` in at most that many hops; itself always."""
    step = np.eye(neurons, dtype=np.int64)
    source, target = graph.edge_index.cpu().numpy()
    step[source, target] = 1
    reached = np.eye(neurons, dtype=bool)
    for _ in range(hops):
        reached = (reached.astype(np.int64) @ step) > 0
    return reached


@torch.no_grad()
def moved_features(view: NetworkOnWorm, *, message_passing: bool) -> NDArray[np.bool_]:
    """[from, to]: whether the attention's features of `to` change when `from` changes in the same frame."""
    frame = torch.from_numpy(view.worm.z[view.worm.frames // 2]).to(view.device)
    rows = []
    with _message_passing(view) if message_passing else nullcontext():
        for block in torch.eye(len(frame), device=frame.device).split(_TOGETHER):
            rows.append((view.embed(frame + _STIR * block) != view.embed(frame.expand(len(block), -1))).any(-1))
    return np.asarray(torch.cat(rows).cpu().numpy())


@torch.no_grad()
def moved_forecasts(view: NetworkOnWorm) -> NDArray[np.bool_]:
    """[from, to]: whether the next step of `to` changes when `from` changes throughout the context."""
    x = view.windows(view.origins(1))[:1]
    rows = []
    for block in torch.eye(x.shape[-1], device=x.device).split(_TOGETHER):
        plain = x.expand(len(block), -1, -1)
        stirred, still = view.after_each(plain + _STIR * block[:, None])[:, -1], view.after_each(plain)[:, -1]
        rows.append((stirred - still).abs() > 1e-6)
    return np.asarray(torch.cat(rows).cpu().numpy())


@torch.no_grad()
def change_from_future(view: NetworkOnWorm) -> dict[str, float]:
    """Largest change of forecasts when what comes after them changes, on the batched and on the cached path."""
    origins = view.origins(2)[:1]
    x = view.windows(origins)
    cut = (view.lead + x.shape[1]) // 2
    later = x.clone()
    later[:, cut:] += _STIR
    a, b = (view.after_each(windows)[:, : cut - view.lead] for windows in (x, later))
    z = view.worm.z.copy()
    z[int(origins[0]) + 1 :] += np.float32(_STIR)
    cached = [view.cached(series, origins) for series in (view.worm.z, z)]
    return {
        "batched": float((a - b).abs().max()),
        "cached": max(float(np.abs(cached[0][h] - cached[1][h]).max()) for h in view.horizons),
    }
