"""Trained models side by side: the same targets on the same test groups, and the paired difference to the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurocli.errors import DataError
from neurocli.evaluation.intervals import paired, verdict
from neurocli.evaluation.scoreboard import ALL, Score, Scoreboard
from neurocli.evaluation.target import Bound, Predictor, Target

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily, TrainedModel


@dataclass
class Contestant:
    """A trained model under the name that tables show."""

    name: str
    family: ModelFamily
    trained: TrainedModel


@dataclass(frozen=True)
class Difference:
    """`name` minus `against` on the same groups, with its 95 % interval, exact p and verdict."""

    name: str
    against: str
    target: str
    metric: str
    unit: str
    value: float
    low: float
    high: float
    p: float
    n_groups: int
    reason: str | None
    verdict: str | None

    def as_dict(self) -> dict[str, Any]:
        values = asdict(self)
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()}


@dataclass
class Comparison:
    """Scores of all and of their references, and the differences of all but the first to the first.

    best_baselines: target → name of the best baseline; all baselines are fitted on the first contestant's training groups.
    """

    scores: list[Score]
    differences: list[Difference]
    targets: list[Target]
    best_baselines: dict[str, str]


def compare(contestants: Sequence[Contestant]) -> Comparison:
    """Score every contestant by the first one's metrics. Raises DataError where their test data or targets differ."""
    first = contestants[0]
    targets_by_name = {c.name: c.family.targets(c.trained.dataset, c.trained.config) for c in contestants}
    for other in contestants[1:]:
        _same_test_data(first, other)
    common = [
        q
        for q in targets_by_name[first.name]
        if all(any(_same(q, o) for o in targets_by_name[c.name]) for c in contestants)
    ]
    if not common:
        raise DataError(
            f"the runs are scored on different targets: {_names(targets_by_name[first.name])} against "
            + "; ".join(_names(targets_by_name[c.name]) for c in contestants[1:]),
            where=", ".join(c.name for c in contestants),
            hint="compare models of one family, trained with the same data and evaluate options",
        )
    board = Scoreboard(first.family.metrics(first.trained.dataset, first.trained.config))
    references = list(first.family.baselines(first.trained.dataset, first.trained.config))
    ceiling = first.family.ceiling(first.trained.dataset, first.trained.config)
    if isinstance(ceiling, Predictor):
        references.append(ceiling)
    differences, best = [], {}
    for target in common:
        for c in contestants:
            board.add(target, c.name, "model", c.family.predict(c.trained, target))
        for predictor in references:
            prediction = predictor.predict(target)
            if prediction is not None:
                board.add(target, predictor.name, predictor.kind, prediction)
        if isinstance(ceiling, Bound):
            board.add_bound(target, ceiling)
        best_baseline = board.skill(target, first.name)["best_baseline"]
        if best_baseline is not None:
            best[target.name] = best_baseline
        for metric in board.metrics:
            base = board.statistics(target, first.name, metric)
            for c in contestants[1:]:
                test = paired(metric, board.statistics(target, c.name, metric), base)
                judgement = verdict(test, metric.higher)
                differences.append(
                    Difference(
                        c.name, first.name, target.name, metric.name, metric.unit, **asdict(test), verdict=judgement
                    )
                )
    return Comparison([s for s in board.scores if s.subset == ALL], differences, common, best)


def _same_test_data(first: Contestant, other: Contestant) -> None:
    if first.trained.dataset.test_fingerprint() == other.trained.dataset.test_fingerprint():
        return
    tested = [set(c.trained.dataset.split.test) for c in (first, other)]
    only = [sorted(a - b) for a, b in (tested, tested[::-1])]
    if only[0] or only[1]:
        examples = "; ".join(
            f"{len(extra)} {c.trained.dataset.group_name()}s only in {c.name}, first {extra[0]}"
            for c, extra in zip((first, other), only, strict=True)
            if extra
        )
        reason = f"they were tested on different groups: {examples}"
    else:
        reason = "their test groups have the same names and different contents"
    raise DataError(
        f"the runs cannot be compared: {reason}",
        where=f"{first.name}, {other.name}",
        hint="train both on the same data with the same data.* options, data.split_seed included",
    )


def _same(first: Target, other: Target) -> bool:
    if first.name != other.name or first.groups != other.groups:
        return False
    return all(
        first.values[g].shape == other.values[g].shape
        and np.array_equal(first.values[g], other.values[g], equal_nan=True)
        for g in first.groups
    )


def _names(targets: Sequence[Target]) -> str:
    return ", ".join(q.name for q in targets)
