"""Ridge penalties, chosen on training worms: each is left out in turn, and what forecasts it best is taken.

The grid has no end to land on: from its middle the search goes on in whichever direction forecasts better, until the
best penalty has worse ones on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from neurocli_gat_lstm.data.linear.moments import SHARED, Moments, Penalty
from neurocli_gat_lstm.data.linear.path import LinearPath

Array = NDArray[np.float64]
START = Penalty(0.03, 0.3, 0.1)
STEP = 10**0.5
FARTHEST = 8
"""Steps from the start after which a penalty is as good as none, or as infinite."""
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Fitted:
    """Ridge regressions of one set of training worms, one per horizon.

    paths: horizon → path; without: group → the same, fitted without that worm, for what is fitted on residuals; penalty:
    horizon → what was chosen; scores: horizon → S of left-out worms by penalty; inside: whether every penalty has worse
    ones on both sides.
    """

    paths: dict[int, LinearPath]
    without: dict[str, dict[int, LinearPath]]
    penalty: dict[int, Penalty]
    scores: dict[int, dict[Penalty, float]]
    inside: bool


def penalty_at(place: Place) -> Penalty:
    """The penalty so many steps from the start."""
    return Penalty(
        *(float(f"{at * STEP**k:.3g}") for at, k in zip((START.own, START.level, START.change), place, strict=True))
    )


@dataclass(frozen=True)
class Search:
    """What leaving out each part of the training worms in turn has shown.

    places: horizon → the best penalty's place; solved: place → [part] coefficients without that part; shared: [part]
    coefficients of all neurons without it; gains: place → [horizon] S of the parts that were left out; inside: whether every
    penalty has worse ones on both sides.
    """

    places: dict[int, Place]
    solved: dict[Place, list[dict[int, Array]]]
    shared: list[Array]
    gains: dict[Place, Array]
    inside: bool


def search(
    products: Sequence[Moments],
    free: tuple[bool, bool, bool] = (True, True, True),
    start: Mapping[int, Place] | None = None,
) -> Search:
    """The penalty of each horizon that forecasts parts best which are left out in turn; start: where the search begins.

    free: which of the penalties of own past, levels and changes matter. With one part there is nothing to leave out: the
    start is taken.
    """
    horizons = products[0].horizons
    begin = dict.fromkeys(horizons, (0, 0, 0)) | dict(start or {})
    others = [
        reduce(add, (m for j, m in enumerate(products) if j != k)) for k in range(len(products)) if len(products) > 1
    ]
    shared = [moments.shared() for moments in others]
    solved: dict[Place, list[dict[int, Array]]] = {}
    gains: dict[Place, Array] = {}

    def score(place: Place) -> Array:
        """[horizon] S of the parts that are left out, mean over parts."""
        if place not in gains:
            solved[place] = [moments.solve(penalty_at(place)) for moments in others]
            left_out = zip(products, solved[place], shared, strict=True)
            gains[place] = np.mean([moments.gain(beta, base) for moments, beta, base in left_out], axis=0)
        return gains[place]

    places: dict[int, Place] = {}
    inside = bool(others)
    for k, horizon in enumerate(horizons):
        at = begin[horizon]
        places[horizon], ended = _climb(partial(_of_horizon, score, k), free, at) if others else (at, False)
        inside &= ended
    return Search(places, solved, shared, gains, inside)


def fit(
    inner_folds: Sequence[tuple[Sequence[str], Moments]], free: tuple[bool, bool, bool] = (True, True, True)
) -> Fitted:
    """Fit on all parts, (groups, their products); the penalty of each horizon is chosen by leaving each part out (`search`)."""
    total = reduce(add, (moments for _, moments in inner_folds))
    chosen = search([moments for _, moments in inner_folds], free)
    places = chosen.places
    whole = {place: total.solve(penalty_at(place)) for place in set(places.values())}
    base = total.shared()
    paths = {h: total.path(whole[place], base, h) for h, place in places.items()}
    without = {group: paths for groups, _ in inner_folds for group in groups}
    for number, (groups, _) in enumerate(inner_folds) if chosen.shared else ():
        left = {h: total.path(chosen.solved[p][number], chosen.shared[number], h) for h, p in places.items()}
        without |= dict.fromkeys(groups, left)
    scores = {h: {penalty_at(p): float(g[k]) for p, g in chosen.gains.items()} for k, h in enumerate(total.horizons)}
    return Fitted(paths, without, {h: penalty_at(place) for h, place in places.items()}, scores, chosen.inside)


def fit_shared(inner_folds: Sequence[tuple[Sequence[str], Moments]]) -> tuple[dict[int, LinearPath], bool]:
    """(horizon → one regression for all neurons on their own past, whether its penalties lie inside of the grid)."""
    total = reduce(add, (moments for _, moments in inner_folds))
    others = [
        reduce(add, (m for j, (_, m) in enumerate(inner_folds) if j != k))
        for k in range(len(inner_folds))
        if len(inner_folds) > 1
    ]
    gains: dict[int, Array] = {}

    def score(place: Place) -> Array:
        if place[0] not in gains:
            bases = [moments.shared(_shared_at(place)) for moments in others]
            gains[place[0]] = np.mean(
                [m.gain({}, base) for (_, m), base in zip(inner_folds, bases, strict=True)], axis=0
            )
        return gains[place[0]]

    paths, inside = {}, bool(others)
    for k, horizon in enumerate(total.horizons):
        only = (True, False, False)
        place, ended = _climb(partial(_of_horizon, score, k), only) if others else ((0, 0, 0), False)
        inside &= ended
        paths[horizon] = total.path({}, total.shared(_shared_at(place)), horizon)
    return paths, inside


def _of_horizon(score: Callable[[Place], Array], k: int, place: Place) -> float:
    return float(score(place)[k])


def _shared_at(place: Place) -> float:
    return float(SHARED * STEP ** place[0])


def _climb(
    score: Callable[[Place], float], free: tuple[bool, bool, bool], start: Place = (0, 0, 0)
) -> tuple[Place, bool]:
    """(the place whose neighbours are all worse, whether it was found inside of the grid)."""
    place = start
    while True:
        around = [_moved(place, axis, by) for axis in range(3) if free[axis] for by in (-1, 1)]
        best = max([near for near in around if max(map(abs, near)) <= FARTHEST], key=score, default=place)
        if not around or score(best) <= score(place):
            return place, max(map(abs, place)) < FARTHEST
        place = best


def _moved(place: Place, axis: int, by: int) -> Place:
    moved = list(place)
    moved[axis] += by
    return moved[0], moved[1], moved[2]


def no_paths(names: Sequence[str], lags: int, horizons: Sequence[int], groups: Sequence[str]) -> Fitted:
    """Paths that add nothing: their forecasts are persistence."""
    n = len(names)
    path = LinearPath(tuple(names), np.zeros((n, lags)), np.zeros(lags), np.zeros((n, n)), np.zeros((n, n)))
    paths = dict.fromkeys(horizons, path)
    return Fitted(paths, dict.fromkeys(groups, paths), dict.fromkeys(horizons, Penalty(0.0, 0.0, 0.0)), {}, True)
