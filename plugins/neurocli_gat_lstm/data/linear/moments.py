"""Sums of products over worms, from which ridge regressions of a neuron's future on its past and its neighbours are solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from neurocli_gat_lstm.data.linear.path import LinearPath
from neurocli_gat_lstm.data.series import WormSeries

Array = NDArray[np.float64]
SHARED = 1e-3
"""Ridge penalty, per frame, of the coefficients that all neurons share: they have so many frames that it hardly matters."""


@dataclass(frozen=True)
class Penalty:
    """Ridge penalties per training frame: of own coefficients against the shared ones, of levels, of changes."""

    own: float
    level: float
    change: float


@dataclass
class Moments:
    """Weighted products of some worms, additive over worms.

    Predictors of a neuron, all in the units of the frame they are taken from: its own value now, how far that lies above
    each of `lags` - 1 earlier ones, the values of its neighbours, their last changes. Targets: its change after each of
    `horizons`. Squared errors count by `WormSeries.weight`, as they are scored. square: node → [k, k]; target: node →
    [k, horizon]; change: [horizon] weighted squares of all targets, what persistence gets wrong.
    """

    names: tuple[str, ...]
    lags: int
    horizons: tuple[int, ...]
    neighbours: list[NDArray[np.intp]]
    frames: int = 0
    square: dict[int, Array] = field(default_factory=dict)
    target: dict[int, Array] = field(default_factory=dict)
    change: Array = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(
        cls,
        worm: WormSeries,
        names: Sequence[str],
        allowed: NDArray[np.bool_],
        lags: int,
        horizons: Sequence[int],
        origins: NDArray[np.int64] | None = None,
    ) -> Moments:
        """Products of one worm; allowed: bool [post, pre] over `names`, the pairs that may carry something.

        origins: the frames that count; every frame from which all horizons can be forecast if not given.
        """
        found = cls(tuple(names), lags, tuple(horizons), [np.flatnonzero(row) for row in allowed])
        found.change = np.zeros(len(horizons))
        place = {name: k for k, name in enumerate(names)}
        columns = [(k, place[name]) for k, name in enumerate(worm.names) if name in place]
        at = worm.origins(lags, max(horizons)) if origins is None else origins
        if not len(at) or not columns:
            return found
        found.frames = len(at)
        z = worm.z.astype(np.float64)
        targets = np.stack([worm.ahead(at, h) - z[at] for h in horizons], axis=-1)
        there = worm.known[at][..., None] & np.stack([worm.known[at + h] for h in horizons], axis=-1)
        weight = worm.weight(at)[..., None] * there
        seat = np.full(len(names), -1)
        seat[[node for _, node in columns]] = [column for column, _ in columns]
        for column, node in columns:
            own = z[at, column][:, None]
            own = np.concatenate([own, *(own - z[at - lag, column][:, None] for lag in range(1, lags))], axis=1)
            seats = seat[found.neighbours[node]]
            near = np.flatnonzero(seats >= 0)
            levels = z[at][:, seats[near]]
            design = np.concatenate([own, levels, levels - z[at - 1][:, seats[near]]], axis=1)
            found._take(node, near, design, targets[:, column], weight[:, column])
        return found

    def _take(self, node: int, near: NDArray[np.intp], design: Array, targets: Array, weight: Array) -> None:
        k = len(self.neighbours[node])
        seats = np.concatenate((np.arange(self.lags), self.lags + near, self.lags + k + near))
        # One set of frames serves all horizons: those in which the neuron is known now and at every horizon.
        common = np.where(weight.all(axis=1), weight[:, 0], 0.0)
        square = self.square.setdefault(node, np.zeros((self.lags + 2 * k,) * 2))
        target = self.target.setdefault(node, np.zeros((self.lags + 2 * k, len(self.horizons))))
        weighted = design * common[:, None]
        square[np.ix_(seats, seats)] += design.T @ weighted
        target[seats] += weighted.T @ targets
        self.change += common @ targets**2

    def __add__(self, other: Moments) -> Moments:
        change = self.change + other.change
        total = Moments(
            self.names, self.lags, self.horizons, self.neighbours, self.frames + other.frames, change=change
        )
        for name in ("square", "target"):
            mine, its = getattr(self, name), getattr(other, name)
            both = {node: mine[node] + its[node] for node in mine.keys() & its.keys()}
            setattr(total, name, {**mine, **its, **both})
        return total

    def along(self, allowed: NDArray[np.bool_]) -> Moments:
        """The products of some of the pairs: those that `of` gives for them, without going through the worms again."""
        kept = [
            np.flatnonzero(row & _members(len(row), near)) for row, near in zip(allowed, self.neighbours, strict=True)
        ]
        found = Moments(self.names, self.lags, self.horizons, kept, self.frames, change=self.change)
        for node, square in self.square.items():
            seats, k = np.searchsorted(self.neighbours[node], kept[node]), len(self.neighbours[node])
            chosen = np.concatenate((np.arange(self.lags), self.lags + seats, self.lags + k + seats))
            found.square[node] = square[np.ix_(chosen, chosen)]
            found.target[node] = self.target[node][chosen]
        return found

    def shared(self, penalty: float = SHARED) -> Array:
        """[lag, horizon] one regression on their own past for all neurons."""
        lags = self.lags
        square = sum((s[:lags, :lags] for s in self.square.values()), np.zeros((lags, lags)))
        target = sum((t[:lags] for t in self.target.values()), np.zeros((lags, len(self.horizons))))
        return np.asarray(np.linalg.solve(square + penalty * max(self.frames, 1) * np.eye(lags), target), np.float64)

    def solve(self, penalty: Penalty) -> dict[int, Array]:
        """Node → coefficients [k, horizon] of least penalised squared error; own ones are shrunk to the shared ones."""
        shared, frames = self.shared(), max(self.frames, 1)
        penalties = np.array([penalty.own, penalty.level, penalty.change]) * frames
        found = {}
        for node, square in self.square.items():
            k = len(self.neighbours[node])
            weight = np.repeat(penalties, [self.lags, k, k])
            target = self.target[node].copy()
            target[: self.lags] += penalties[0] * shared
            # A neighbour that no worm shows together with this neuron has no products, and a coefficient of zero.
            seen = (square.diagonal() > 0) | (np.arange(len(weight)) < self.lags)
            if not seen.all():
                square, weight, target = square[np.ix_(seen, seen)], weight[seen], target[seen]
            penalised = square.copy()
            penalised.flat[:: len(square) + 1] += weight
            # LAPACK itself: checks around it would take three times as long as systems of this size.
            _, solved, failed = lapack.dposv(penalised, target)
            if failed:
                solved = np.linalg.lstsq(penalised, target, rcond=None)[0]
            found[node] = np.zeros((len(seen), shared.shape[1]))
            found[node][seen] = solved
        return found

    def gain(self, coefficients: dict[int, Array], shared: Array) -> Array:
        """[horizon] share of persistence's squared error that coefficients of other worms take away from these."""
        taken = np.zeros(len(self.horizons))
        for node, square in self.square.items():
            beta = coefficients.get(node)
            if beta is None:
                beta = np.concatenate((shared, np.zeros((len(square) - self.lags, shared.shape[1]))))
            taken += (2 * self.target[node] * beta - beta * (square @ beta)).sum(axis=0)
        return np.divide(taken, self.change, out=np.zeros_like(taken), where=self.change > 0)

    def path(self, coefficients: dict[int, Array], shared: Array, horizon: int) -> LinearPath:
        """The coefficients of one horizon, by name."""
        n, which = len(self.names), self.horizons.index(horizon)
        base = _by_lag(shared[:, which])
        own, level, change = np.tile(base, (n, 1)), np.zeros((n, n)), np.zeros((n, n))
        for node, beta in coefficients.items():
            around = self.neighbours[node]
            mine, levels, changes = np.split(beta[:, which], [self.lags, self.lags + len(around)])
            own[node], level[node, around], change[node, around] = _by_lag(mine), levels, changes
        return LinearPath(self.names, own, base, level, change)


def _members(size: int, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    found = np.zeros(size, bool)
    found[chosen] = True
    return found


def _by_lag(own: Array) -> Array:
    """Coefficients of each past value [lag], from those of the present one and of its distances to earlier ones."""
    return np.concatenate(([own.sum()], -own[1:]))
