"""Does the wiring help to forecast? The linear path along the connectome, among the same path along shuffled connectomes.

The products of all pairs of neurons are taken once for each worm; what a graph allows is a choice of their rows and columns.
So a shuffle costs a few hundred small systems of equations, and goes through everything that the real graph does: its own
penalties, chosen by leaving out training worms, and worms that nothing was fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.nulls import NullBand, permutation_p
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.moments import Moments
from neurocli_gat_lstm.data.linear.penalties import Place, penalty_at, search
from neurocli_gat_lstm.graph.graph import Graph, graph_among
from neurocli_gat_lstm.graph.wiring import reach

Array = NDArray[np.float64]
Pairs = NDArray[np.bool_]
HOPS = (1, 2)


@dataclass(frozen=True)
class WiringTest:
    """S of the linear path, mean over test worms, at every horizon.

    own_past, full: [horizon] without and with all pairs; real: hops → [horizon]; nulls: hops → [shuffle, horizon]; share: hops →
    which part of all pairs the graph may use, in the connectome and in its shuffles.
    """

    horizons: tuple[int, ...]
    own_past: Array
    full: Array
    real: dict[int, Array]
    nulls: dict[int, Array]
    share: dict[int, float]

    def band(self, hops: int, horizon: int) -> NullBand:
        """The real graph's S among those of the shuffles."""
        k = self.horizons.index(horizon)
        return NullBand.of(float(self.real[hops][k]), self.nulls[hops][:, k])

    def corrected_p(self, hops: int, horizon: int, higher: bool = True) -> float:
        """One-sided p that holds for all tests together: the gain over the shuffles' mean, in their sd, among each shuffle's largest.

        The largest is taken over horizons and numbers of edges; a shuffle's number is its seed, the same for each number of edges.
        higher: whether the connectome forecasts better than its shuffles, else worse. After Westfall & Young (1993), single step.
        """
        sign = 1.0 if higher else -1.0
        nulls = np.concatenate([sign * self.nulls[h] for h in self.real], axis=1)
        mean, sd = nulls.mean(0), nulls.std(0, ddof=1)
        place = self.horizons.index(horizon)
        k = list(self.real).index(hops) * len(self.horizons) + place
        value = (sign * self.real[hops][place] - mean[k]) / sd[k]
        return permutation_p(float(value), ((nulls - mean) / sd).max(axis=1))


class ForecastsAlong:
    """S of forecasts along any set of pairs, from products of all pairs that are taken once."""

    def __init__(self, data: WormData) -> None:
        every = ~np.eye(len(data.names), dtype=bool)
        evaluate = data.config.evaluate
        self.horizons = tuple(sorted(evaluate.horizons))
        self.folds: list[tuple[list[Moments], list[Moments]]] = []
        for fold in range(data.folds):
            tested = data.split.folds[fold].test if data.split.folds else data.split.test
            worms = [data.worms[group] for group in tested]
            at = [worm.origins(evaluate.context, max(self.horizons), evaluate.stride) for worm in worms]
            scored = [
                Moments.of(worm, data.names, every, data.lags, data.horizons, origins)
                for worm, origins in zip(worms, at, strict=True)
            ]
            self.folds.append((data.products_of_pairs(fold), scored))
        # Every graph's search begins where that over all pairs ended: the same place for the real one and for a shuffle.
        self.starts: list[Mapping[int, Place]] = [search(training).places for training, _ in self.folds]

    def error_reduction(self, allowed: Pairs) -> Array:
        """[horizon] S, mean over test worms, of a path along the pairs allowed [post, pre]."""
        per_worm = []
        for (training, scored), start in zip(self.folds, self.starts, strict=True):
            along = [moments.along(allowed) for moments in training]
            total = reduce(add, along)
            free = (True, bool(allowed.any()), bool(allowed.any()))
            places = search(along, free, start).places
            solved = {place: total.solve(penalty_at(place)) for place in set(places.values())}
            base = total.shared()
            for moments in scored:
                seen = moments.along(allowed)
                gains = {place: seen.gain(beta, base) for place, beta in solved.items()}
                per_worm.append([gains[places[h]][seen.horizons.index(h)] for h in self.horizons])
        return np.mean(np.array(per_worm), axis=0)


def shuffled_reach(data: WormData, hops: int, pairs: int, seed: int) -> Pairs:
    """[post, pre] within `hops` edges of a shuffled connectome in which every neuron keeps its numbers of partners.

    A shuffle has less of a cluster than the connectome, so that two edges lead farther in it. Of the pairs that no single edge
    joins so many are taken, by chance, that both have the same number of `pairs`. So with two edges it is the number of pairs that
    is matched, and not each neuron's.
    """
    options = data.config.model
    graph = graph_among(
        data.wiring.connectome, data.names, "shuffled", weights=options.synapses, distance=False, seed=seed
    )
    direct, reached = reach(graph, 1), reach(graph, hops)
    rng = np.random.default_rng([seed, hops])
    missing = pairs - int(reached.sum())
    pool = ~reached & ~np.eye(len(reached), dtype=bool) if missing > 0 else reached & ~direct
    changed = rng.permutation(np.argwhere(pool))[: abs(missing)]
    reached[tuple(changed.T)] = missing > 0
    return reached


def wiring_test(data: WormData, shuffles: int, hops: tuple[int, ...] = HOPS) -> WiringTest:
    """The connectome that the options name, among its shuffles; kept for these worms and options."""
    model, evaluate = data.config.model, data.config.evaluate
    graph = _real(data)
    settings: dict[str, Any] = {
        "edges": [graph.pre, graph.post, graph.features],  # by content: a file may change under its name
        "synapses": model.synapses,
        "lags": data.lags,
        "horizons": sorted(evaluate.horizons),
        "context": evaluate.context,
        "stride": evaluate.stride,
        "data": data.config.data.model_dump(mode="json"),
        "tested": data.test_fingerprint(),
        "shuffles": shuffles,
        "hops": hops,
    }
    values = Fitted("wiring test", data, settings, lambda: _measured(data, shuffles, hops)).values
    by_hops = range(len(hops))
    return WiringTest(
        tuple(int(h) for h in values["_horizons"]),
        values["own"],
        values["full"],
        {hops[k]: values["real"][k] for k in by_hops},
        {hops[k]: values["nulls"][k] for k in by_hops},
        {hops[k]: float(values["_share"][k]) for k in by_hops},
    )


def _real(data: WormData) -> Graph:
    return graph_among(data.wiring.connectome, data.names, "real", weights=data.config.model.synapses, distance=False)


def _measured(data: WormData, shuffles: int, hops: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    forecasts, size = ForecastsAlong(data), len(data.names)
    graph = _real(data)
    real = [reach(graph, count) for count in hops]
    nulls = [
        [
            forecasts.error_reduction(shuffled_reach(data, count, int(allowed.sum()), seed))
            for seed in range(1, shuffles + 1)
        ]
        for count, allowed in zip(hops, real, strict=True)
    ]
    everyone = ~np.eye(size, dtype=bool)
    return {
        "_horizons": np.array(forecasts.horizons),
        "own": forecasts.error_reduction(np.zeros((size, size), bool)),
        "full": forecasts.error_reduction(everyone),
        "real": np.array([forecasts.error_reduction(allowed) for allowed in real]),
        "nulls": np.array(nulls),
        "_share": np.array([allowed.sum() / max(everyone.sum(), 1) for allowed in real]),
    }
