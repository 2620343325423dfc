"""The scoreboard: every score beside its references, on identical targets, with intervals and the skill in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import NeuroError
from neurocli.evaluation.intervals import FEWEST_GROUPS, Paired, interval, paired
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.question import Bound, Prediction, Question

ALL = "all"


@dataclass(frozen=True)
class Score:
    """One number of one predictor, with its interval over groups."""

    name: str
    kind: str
    metric: str
    unit: str
    question: str
    horizon_ms: float | None
    subset: str
    value: float | None
    low: float | None
    high: float | None
    n_groups: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Scoreboard:
    """Collects scores question by question. Statistics per group are kept, predictions are not."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = list(metrics)
        self.scores: list[Score] = []
        self._statistics: dict[tuple[str, str, str], NDArray[np.float64]] = {}

    def add(self, question: Question, name: str, kind: str, prediction: Prediction) -> None:
        """Score a prediction on a question and on each of its subsets. Raises NeuroError where an answer is not a number."""
        for group in question.groups:
            missing = np.isfinite(question.targets[group]) & ~np.isfinite(prediction.values[group])
            if missing.any():  # leaving targets out would be a way to score better
                raise NeuroError(
                    f"{name} gives no number for {int(missing.sum())} targets",
                    where=f"{question.name}, {group}",
                    hint="neuro diagnose RUN checks the run's weights and losses",
                )
        for metric in self.metrics:
            by_subset = {
                subset: np.stack([self._of_group(metric, question, prediction, subset, g) for g in question.groups])
                for subset in (ALL, *question.subsets)
            }
            self._statistics[question.name, name, _key(metric)] = by_subset[ALL]
            for average, subsets in question.averages.items():
                # Side by side as further channels: a metric that is a mean over channels is one over subsets too.
                by_subset[average] = np.concatenate([by_subset[s] for s in subsets], axis=1)
            for subset, statistics in by_subset.items():
                value = float(metric.value(statistics.sum(0)))
                # A subset may be in few of the groups, and in the others nothing to resample.
                within = int((np.abs(statistics).sum((1, 2)) > 0).sum())
                few = subset in question.subsets and within < FEWEST_GROUPS
                low, high = (math.nan, math.nan) if few else interval(metric, statistics)
                self._append(question, name, kind, metric, subset, (value, low, high))

    def add_bound(self, question: Question, bound: Bound) -> None:
        """Enter a ceiling that is known as a number only."""
        for metric in self.metrics:
            for subset in (ALL, *question.subsets, *question.averages):
                value = bound.value(question, metric, subset)
                if value is not None:
                    self._append(question, bound.name, "ceiling", metric, subset, (value, math.nan, math.nan))

    def _append(
        self,
        question: Question,
        name: str,
        kind: str,
        metric: Metric,
        subset: str,
        values: tuple[float, float, float],
    ) -> None:
        value, low, high = (_number(v) for v in values)
        n = len(question.groups)
        asked = question.name, question.horizon_ms
        self.scores.append(Score(name, kind, metric.name, metric.unit, *asked, subset, value, low, high, n))

    @staticmethod
    def _of_group(
        metric: Metric, question: Question, prediction: Prediction, subset: str, group: str
    ) -> NDArray[np.float64]:
        mask = None if subset == ALL else question.subsets[subset][group]
        variance = prediction.variance[group] if prediction.variance is not None else None
        target, answer = question.targets[group], prediction.values[group]
        if metric.of_change:
            assert question.now is not None, f"{question.name} does not say what the last value was"
            target, answer = target - question.now[group], answer - question.now[group]
        return metric.statistics(target, answer, mask, variance)

    def statistics(self, question: Question, name: str, metric: Metric) -> NDArray[np.float64]:
        """Statistics [group, channel, k] of a predictor on a whole question."""
        return self._statistics[question.name, name, _key(metric)]

    def skill(self, question: Question, model: str = "model") -> dict[str, Any]:
        """Skill of the model on a question by the main metric: (score - best baseline) / (ceiling - best baseline).

        Also the paired difference to the best baseline on the same groups. None where a part is missing.
        """
        metric = self.metrics[0]
        rows = [s for s in self.scores if (s.metric, s.unit, s.subset) == (metric.name, metric.unit, ALL)]
        rows = [s for s in rows if s.question == question.name and s.value is not None]
        score = next((s for s in rows if s.name == model), None)
        baselines = [s for s in rows if s.kind == "baseline"]
        ceiling = next((s for s in rows if s.kind == "ceiling"), None)
        best = max(baselines, key=lambda s: (s.value or 0.0) * (1 if metric.higher else -1), default=None)
        found: dict[str, Any] = {
            "metric": metric.name,
            "horizon_ms": question.horizon_ms,
            "model": score.value if score else None,
            "best_baseline": best.name if best else None,
            "baseline": best.value if best else None,
            "ceiling": ceiling.value if ceiling else None,
            "value": None,
            "paired": None,
        }
        if score and best:
            difference = paired(
                metric, self.statistics(question, model, metric), self.statistics(question, best.name, metric)
            )
            found["paired"] = _as_dict(difference)
            if ceiling and score.value is not None and best.value is not None and ceiling.value is not None:
                room = ceiling.value - best.value
                found["value"] = (score.value - best.value) / room if abs(room) > 1e-9 else None
        return found

    def differences(self, question: Question, model: str) -> list[dict[str, Any]]:
        """The model minus every baseline on the same groups, by the main metric: baseline, value, low, high, p, verdict.

        verdict: `better`, `worse`, or `within the interval` where the interval holds zero; None without an interval.
        """
        metric = self.metrics[0]
        rows = [
            s for s in self.scores if (s.question, s.metric, s.unit, s.subset) == (question.name, *_of(metric), ALL)
        ]
        found = []
        for baseline in (s.name for s in rows if s.kind == "baseline"):
            one, other = (self.statistics(question, name, metric) for name in (model, baseline))
            difference = _as_dict(paired(metric, one, other))
            found.append({"baseline": baseline, **difference, "verdict": _verdict(difference, metric.higher)})
        return found


def _of(metric: Metric) -> tuple[str, str]:
    return metric.name, metric.unit


def _verdict(difference: dict[str, Any], higher: bool) -> str | None:
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return None
    if low <= 0 <= high:
        return "within the interval"
    return "better" if (low > 0) == higher else "worse"


def _key(metric: Metric) -> str:
    return f"{metric.name}/{metric.unit}"


def _number(value: float) -> float | None:
    """JSON has no NaN: what is not known is null."""
    return value if math.isfinite(value) else None


def _as_dict(difference: Paired) -> dict[str, Any]:
    return {key: _number(value) if isinstance(value, float) else value for key, value in asdict(difference).items()}
