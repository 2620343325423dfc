"""Score the predictions of a trained model beside those of baselines and ceiling, on the same targets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.evaluation.intervals import FEWEST_GROUPS, NOT_TOLD_APART
from neurocli.evaluation.scoreboard import Score, Scoreboard
from neurocli.plugin.exhibit import Exhibit

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily, TrainedModel


@dataclass
class Evaluation:
    """All scores of a model beside their references.

    skills: one per target, in order, the main target first; ceiling_reason: why there is no ceiling; hindsight: names
    of subsets that depend on the targets themselves; differences: the model minus every baseline on the main target.
    """

    model: str
    scores: list[Score]
    skills: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    targets: list[dict[str, Any]]
    protocol: dict[str, Any]
    differences: list[dict[str, Any]] = field(default_factory=list)
    suspicious: float | None = None
    ceiling_reason: str | None = None
    hindsight: frozenset[str] = frozenset()
    exhibits: list[Exhibit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def skill(self) -> dict[str, Any]:
        """The skill on the main target."""
        return self.skills[0]

    @property
    def leaky(self) -> bool:
        return bool(self.protocol["leaky"])

    @property
    def main_score(self) -> float | None:
        """The model's score on the main target by the main metric."""
        return self.skill["model"]

    @property
    def suspected_leak(self) -> bool:
        """Whether the main score is better than honest models can be."""
        if self.suspicious is None or self.main_score is None:
            return False
        return self.main_score > self.suspicious if self.metrics[0]["higher"] else self.main_score < self.suspicious

    def as_dict(self) -> dict[str, Any]:
        """What `--json` shows and evaluation.json keeps."""
        return {
            "model": self.model,
            "scores": [score.as_dict() for score in self.scores],
            "skill": self.skill,
            "skills": self.skills,
            "differences": self.differences,
            "metrics": self.metrics,
            "targets": self.targets,
            "protocol": self.protocol,
            "ceiling_reason": self.ceiling_reason,
            "hindsight": sorted(self.hindsight),
            "exhibits": [exhibit.as_dict() for exhibit in self.exhibits],
            "notes": self.notes,
            "warnings": self.warnings,
        }


def evaluate(
    family: ModelFamily,
    trained: TrainedModel,
    *,
    say: Callable[[str], None],
    figures: Path | None = None,
    only_main: bool = False,
) -> Evaluation:
    """Score model, baselines and ceiling on every target of the test groups.

    figures: folder for the family's further figures; without it those are left out. only_main: the main target alone.
    """
    from neurocli.evaluation.target import Bound, Predictor
    from neurocli.plugin.family import NoCeiling

    data, config = trained.dataset, trained.config
    targets = family.targets(data, config)
    if only_main:
        targets = targets[:1]
    board = Scoreboard(family.metrics(data, config))
    name = family.card.name
    if not data.split.train:
        say("there are no training groups: baselines that must be fitted are left out")
    references = list(family.baselines(data, config))
    ceiling = family.ceiling(data, config)
    if isinstance(ceiling, Predictor):
        references.append(ceiling)
    predictions, skills = {}, []
    for target in targets:
        say(
            f"scoring {target.name} on {len(target.groups)} test {data.group_name()}{'s' if len(target.groups) != 1 else ''}"
        )
        predictions[target.name] = family.predict(trained, target)
        board.add(target, name, "model", predictions[target.name])
        for number, predictor in enumerate(references, start=1):
            say(f"{target.name}: {predictor.name} ({number} of {len(references)})")
            prediction = predictor.predict(target)
            if prediction is not None:
                board.add(target, predictor.name, predictor.kind, prediction)
        if isinstance(ceiling, Bound):
            board.add_bound(target, ceiling)
        skills.append({"target": target.name, **board.skill(target, name)})
    board.enter_costs({name: family.cost(trained), **{p.name: p.cost() for p in references}})
    evaluation = Evaluation(
        model=name,
        scores=board.scores,
        skills=skills,
        metrics=[{"name": m.name, "unit": m.unit, "higher": m.higher} for m in board.metrics],
        targets=[
            {
                "name": q.name,
                "horizon_ms": q.horizon_ms,
                "horizon_steps": q.horizon_steps,
                "unit": q.unit,
                "subsets": [*q.subsets, *q.averages],
                "groups": q.groups,
            }
            for q in targets
        ],
        protocol={
            **data.split.as_dict(),
            "group": data.group_name(),
            "scored": "test",
            "test": list(data.split.test),
            "scope": data.scope(),
            "fingerprint": data.test_fingerprint(),
        },
        differences=board.differences(targets[0], name),
        suspicious=family.suspicious_score(data, config),
        ceiling_reason=ceiling.reason if isinstance(ceiling, NoCeiling) else None,
        hindsight=frozenset[str]().union(*(q.hindsight for q in targets)),
        notes=list(family.notes(data, config)),
    )
    evaluation.warnings = _warnings(evaluation)
    if figures is not None:
        with contextlib.suppress(OSError):  # whoever writes a figure says what is wrong
            figures.mkdir(parents=True, exist_ok=True)
        evaluation.exhibits = list(family.evaluate_more(trained, predictions, figures))
    return evaluation


def _warnings(evaluation: Evaluation) -> list[str]:
    warnings = []
    if evaluation.leaky:
        warnings.append(
            f"the protocol {evaluation.protocol['split']!r} lets the model use information that it could not have: these scores are too good"
        )
    if evaluation.suspected_leak:
        limit = f"{evaluation.suspicious:g}"
        warnings.append(
            f"leak suspected: {evaluation.metrics[0]['name']} {evaluation.main_score:.4g} is better than any model can be without a leak ({limit})"
        )
    if not any(s.kind == "baseline" for s in evaluation.scores):
        warnings.append("no baseline could be fitted: there is nothing to compare the score with")
    elif evaluation.skill["paired"] is not None:
        against, verdict = evaluation.skill["best_baseline"], evaluation.skill["paired"]["verdict"]
        if verdict == "worse":
            warnings.append(f"the model is worse than the baseline {against}")
        elif verdict == NOT_TOLD_APART:
            warnings.append(f"these test groups do not distinguish the model from the baseline {against}")
    groups = evaluation.targets[0]["groups"]
    if len(groups) < FEWEST_GROUPS:
        warnings.append(
            f"{len(groups)} test {evaluation.protocol['group']}{'s' if len(groups) != 1 else ''}: too few for an interval"
        )
    return warnings
