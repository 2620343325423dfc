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
        found = asdict(self)
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in found.items()}


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
    asked = {c.name: c.family.targets(c.trained.dataset, c.trained.config) for c in contestants}
    for other in contestants[1:]:
        _same_test_data(first, other)
    common = [q for q in asked[first.name] if all(any(_same(q, o) for o in asked[c.name]) for c in contestants)]
    if not common:
        raise DataError(
            f"the runs are scored on different targets: {_names(asked[first.name])} against "
            + "; ".join(_names(asked[c.name]) for c in contestants[1:]),
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
        found = board.skill(target, first.name)["best_baseline"]
        if found is not None:
            best[target.name] = found
        for metric in board.metrics:
            base = board.statistics(target, first.name, metric)
            for c in contestants[1:]:
                test = paired(metric, board.statistics(target, c.name, metric), base)
                judged = verdict(test, metric.higher)
                differences.append(
                    Difference(
                        c.name, first.name, target.name, metric.name, metric.unit, **asdict(test), verdict=judged
                    )
                )
    return Comparison([s for s in board.scores if s.subset == ALL], differences, common, best)


def _same_test_data(one: Contestant, other: Contestant) -> None:
    if one.trained.dataset.test_fingerprint() == other.trained.dataset.test_fingerprint():
        return
    tested = [set(c.trained.dataset.split.test) for c in (one, other)]
    only = [sorted(a - b) for a, b in (tested, tested[::-1])]
    if only[0] or only[1]:
        examples = "; ".join(
            f"{len(extra)} {c.trained.dataset.group_name()}s only in {c.name}, first {extra[0]}"
            for c, extra in zip((one, other), only, strict=True)
            if extra
        )
        reason = f"they were tested on different groups: {examples}"
    else:
        reason = "their test groups have the same names and different contents"
    raise DataError(
        f"the runs cannot be compared: {reason}",
        where=f"{one.name}, {other.name}",
        hint="train both on the same data with the same data.* options, data.split_seed included",
    )


def _same(one: Target, other: Target) -> bool:
    if one.name != other.name or one.groups != other.groups:
        return False
    return all(
        one.values[g].shape == other.values[g].shape and np.array_equal(one.values[g], other.values[g], equal_nan=True)
        for g in one.groups
    )


def _names(targets: Sequence[Target]) -> str:
    return ", ".join(q.name for q in targets)
