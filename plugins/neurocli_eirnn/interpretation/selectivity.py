"""What neurons tell apart: selectivity 2 (AUC - 0.5) in the data's single trials and in the model's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from neurocli.evaluation.nulls import NullBand
from neurocli.interpretation.roc import roc_auc_of_ranks
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import LOCATIONS, SessionData
from neurocli_eirnn.evaluation.rates import (
    COLOURS,
    EVENT_NAMES,
    Array,
    letters,
    mean,
    model_rates,
    pearson,
    used_rows,
)

WINDOWS_MS = {"target": (50.0, 250.0), "go": (50.0, 300.0), "reward": (50.0, 300.0)}
"""Where counts are taken, from each event: the visual response, the saccade, what follows reward."""
PERMUTATIONS, DRAWS = 300, 20
_FEWEST = 8
_ALPHA = 0.05


def selectivity(values: Array, first: NDArray[np.bool_]) -> Array:
    """[neuron] 2 (AUC - 0.5) of values [trial, neuron]: 1 where every trial of `first` exceeds every other one."""
    return _from_ranks(rankdata(values, axis=0), first[None])[0]


def _from_ranks(ranks: Array, ways: NDArray[np.bool_]) -> Array:
    """[way, neuron] selectivity from ranks [trial, neuron] for ways [way, trial] to part the trials."""
    return 2 * roc_auc_of_ranks(ranks, ways) - 1


@dataclass(frozen=True)
class Factor:
    """A way to part trials in two, or several such ways: bool [way, trial] among `rows`, the trials it speaks of."""

    name: str
    rows: NDArray[np.int64]
    ways: NDArray[np.bool_]


def factors(dataset: SessionData, rows: NDArray[np.int64]) -> list[Factor]:
    """Location (each one against the others), reward and salience (high against low), where there are trials enough."""
    parted = []
    places = dataset.location[rows]
    known = rows[places > 0]
    ways = [dataset.location[known] == place for place in range(1, LOCATIONS + 1)]
    parted.append(Factor("location", known, np.array([w for w in ways if _enough(w)], bool).reshape(-1, len(known))))
    for name, high, low in (("reward", 1, 0), ("salience", 1, 2)):
        if name in dataset.session.labels:
            label = dataset.label(name)
            labelled = rows[np.isin(label[rows], (high, low))]
            way = label[labelled] == high
            parted.append(Factor(name, labelled, way[None] if _enough(way) else np.zeros((0, len(labelled)), bool)))
    return [factor for factor in parted if len(factor.ways)]


def _enough(way: NDArray[np.bool_]) -> bool:
    return min(int(way.sum()), int((~way).sum())) >= _FEWEST


def window_rates(dataset: SessionData, rates: Array, rows: NDArray[np.int64], event: str) -> Array:
    """[trial, neuron] mean rate in the event's window of rates [trial, time, neuron] of trials `rows`; NaN where cut off."""
    onset = dataset.event_bins[rows, EVENT_NAMES.index(event)]
    bins = onset[:, None] + _window(dataset, event)
    inside = (bins >= 0) & (bins < rates.shape[1]) & (onset[:, None] >= 0)
    chosen = rates[np.arange(len(rows))[:, None], np.clip(bins, 0, rates.shape[1] - 1)]
    return np.where(inside.all(1)[:, None], chosen.mean(1), np.nan)


def _window(dataset: SessionData, event: str) -> NDArray[np.int64]:
    """Bins of the event's window, from the event's own; at least one."""
    low, high = (round(ms / dataset.bin_ms) for ms in WINDOWS_MS[event])
    return np.arange(low, max(high, low + 1))


@dataclass(frozen=True)
class Selectivity:
    """Selectivity [way, neuron] of one factor in one window.

    data: single trials; model: counts drawn from the model's rates, mean of several draws; noise_free: the model's rates;
    chance [permutation, way, neuron]: the data with labels permuted; significant [neuron]; trials: how many.
    """

    data: Array
    model: Array
    noise_free: Array
    chance: Array
    significant: NDArray[np.bool_]
    trials: int

    @property
    def r(self) -> float:
        return pearson(self.data, self.model)

    @property
    def r_chance(self) -> tuple[float, float]:
        """Interval of the correlation between the model and the data with permuted labels."""
        band = NullBand.of(self.r, np.array([pearson(permuted, self.model) for permuted in self.chance]))
        return band.low, band.high


def measure(
    dataset: SessionData, rates: Array, rows: NDArray[np.int64], factor: Factor, event: str, seed: int
) -> Selectivity | None:
    """Selectivity of data and model; `rates` [trial, time, neuron] are the model's on trials `rows`. None for too few trials."""
    place = {int(row): number for number, row in enumerate(rows)}
    at = np.array([place[int(row)] for row in factor.rows], np.int64)
    observed = window_rates(dataset, dataset.rates[factor.rows].astype(np.float64), factor.rows, event)
    predicted = window_rates(dataset, rates[at], factor.rows, event)
    complete = np.isfinite(observed).all(1)
    ways = factor.ways[:, complete]
    if not len(ways) or not all(_enough(way) for way in ways):
        return None
    observed, predicted = observed[complete], predicted[complete]
    rng = np.random.default_rng(seed)
    expected = np.maximum(predicted, 0) * len(_window(dataset, event)) * dataset.bin_ms / 1000
    drawn = [_from_ranks(rankdata(rng.poisson(expected), axis=0), ways) for _ in range(DRAWS)]
    ranks = rankdata(observed, axis=0)
    selectivities = _from_ranks(ranks, ways)
    chance = np.stack([_from_ranks(ranks, ways[:, rng.permutation(ways.shape[1])]) for _ in range(PERMUTATIONS)])
    largest = np.abs(chance).max(1)  # over ways: a neuron may choose its best, and so may chance
    p = (1 + (largest >= np.abs(selectivities).max(0)).sum(0)) / (1 + PERMUTATIONS)
    noise_free = _from_ranks(rankdata(predicted.astype(np.float32), axis=0).astype(np.float64), ways)
    return Selectivity(selectivities, np.mean(drawn, axis=0), noise_free, chance, p < _ALPHA, int(complete.sum()))


def selectivity_exhibit(trained: TrainedModel, figures: Path) -> Exhibit:
    """Per factor and window: how selective data and model are, how alike, and what chance gives."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    used = used_rows(dataset)
    rates = model_rates(trained.network, dataset, used)
    tested = np.isin(used, dataset.rows(list(dataset.split.test)))
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    measured: dict[tuple[str, str], Selectivity] = {}
    heldout = {f.name: f for f in factors(dataset, used[tested])}
    for factor in factors(dataset, used):
        for event in EVENT_NAMES:
            chosen = measure(dataset, rates, used, factor, event, trained.seed)
            if chosen is None:
                continue
            measured[factor.name, event] = chosen
            again = None
            if factor.name in heldout:
                again = measure(dataset, rates, used, heldout[factor.name], event, trained.seed)
            values = [
                mean(np.abs(chosen.data).max(0)),
                mean(np.abs(chosen.chance).max(1)),
                mean(np.abs(chosen.model).max(0)),
                mean(np.abs(chosen.noise_free).max(0)),
                chosen.r,
                *chosen.r_chance,
                None if again is None else again.r,
            ]
            significant = int(chosen.significant.sum())
            rows.append([factor.name, event, chosen.trials, significant, *map(finite_or_none, values)])
            claims[f"r_{factor.name}_{event}"] = finite_or_none(chosen.r)
            claims[f"significant_{factor.name}_{event}"] = significant
    path = figures / "selectivity.png" if measured else None
    if path is not None:
        _draw(dataset, measured, path)
    columns = [
        "factor",
        "after",
        "trials",
        f"selective, of {dataset.session.neurons}",
        "|data|",
        "|permuted|",
        "|model|",
        "|model, no noise|",
        "correlation, data and model",
        "chance low",
        "chance high",
        "correlation, test trials",
    ]
    windows = ", ".join(f"{low:g} to {high:g} ms after {event}" for event, (low, high) in WINDOWS_MS.items())
    reward_note = (
        "an input of the model from target onset on (data.reward_cue)"
        if dataset.reward_cue
        else "no input of the model, which can tell it only by timing and eye position"
    )
    note = (
        f"selectivity 2 (AUC - 0.5) of single-trial rates, {windows}. Location: each against the others, of which the most selective "
        "one counts. |·|: mean size over neurons; permuted: data with permuted labels; model: spike counts drawn from its rates; no "
        "noise: the rates themselves, which separate trials however little they differ. Selective: neurons of p < "
        f"{_ALPHA:g}, {PERMUTATIONS} permutations. Correlation: of the selectivities of data and model; chance: 95 % with permuted "
        f"labels. The value of the reward is {reward_note}"
    )
    if not rows:
        note = f"every factor has fewer than {_FEWEST} trials of one of its values, too few to measure selectivity"
    return Exhibit("selectivity", "Selectivity of data and model", Table(columns, rows, note), path, claims)


def _draw(dataset: SessionData, measures: dict[tuple[str, str], Selectivity], path: Path) -> None:
    names, events = (
        list(dict.fromkeys(k[0] for k in measures)),
        [e for e in EVENT_NAMES if any(k[1] == e for k in measures)],
    )
    kinds = np.array(letters(dataset.session.neuron_type))
    with saved_figure(
        path, nrows=len(names), ncols=len(events), width=max(2.7 * len(events), 5), height=2.6 * len(names) + 0.5
    ) as (figure, axes):
        grid = np.asarray(axes, object).reshape(len(names), len(events))
        for axis in grid.ravel():
            axis.set_visible(False)
        for (name, event), measured in measures.items():
            axis = grid[names.index(name)][events.index(event)]
            axis.set_visible(True)
            limit = max(0.3, float(max(np.abs(measured.data).max(), np.abs(measured.model).max()))) * 1.08
            edge = float(np.percentile(np.abs(measured.chance), 95))
            axis.axvspan(-edge, edge, color="0.92", lw=0, zorder=0)
            axis.plot([-limit, limit], [-limit, limit], color="0.6", lw=0.8)
            for kind, colour in COLOURS.items():
                members = kinds == kind
                axis.plot(
                    measured.data[:, members].ravel(),
                    measured.model[:, members].ravel(),
                    "o",
                    ms=3,
                    color=colour,
                    label=kind,
                )
            r = f"{measured.r:.2f}" if np.isfinite(measured.r) else "unknown"
            axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
            axis.set_title(f"{name}, after {event}: correlation {r}", fontsize=8)
            axis.tick_params(labelsize=8)
        for axis in grid[-1]:
            axis.set_xlabel("data", fontsize=9)
        for axis in grid[:, 0]:
            axis.set_ylabel("model", fontsize=9)
        first = next(axis for axis in grid.ravel() if axis.get_visible())
        first.legend(*first.get_legend_handles_labels(), loc="upper left", fontsize=7)
        figure.suptitle(
            "selectivity 2 (AUC - 0.5), a point for each neuron (for location, neuron and location); grey: 95 % by chance",
            fontsize=9,
        )
