"""The fitted linear paths of all folds, kept in a network's state: they are weights that no gradient moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from neurocli_gat_lstm.data.linear.path import LinearPath


class LinearBuffers(nn.Module):
    """Each fold's linear paths, one for each of `horizons`.

    own [fold, horizon, name + 1, lag]: the last row is for unknown names; level, change [fold, horizon, name + 1, name + 1].
    """

    own: torch.Tensor
    level: torch.Tensor
    change: torch.Tensor

    def __init__(self, names: int, folds: int, lags: int, horizons: tuple[int, ...]) -> None:
        super().__init__()
        self.horizons = horizons
        self.register_buffer("own", torch.zeros(folds, len(horizons), names + 1, lags))
        self.register_buffer("level", torch.zeros(folds, len(horizons), names + 1, names + 1))
        self.register_buffer("change", torch.zeros(folds, len(horizons), names + 1, names + 1))

    @property
    def lags(self) -> int:
        return self.own.shape[-1]

    def set_linear(self, fold: int, paths: Mapping[int, LinearPath]) -> None:
        """Take over fitted paths over all names, by horizon."""
        for k, horizon in enumerate(self.horizons):
            path, n = paths[horizon], len(paths[horizon].names)
            self.own[fold, k, :n] = torch.from_numpy(path.own.astype(np.float32))
            self.own[fold, k, n] = torch.from_numpy(path.shared.astype(np.float32))
            self.level[fold, k, :n, :n] = torch.from_numpy(path.level.astype(np.float32))
            self.change[fold, k, :n, :n] = torch.from_numpy(path.change.astype(np.float32))

    def linear_of(self, fold: int, nodes: torch.Tensor, horizon: int = 1) -> dict[str, torch.Tensor]:
        """own [node, lag], level and change [post, pre] of a fold for nodes [node]."""
        k, pairs = self.horizons.index(horizon), (nodes[:, None], nodes[None, :])
        return {
            "own": self.own[fold, k][nodes],
            "level": self.level[fold, k][pairs],
            "change": self.change[fold, k][pairs],
        }

    def paths_of(self, fold: int, names: Sequence[str], nodes: torch.Tensor) -> dict[int, LinearPath]:
        """Horizon → the path of a fold for nodes [node] of these names."""
        paths = {}
        for horizon in self.horizons:
            tensors = {k: v.cpu().numpy().astype(np.float64) for k, v in self.linear_of(fold, nodes, horizon).items()}
            shared = self.own[fold, self.horizons.index(horizon), -1].cpu().numpy().astype(np.float64)
            paths[horizon] = LinearPath(tuple(names), tensors["own"], shared, tensors["level"], tensors["change"])
        return paths
