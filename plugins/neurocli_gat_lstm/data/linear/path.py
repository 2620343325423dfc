"""The linear part of a forecast: a neuron's change on its own past and on its neighbours, after one horizon.

    x_i[t+h] - x_i[t] = sum_l own[i, l] x_i[t-l] + sum_j level[i, j] x_j[t] + sum_j change[i, j] (x_j[t] - x_j[t-1])

j runs over neurons from which a few of the graph's edges lead to i; there is one such regression for every horizon. Every
neuron's `own` is shrunk towards coefficients that all neurons share, which is what lets the regression gain from single
neurons without losing neurons that few worms show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BOUND = 50.0
"""A regression of weak data can run away; nothing recorded lies outside of these bounds."""


@dataclass(frozen=True)
class LinearPath:
    """names [node]; own [node, lag]; shared [lag]: of a neuron that no training worm shows; level, change [post, pre]."""

    names: tuple[str, ...]
    own: Array
    shared: Array
    level: Array
    change: Array

    def among(self, names: Sequence[str]) -> LinearPath:
        """The same coefficients for other nodes; a name that is unknown has the shared past and no neighbours."""
        n, lags = len(names), self.own.shape[1]
        if not self.names:
            none = np.zeros((n, n))
            return LinearPath(tuple(names), np.tile(self.shared, (n, 1)).reshape(n, lags), self.shared, none, none)
        place = {name: k for k, name in enumerate(self.names)}
        index = np.array([place.get(name, -1) for name in names], np.int64)
        known = index >= 0
        both = known[:, None] & known[None, :]
        pick = np.ix_(index, index)
        return LinearPath(
            tuple(names),
            np.where(known[:, None], self.own[index], self.shared),
            self.shared,
            np.where(both, self.level[pick], 0.0),
            np.where(both, self.change[pick], 0.0),
        )

    def change_after(self, past: Sequence[Array]) -> Array:
        """The change [origin, node] that follows on `past`: [origin, node] now, one frame before, and so on."""
        change = sum(p * self.own[:, lag] for lag, p in enumerate(past))
        if self.level.any() or self.change.any():
            change = change + past[0] @ self.level.T + (past[0] - past[1]) @ self.change.T
        return np.asarray(change)

    def rolled_out(
        self, z: NDArray[np.floating], origins: NDArray[np.int64], horizons: Sequence[int]
    ) -> dict[int, Array]:
        """Horizon → [origin, node] by rollout of a path of one frame; rows of `names` and columns of z [time, node] agree."""
        past = past_of(z, origins, self.own.shape[1])
        forecasts = {}
        for step in range(1, max(horizons) + 1):
            past = [np.clip(past[0] + self.change_after(past), -BOUND, BOUND), *past[:-1]]
            if step in horizons:
                forecasts[step] = past[0]
        return forecasts


def past_of(z: NDArray[np.floating], origins: NDArray[np.int64], lags: int) -> list[Array]:
    """[origin, node] now, one frame before, and so on, of a series z [time, node]."""
    return [z[np.maximum(origins - lag, 0)].astype(np.float64) for lag in range(lags)]


def direct(
    paths: Mapping[int, LinearPath], z: NDArray[np.floating], origins: NDArray[np.int64], horizons: Sequence[int]
) -> dict[int, Array]:
    """Horizon → [origin, node], each by the path of its own; nodes of the paths and columns of z [time, node] agree."""
    past = past_of(z, origins, max(paths[h].own.shape[1] for h in horizons))
    return {h: np.clip(past[0] + paths[h].change_after(past[: paths[h].own.shape[1]]), -BOUND, BOUND) for h in horizons}
