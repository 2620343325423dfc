"""The scoreboard: every score beside its references, on identical targets, with intervals and the skill in between."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import NeuroError
from neurocli.evaluation.intervals import (
    FEWEST_GROUPS,
    Paired,
    holding,
    interval,
    interval_from_left_out,
    left_out,
    paired,
    verdict,
    why_no_interval,
)
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.skill import Room, skill
from neurocli.evaluation.target import Bound, Cost, Prediction, Target
from neurocli.plugin.exhibit import finite_or_none

ALL = "all"


@dataclass(frozen=True)
class Score:
    """One number of one predictor, with its interval over groups; `no_interval` says why there is none.

    cpu_s, parameters: what the predictor took to fit, None where that is not known.
    """

    name: str
    kind: str
    metric: str
    unit: str
    target: str
    horizon_ms: float | None
    subset: str
    value: float | None
    low: float | None
    high: float | None
    n_groups: int
    no_interval: str | None = None
    cpu_s: float | None = None
    parameters: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Scoreboard:
    """Collects scores target by target. Statistics per group are kept, predictions are not."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = list(metrics)
        self.scores: list[Score] = []
        self._statistics: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        self._bounds: dict[tuple[str, str, str], NDArray[np.float64] | None] = {}
        self._differences: dict[tuple[str, str, str], dict[str, Any]] = {}

    def add(self, target: Target, name: str, kind: str, prediction: Prediction) -> None:
        """Score a prediction on a target and on each of its subsets. Raises NeuroError where a prediction is not a number."""
        # One group after the other, and each asked for once: they may come from disk.
        of_groups = [self._of_group(target, name, prediction, group) for group in target.groups]
        for number, metric in enumerate(self.metrics):
            by_subset = {
                subset: np.stack([statistics[number][subset] for statistics in of_groups])
                for subset in (ALL, *target.subsets)
            }
            self._statistics[target.name, name, _key(metric)] = by_subset[ALL]
            for average, subsets in target.averages.items():
                # Side by side as further channels: a metric that is a mean over channels is one over subsets too.
                by_subset[average] = np.concatenate([by_subset[s] for s in subsets], axis=1)
            for subset, statistics in by_subset.items():
                value = float(metric.value(statistics.sum(0)))
                values = (value, *interval(metric, statistics))
                why = why_no_interval(metric, statistics) if math.isnan(values[1]) else None
                self._append(target, name, kind, metric, subset, values, why)

    def add_bound(self, target: Target, bound: Bound) -> None:
        """Enter a ceiling that is known as a number only, after at least one predictor of the target."""
        for metric in self.metrics:
            for subset in (ALL, *target.subsets, *target.averages):
                value = bound.value(target, metric, subset)
                if value is None:
                    continue
                without = bound.left_out(target, metric, subset)
                if subset == ALL:
                    self._bounds[target.name, bound.name, _key(metric)] = without
                low, high = math.nan, math.nan
                if without is not None:
                    weights = self._weights(target, metric) if subset == ALL else None
                    low, high = interval_from_left_out(value, without, link=metric.link, weights=weights)
                exact = without is not None and without.size > 0 and bool((without == value).all())  # not estimated
                why = None if exact or math.isfinite(low) else "the error of this bound is unknown"
                self._append(target, bound.name, "ceiling", metric, subset, (value, low, high), why)

    def enter_costs(self, costs: Mapping[str, Cost | None]) -> None:
        """Enter what predictors took to fit, by their names: known after their predictions."""
        for n, score in enumerate(self.scores):
            cost = costs.get(score.name)
            if cost is not None:
                self.scores[n] = replace(score, cpu_s=cost.cpu_s, parameters=cost.parameters)

    def _append(
        self,
        target: Target,
        name: str,
        kind: str,
        metric: Metric,
        subset: str,
        values: tuple[float, float, float],
        why: str | None,
    ) -> None:
        value, low, high = (finite_or_none(v) for v in values)
        n = len(target.groups)
        target_key = target.name, target.horizon_ms
        self.scores.append(Score(name, kind, metric.name, metric.unit, *target_key, subset, value, low, high, n, why))

    def _of_group(
        self, target: Target, name: str, prediction: Prediction, group: str
    ) -> list[dict[str, NDArray[np.float64]]]:
        """Statistics [channel, k] of one group by subset, for each metric."""
        observed, predicted = target.values[group], prediction.values[group]
        missing = np.isfinite(observed) & ~np.isfinite(predicted)
        if missing.any():  # leaving targets out would be a way to score better
            raise NeuroError(
                f"{name} gives no number for {int(missing.sum())} targets",
                where=f"{target.name}, {group}",
                hint="neuro diagnose RUN checks the run's weights and losses",
            )
        observed, predicted = (target.as_scored(group, values) for values in (observed, predicted))
        masks = {ALL: None} | {subset: by_group[group] for subset, by_group in target.subsets.items()}
        of_metrics = []
        for metric in self.metrics:
            pair = observed, predicted
            if metric.of_change:
                assert target.now is not None, f"{target.name} does not say what the last value was"
                now = target.as_scored(group, target.now[group])
                pair = observed - now, predicted - now
            of_metrics.append({subset: metric.statistics(*pair, mask) for subset, mask in masks.items()})
        return of_metrics

    def statistics(self, target: Target, name: str, metric: Metric) -> NDArray[np.float64]:
        """Statistics [group, channel, k] of a predictor on a whole target."""
        return self._statistics[target.name, name, _key(metric)]

    def skill(self, target: Target, model: str = "model") -> dict[str, Any]:
        """Skill of the model on a target by the main metric: (score - best baseline) / (ceiling - best baseline).

        Keys: value, low, high (95 % interval), or value None with `reason`; model, best_baseline, baseline, ceiling; paired:
        the difference to the best baseline on the same groups, with its verdict. A skill is given only where the room
        between best baseline and ceiling is above its own noise: else it would be a ratio of two noises.
        """
        metric = self.metrics[0]
        rows = [s for s in self._rows(target, metric) if s.value is not None]
        score = next((s for s in rows if s.name == model), None)
        ceiling = next((s for s in rows if s.kind == "ceiling"), None)
        baselines = (s for s in rows if s.kind == "baseline")
        best = max(baselines, key=lambda s: (s.value or 0.0) * (1 if metric.higher else -1), default=None)
        room = Room(
            score.value if score else None,
            best.value if best else None,
            ceiling.value if ceiling else None,
            best.name if best else None,
            metric.higher,
        )
        result: dict[str, Any] = {"metric": metric.name, "horizon_ms": target.horizon_ms, **room.as_dict()}
        names = (s.name if s else None for s in (score, best, ceiling))
        held = holding(self.statistics(target, model, metric)) if score else None
        without = [None if name is None else self._left_out(target, name, metric, held) for name in names]
        weights = self._weights(target, metric)
        result |= skill(room, *without, weights=None if weights is None or held is None else weights[held])
        result["paired"] = self._difference(target, metric, model, best.name) if score and best else None
        return result

    def differences(self, target: Target, model: str) -> list[dict[str, Any]]:
        """The model minus every baseline on the same groups, by the main metric: baseline, value, low, high, p, verdict."""
        metric = self.metrics[0]
        baselines = [s.name for s in self._rows(target, metric) if s.kind == "baseline"]
        return [{"baseline": b, **self._difference(target, metric, model, b)} for b in baselines]

    def _rows(self, target: Target, metric: Metric) -> list[Score]:
        key = (target.name, metric.name, metric.unit, ALL)
        return [s for s in self.scores if (s.target, s.metric, s.unit, s.subset) == key]

    def _difference(self, target: Target, metric: Metric, model: str, baseline: str) -> dict[str, Any]:
        key = (target.name, model, baseline)
        if key not in self._differences:  # the exact p is the costly part of a table
            first, second = (self.statistics(target, name, metric) for name in (model, baseline))
            difference = paired(metric, first, second)
            self._differences[key] = {**_as_dict(difference), "verdict": verdict(difference, metric.higher)}
        return self._differences[key]

    def _left_out(
        self, target: Target, name: str, metric: Metric, held: NDArray[np.bool_] | None
    ) -> NDArray[np.float64] | None:
        """The score [group] of a predictor or of a bound without each group in turn, of the groups `held` that hold anything.

        None where that is not known, or where these groups are too few for an interval.
        """
        key = (target.name, name, _key(metric))
        if key in self._statistics:
            groups = self._statistics[key]
            groups = groups if held is None else groups[held]
            few = len(groups) < FEWEST_GROUPS or metric.fewest(groups) is not None
            return None if few else left_out(metric, groups)
        bound = self._bounds.get(key)
        return bound if bound is None or held is None or len(bound) != len(held) else bound[held]

    def _weights(self, target: Target, metric: Metric) -> NDArray[np.float64] | None:
        """How much each group of a target counts [group]: the same for every predictor."""
        matching = (
            v
            for (target_name, _, key), v in self._statistics.items()
            if (target_name, key) == (target.name, _key(metric))
        )
        groups = next(matching, None)
        return None if groups is None else metric.weights(groups)


def _key(metric: Metric) -> str:
    return f"{metric.name}/{metric.unit}"


def _as_dict(difference: Paired) -> dict[str, Any]:
    return {
        key: finite_or_none(value) if isinstance(value, float) else value for key, value in asdict(difference).items()
    }
