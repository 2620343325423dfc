"""Sums of products over worms, from which ridge regressions of a neuron's future on its past and its neighbours are solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.normal_equations import NormalEquations
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
    `horizons`. Squared errors count by `WormSeries.weight`, as they are scored. equations: of each node that was seen; change:
    [horizon] weighted squares of all targets, what persistence gets wrong.
    """

    names: tuple[str, ...]
    lags: int
    horizons: tuple[int, ...]
    neighbours: list[NDArray[np.intp]]
    frames: int = 0
    equations: dict[int, NormalEquations] = field(default_factory=dict)
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
        moments = cls(tuple(names), lags, tuple(horizons), [np.flatnonzero(row) for row in allowed])
        moments.change = np.zeros(len(horizons))
        place = {name: k for k, name in enumerate(names)}
        columns = [(k, place[name]) for k, name in enumerate(worm.names) if name in place]
        at = worm.origins(lags, max(horizons)) if origins is None else origins
        if not len(at) or not columns:
            return moments
        moments.frames = len(at)
        z = worm.z.astype(np.float64)
        targets = np.stack([worm.ahead(at, h) - z[at] for h in horizons], axis=-1)
        known = worm.known[at][..., None] & np.stack([worm.known[at + h] for h in horizons], axis=-1)
        weight = worm.weight(at)[..., None] * known
        seat = np.full(len(names), -1)
        seat[[node for _, node in columns]] = [column for column, _ in columns]
        for column, node in columns:
            past = z[at, column][:, None]
            past = np.concatenate([past, *(past - z[at - lag, column][:, None] for lag in range(1, lags))], axis=1)
            seats = seat[moments.neighbours[node]]
            near = np.flatnonzero(seats >= 0)
            levels = z[at][:, seats[near]]
            design = np.concatenate([past, levels, levels - z[at - 1][:, seats[near]]], axis=1)
            moments._take(node, near, design, targets[:, column], weight[:, column])
        return moments

    def _take(self, node: int, near: NDArray[np.intp], design: Array, targets: Array, weight: Array) -> None:
        k = len(self.neighbours[node])
        seats = np.concatenate((np.arange(self.lags), self.lags + near, self.lags + k + near))
        # One set of frames serves all horizons: those in which the neuron is known now and at every horizon.
        common = np.where(weight.all(axis=1), weight[:, 0], 0.0)
        equations = NormalEquations(self.lags + 2 * k, len(self.horizons), intercept=False)
        equations.add(design, targets, common, at=seats)
        self.equations[node] = equations
        self.change += equations.yy

    def __add__(self, other: Moments) -> Moments:
        both = {
            node: self.equations[node] + other.equations[node]
            for node in self.equations.keys() & other.equations.keys()
        }
        equations = {**self.equations, **other.equations, **both}
        frames, change = self.frames + other.frames, self.change + other.change
        return Moments(self.names, self.lags, self.horizons, self.neighbours, frames, equations, change)

    def along(self, allowed: NDArray[np.bool_]) -> Moments:
        """The products of some of the pairs: those that `of` gives for them, without going through the worms again."""
        neighbours = [
            np.flatnonzero(row & _members(len(row), near)) for row, near in zip(allowed, self.neighbours, strict=True)
        ]
        equations = {}
        for node, whole in self.equations.items():
            seats, k = np.searchsorted(self.neighbours[node], neighbours[node]), len(self.neighbours[node])
            chosen = np.concatenate((np.arange(self.lags), self.lags + seats, self.lags + k + seats))
            equations[node] = whole.of_features(chosen)
        return Moments(self.names, self.lags, self.horizons, neighbours, self.frames, equations, self.change)

    @cached_property
    def _own_past(self) -> NormalEquations:
        """The equations of all neurons together, of their own past alone."""
        lags = np.arange(self.lags)
        none = NormalEquations(self.lags, len(self.horizons), intercept=False)
        return reduce(add, (equations.of_features(lags) for equations in self.equations.values()), none)

    def shared(self, penalty: float = SHARED) -> Array:
        """[lag, horizon] one regression on their own past for all neurons."""
        return self._own_past.solve(penalty * max(self.frames, 1), solver="lu")[0]

    def solve(self, penalty: Penalty) -> dict[int, Array]:
        """Node → coefficients [k, horizon] of least penalised squared error; own ones are shrunk to the shared ones."""
        shared, frames = self.shared(), max(self.frames, 1)
        penalties = np.array([penalty.own, penalty.level, penalty.change]) * frames
        coefficients = {}
        for node, (seen, equations) in self._seen.items():
            k = len(self.neighbours[node])
            towards = np.zeros((len(equations.xx), shared.shape[1]))
            towards[: self.lags] = shared
            weight = np.repeat(penalties, [self.lags, k, k])[seen]
            coefficients[node] = np.zeros((len(seen), shared.shape[1]))
            coefficients[node][seen] = equations.solve(weight, towards=towards, solver="cholesky")[0]
        return coefficients

    @cached_property
    def _seen(self) -> dict[int, tuple[NDArray[np.bool_], NormalEquations]]:
        """Node → (which predictors it was seen with, the equations of these); a neighbour that no worm shows with it has no products."""
        every = {}
        for node, equations in self.equations.items():
            seen = (equations.xx.diagonal() > 0) | (np.arange(len(equations.xx)) < self.lags)
            every[node] = seen, equations if seen.all() else equations.of_features(seen)
        return every

    def gain(self, coefficients: dict[int, Array], shared: Array) -> Array:
        """[horizon] share of persistence's squared error that coefficients of other worms take away from these."""
        taken = np.zeros(len(self.horizons))
        for node, equations in self.equations.items():
            beta = coefficients.get(node)
            if beta is None:
                beta = np.concatenate((shared, np.zeros((len(equations.xx) - self.lags, shared.shape[1]))))
            taken += equations.explained(beta)
        return np.divide(taken, self.change, out=np.zeros_like(taken), where=self.change > 0)

    def path(self, coefficients: dict[int, Array], shared: Array, horizon: int) -> LinearPath:
        """The coefficients of one horizon, by name."""
        n, which = len(self.names), self.horizons.index(horizon)
        base = _by_lag(shared[:, which])
        own_past, level, change = np.tile(base, (n, 1)), np.zeros((n, n)), np.zeros((n, n))
        for node, beta in coefficients.items():
            around = self.neighbours[node]
            mine, levels, changes = np.split(beta[:, which], [self.lags, self.lags + len(around)])
            own_past[node], level[node, around], change[node, around] = _by_lag(mine), levels, changes
        return LinearPath(self.names, own_past, base, level, change)


def _members(size: int, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    is_member = np.zeros(size, bool)
    is_member[chosen] = True
    return is_member


def _by_lag(coefficients: Array) -> Array:
    """Coefficients of each past value [lag], from those of the present one and of its distances to earlier ones."""
    return np.concatenate(([coefficients.sum()], -coefficients[1:]))
