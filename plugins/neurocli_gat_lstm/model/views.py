"""A view: one trained network that looks at one worm. What is interpreted is measured view by view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.training.devices import device_of
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.v2 import Correction, GatLstm
from neurocli_gat_lstm.model.v3 import DirectCorrection
from neurocli_gat_lstm.model.view_v1 import PlannedCorrection

MOST_WORMS = 8
"""Worms that are looked at; more of them would say little more about a network."""


@dataclass(frozen=True, eq=False)
class View:
    """fold, member: which network; linear: own, level and change among the worm's neurons; nodes [neuron]: their names.

    independent: whether the network was fitted without this worm; taught: bool [post, pre], whether some worm that it was
    fitted on shows both neurons, without which nothing is known of their edge.
    """

    fold: int
    member: int
    independent: bool
    correction: Correction | PlannedCorrection | DirectCorrection
    linear: dict[str, torch.Tensor]
    worm: WormSeries
    nodes: torch.Tensor
    graph: GraphTensors
    taught: NDArray[np.bool_]

    @property
    def heavy(self) -> bool:
        """Whether a pass costs so much that fewer frames must do."""
        return isinstance(self.correction, PlannedCorrection)

    @property
    def lags(self) -> int:
        return int(self.linear["own"].shape[1])

    def without(self, removed: NDArray[np.int64]) -> View:
        """The same view without some edges, in the linear path and in the attention."""
        remaining = torch.ones(self.graph.edge_index.shape[1], dtype=torch.bool)
        remaining[torch.from_numpy(removed)] = False
        pre, post = (ends[torch.from_numpy(removed)] for ends in self.graph.edge_index.cpu())
        linear = dict(self.linear)
        for name in ("level", "change"):
            linear[name] = linear[name].clone()
            linear[name][post, pre] = 0
        graph = GraphTensors(self.graph.edge_index[:, remaining], self.graph.edge_attr[remaining])
        return replace(self, linear=linear, graph=graph)

    def windows(self, length: int, count: int) -> torch.Tensor:
        """At most `count` windows [window, length, neuron] of the worm, evenly from its segments; none where too short."""
        starts = self.worm.windows(length)
        chosen = starts[np.unique(np.linspace(0, len(starts) - 1, min(count, len(starts))).astype(np.int64))]
        frames = chosen[:, None] + np.arange(length)
        return torch.from_numpy(self.worm.z[frames]).to(self.nodes.device)


def views(
    data: WormData, network: GatLstm | PlannedFolds, groups: Sequence[str] | None = None, *, independent: bool = False
) -> list[View]:
    """Every network with every test worm; independent ones first, those that `evaluate` takes, or these alone."""
    device = device_of(network)
    seen = []
    for group in (data.split.test if groups is None else groups)[:MOST_WORMS]:
        worm = data.worms[group]
        nodes = torch.from_numpy(data.nodes_of(worm)).to(device)
        graph = data.graph_of(worm).to(device)
        unseen_by = data.folds_for(group)
        for fold in unseen_by if independent else range(data.folds):
            taught = taught_pairs(data, fold, worm)
            for number, (member, linear) in enumerate(_networks(network, fold, nodes)):
                seen.append(View(fold, number, fold in unseen_by, member, linear, worm, nodes, graph, taught))
    return sorted(seen, key=lambda view: not view.independent)


def _networks(
    network: GatLstm | PlannedFolds, fold: int, nodes: torch.Tensor
) -> list[tuple[Correction | PlannedCorrection, dict[str, torch.Tensor]]]:
    """The networks of a fold, each with its linear path; that of the published model is persistence."""
    if isinstance(network, GatLstm):
        linear = network.linear_of(fold, nodes)
        return [(member, linear) for member in network.members_of(fold)]
    n = len(nodes)
    shapes = {"own": (n, 2), "level": (n, n), "change": (n, n)}
    nothing = {name: torch.zeros(shape, device=nodes.device) for name, shape in shapes.items()}
    return [(PlannedCorrection(network.member(fold)), nothing)]


def taught_pairs(data: WormData, fold: int, worm: WormSeries) -> NDArray[np.bool_]:
    """[post, pre], whether some worm that a fold was fitted on shows both neurons."""
    taught = np.zeros((len(worm.names), len(worm.names)), bool)
    teachers = data.training_worms(fold)
    for teacher in teachers:
        known = np.isin(worm.names, teacher.names)
        taught |= known[:, None] & known[None, :]
    return taught if teachers else ~taught  # the training worms may be gone
