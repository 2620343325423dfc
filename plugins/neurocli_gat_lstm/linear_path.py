"""The linear part of a forecast: ridge regression of a neuron's next change on its own past and on its neighbours.

    x_i[t+1] - x_i[t] = sum_l own[i, l] x_i[t-l] + sum_j level[i, j] x_j[t] + sum_j change[i, j] (x_j[t] - x_j[t-1])

j runs over neurons from which a few of the graph's edges lead to i. Every neuron's `own` is shrunk towards coefficients that all neurons share, which is what
lets the regression gain from single neurons without losing neurons that few worms show; penalties are chosen by
leaving out training worms, never by the worms that are scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from neurocli_gat_lstm.series import WormSeries

Array = NDArray[np.float64]
INNER_FOLDS = 5


@dataclass(frozen=True)
class Penalty:
    """Ridge penalties per training frame: of own coefficients against the shared ones, of levels, of changes."""

    own: float
    level: float
    change: float


GRID = tuple(Penalty(o, level, r * level) for o, level, r in product((0.003, 0.1), (0.1, 0.6, 3.0), (0.02, 0.2)))


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

    def forecasts(
        self, z: NDArray[np.floating], origins: NDArray[np.int64], horizons: Sequence[int]
    ) -> dict[int, Array]:
        """Horizon → [origin, node] by rollout from series z [time, node]; rows of `names` and columns of z agree."""
        lags = self.own.shape[1]
        past = [z[np.maximum(origins - lag, 0)].astype(np.float64) for lag in range(lags)]
        found = {}
        for step in range(1, max(horizons) + 1):
            now = past[0]
            following = now + sum(p * self.own[:, lag] for lag, p in enumerate(past))
            if self.level.any() or self.change.any():
                following = following + now @ self.level.T + (now - past[1]) @ self.change.T
            # A regression of weak data can run away; nothing recorded lies outside of these bounds.
            following = np.clip(following, -50.0, 50.0)
            past = [following, *past[:-1]]
            if step in horizons:
                found[step] = following
        return found


class Moments:
    """Sums of products over some worms, from which a path is solved for any penalty.

    allowed: bool [post, pre] over `names`, the edges that may carry something.
    """

    def __init__(
        self, worms: Iterable[WormSeries], names: Sequence[str], allowed: NDArray[np.bool_], lags: int
    ) -> None:
        self.names, self.lags = tuple(names), lags
        self.neighbours = [np.flatnonzero(row) for row in allowed]
        self.frames = 0
        self._shared = np.zeros((lags, lags + 1))
        self._of: dict[int, Array] = {}
        for worm in worms:
            self._add(worm)

    def _add(self, worm: WormSeries) -> None:
        place = {name: k for k, name in enumerate(self.names)}
        columns = [(k, place[name]) for k, name in enumerate(worm.names) if name in place]
        at = worm.origins(self.lags, 1)
        if not len(at) or not columns:
            return
        self.frames += len(at)
        z, known = worm.z[:, [column for column, _ in columns]].astype(np.float64), worm.known
        target, seat = z[at + 1] - z[at], np.full(len(self.names), -1)
        seat[[node for _, node in columns]] = range(len(columns))
        around, across, among, towards = z[at, :0], *(np.zeros((0, 0, 0)),) * 3
        if any(len(self.neighbours[node]) for _, node in columns):
            # These products serve all neurons that are known throughout.
            around = np.concatenate((z[at], z[at] - z[at - 1]), axis=1)
            across = np.stack([z[at - lag].T @ around for lag in range(self.lags)])
            among, towards = around.T @ around, around.T @ target
        for k, (column, node) in enumerate(columns):
            x, y = np.stack([z[at - lag, k] for lag in range(self.lags)], axis=1), target[:, k]
            seats = seat[self.neighbours[node]]
            near = np.flatnonzero(seats >= 0)
            seats = np.concatenate((seats[near], len(columns) + seats[near]))
            rows = known[at, column] & known[at + 1, column]
            if not len(near):
                self._take(node, near, x[rows].T @ x[rows], x[rows].T @ y[rows])
            elif rows.all():
                mine = across[:, k, seats], among[np.ix_(seats, seats)], towards[seats, k]
                self._take(node, near, x.T @ x, x.T @ y, *mine)
            else:
                x, y, here = x[rows], y[rows], around[np.ix_(rows, seats)]
                self._take(node, near, x.T @ x, x.T @ y, x.T @ here, here.T @ here, here.T @ y)

    def _take(self, node: int, near: NDArray[np.intp], own: Array, own_y: Array, *around: Array) -> None:
        """Add one neuron's products with itself, and with those neighbours (places `near`) that its worm shows."""
        lags, k = self.lags, len(self.neighbours[node])
        products = self._of.setdefault(node, np.zeros((lags + 2 * k, lags + 2 * k + 1)))
        products[:lags, :lags] += own
        products[:lags, -1] += own_y
        self._shared += np.concatenate((own, own_y[:, None]), axis=1)
        if around:
            across, among, towards = around
            seats = np.concatenate((lags + near, lags + k + near))
            products[:lags, seats] += across
            products[seats, :lags] += across.T
            products[np.ix_(seats, seats)] += among
            products[seats, -1] += towards

    def solve(self, penalty: Penalty) -> LinearPath:
        """The path of least penalised squared error."""
        n, lags, frames = len(self.names), self.lags, max(self.frames, 1)
        shared = np.linalg.solve(self._shared[:, :-1] + 1e-3 * frames * np.eye(lags), self._shared[:, -1])
        own = np.tile(shared, (n, 1))
        level, change = np.zeros((n, n)), np.zeros((n, n))
        for node, products in self._of.items():
            around = self.neighbours[node]
            k = len(around)
            weight = np.repeat([penalty.own, penalty.level, penalty.change], [lags, k, k]) * frames
            towards = np.concatenate((shared, np.zeros(2 * k)))
            # A neighbour that no worm shows together with this neuron has no products, and a coefficient of zero.
            seen = np.flatnonzero((np.diag(products) > 0) | (np.arange(len(weight)) < lags))
            square = products[np.ix_(seen, seen)] + np.diag(weight[seen])
            solved = np.zeros(len(weight))
            solved[seen] = np.linalg.solve(square, (products[:, -1] + weight * towards)[seen])
            own[node], level[node, around], change[node, around] = np.split(solved, [lags, lags + k])
        return LinearPath(self.names, own.astype(np.float64), shared.astype(np.float64), level, change)


def shared_autoregression(worms: Sequence[WormSeries], lags: int) -> LinearPath:
    """One autoregression for all neurons of all worms."""
    names = sorted({name for worm in worms for name in worm.names})
    moments = Moments(worms, names, np.zeros((len(names), len(names)), bool), lags)
    return moments.solve(Penalty(1e9, 1.0, 1.0))


@dataclass(frozen=True)
class Fitted:
    """`path` of all training worms; `without`: worm → the path of other training worms, for what is fitted on residuals."""

    path: LinearPath
    without: dict[str, LinearPath]
    penalty: Penalty
    scores: dict[Penalty, float]


def no_path(names: Sequence[str], lags: int, groups: Sequence[str]) -> Fitted:
    """A path that adds nothing: forecasts of it are persistence."""
    n = len(names)
    path = LinearPath(tuple(names), np.zeros((n, lags)), np.zeros(lags), np.zeros((n, n)), np.zeros((n, n)))
    return Fitted(path, dict.fromkeys(groups, path), Penalty(0.0, 0.0, 0.0), {})


def fit_linear_path(
    worms: Sequence[WormSeries],
    names: Sequence[str],
    allowed: NDArray[np.bool_],
    *,
    lags: int,
    horizons: Sequence[int],
    context: int,
) -> Fitted:
    """Fit on worms; the penalty is the one of GRID with the least error, over horizons, of worms that are left out in turn.

    Errors are in units of persistence's. With one worm there is nothing to leave out: a middling penalty is taken.
    """
    if len(worms) < 2:
        middle = Penalty(0.1, 0.6, 0.12)
        path = Moments(worms, names, allowed, lags).solve(middle)
        return Fitted(path, {worm.group: path for worm in worms}, middle, {})
    parts = [list(worms[k :: min(INNER_FOLDS, len(worms))]) for k in range(min(INNER_FOLDS, len(worms)))]
    scores = dict.fromkeys(GRID, 0.0)
    paths: dict[Penalty, list[LinearPath]] = {penalty: [] for penalty in GRID}
    for left_out in parts:
        gone = {worm.group for worm in left_out}
        moments = Moments([w for w in worms if w.group not in gone], names, allowed, lags)
        for penalty in GRID:
            path = moments.solve(penalty)
            paths[penalty].append(path)
            scores[penalty] += sum(relative_error(path, worm, horizons, context) for worm in left_out)
    best = min(scores, key=lambda penalty: scores[penalty])
    without = {worm.group: path for part, path in zip(parts, paths[best], strict=True) for worm in part}
    return Fitted(Moments(worms, names, allowed, lags).solve(best), without, best, scores)


def relative_error(path: LinearPath, worm: WormSeries, horizons: Sequence[int], context: int) -> float:
    """Mean over horizons of the squared error over persistence's."""
    origins = worm.origins(context, max(horizons), stride=10)
    if not len(origins):
        return 0.0
    found = path.among(worm.names).forecasts(worm.z, origins, horizons)
    ratios = []
    for horizon, forecast in found.items():
        truth, known = worm.z[origins + horizon], worm.known[origins + horizon]
        error = np.square(forecast - truth)[known].mean()
        change = np.square(worm.z[origins] - truth)[known].mean()
        ratios.append(error / change if change > 0 else 1.0)
    return float(np.mean(ratios))
