"""The checks that any trained model shares: did it train, did it converge, does it generalise, is it better than trivial."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged

if TYPE_CHECKING:
    from neurocli.evaluation.evaluate import Evaluation
    from neurocli.plugin.family import TrainedModel

LARGEST_GAP = 2.0
"""Validation loss over training loss at the best epoch, above which a model overfits its training groups."""
STILL_FALLING = 0.02


def check_trained(
    trained: TrainedModel, evaluation: Evaluation | None = None, *, validation_is_loss: bool = True
) -> list[Finding]:
    """All shared checks of a trained model; those of scores only where an evaluation is given.

    validation_is_loss: as the model's family says.
    """
    return [
        *check_history(trained.history, validation_is_loss=validation_is_loss),
        *check_weights(trained),
        *check_split(trained),
        *(check_scores(evaluation) if evaluation else []),
    ]


def check_history(history: list[dict[str, float]], *, validation_is_loss: bool = True) -> list[Finding]:
    """Non-finite losses and gradients, the gap between training and validation, and convergence.

    history: one row per epoch with train_loss, validation_loss and what else was logged. Where the two are different
    quantities there is no gap between them.
    """
    if not history:
        return [
            Finding(
                "history",
                "training",
                WARN,
                0,
                "≥ 1 epoch",
                "the run has no finished epoch: resume the training with --resume",
            )
        ]
    bad = sorted({key for row in history for key, value in row.items() if _is_watched(key) and not _finite(value)})
    findings = [
        Finding.graded(
            "finite-loss",
            "training",
            ", ".join(bad) if bad else "all finite",
            "all finite",
            "lower train.learning_rate, or set train.gradient_clip",
            fail=bad,
        )
    ]
    rows = [row for row in history if _finite(row.get("validation_loss"))]
    if rows:
        best = min(range(len(rows)), key=lambda n: rows[n]["validation_loss"])
        findings += [*(_gap(rows[best]) if validation_is_loss else []), _converged(rows, best)]
    return findings


def _gap(best: dict[str, float]) -> list[Finding]:
    train, validation = best.get("train_loss"), best["validation_loss"]
    if not _finite(train) or train <= 0 or validation <= 0:  # type: ignore[operator]  # a likelihood may be negative: no ratio
        return []
    advice = "the model overfits its training groups: use more groups, dropout, weight decay or a smaller model"
    return [judged("train-validation-gap", "training", validation / train, warn=LARGEST_GAP, advice=advice)]  # type: ignore[operator]


def _converged(rows: list[dict[str, float]], best: int) -> Finding:
    """WARN where the best epoch is the last one and the validation loss was still falling."""
    last = best == len(rows) - 1
    earlier = rows[max(0, len(rows) - 1 - max(1, len(rows) // 10))]["validation_loss"]
    falling = (earlier - rows[best]["validation_loss"]) / max(abs(earlier), 1e-12)
    still = len(rows) == 1 or (last and falling > STILL_FALLING)
    return Finding.graded(
        "converged",
        "training",
        f"best epoch {best + 1} of {len(rows)}",
        f"validation loss falls by < {STILL_FALLING:.0%} at the end",
        "train for more epochs (train.epochs): the validation loss was still falling",
        warn=still,
    )


def check_weights(trained: TrainedModel) -> list[Finding]:
    """Every weight is a finite number."""
    bad = [
        name
        for name, value in trained.network.state_dict().items()
        if value.is_floating_point() and not bool(value.isfinite().all())
    ]
    advice = f"{bad[0]} is not finite: train again" if bad else ""
    return [Finding.graded("finite-weights", "model", len(bad), "0", advice, fail=bad)]


def check_split(trained: TrainedModel) -> list[Finding]:
    """The split lets no test data into training, and leaves enough groups to say something."""
    split = trained.dataset.split
    n = len(split.test)
    return [
        Finding.graded(
            "split",
            "data",
            split.protocol,
            "by group",
            "test data are used in training, so the scores of this run do not hold for new recordings: split by group",
            fail=split.leaky,
        ),
        judged(
            "test-groups",
            "data",
            n,
            warn=3,
            low=True,
            advice="use more independent groups: with fewer than three there is no interval",
        ),
    ]


_ADVICE = {
    "worse": "the baseline is better: train longer or on more groups, or use the baseline",
    "not told apart": "these test groups do not distinguish the model from the baseline: use more of them",
}


def check_scores(evaluation: Evaluation) -> list[Finding]:
    """The model is better than its best baseline by more than the interval of the difference, and not better than it can be."""
    findings = []
    metric, skill = evaluation.metrics[0], evaluation.skill
    model, baseline = skill["model"], skill["baseline"]
    if model is None:
        findings.append(
            Finding(
                "score",
                "test",
                FAIL,
                None,
                "a number",
                "the model's predictions are not finite numbers: train again with a lower train.learning_rate",
            )
        )
    elif baseline is not None:
        difference = skill["paired"]
        verdict = {"better": PASS, "worse": FAIL}.get(difference["verdict"], WARN)
        sign = ">" if metric["higher"] else "<"
        findings.append(
            Finding(
                "better-than-baseline",
                "test",
                verdict,
                difference["value"] if difference["low"] is None else _in_words(difference),
                f"model minus {skill['best_baseline']}: 95 % interval {sign} 0, and p ≤ .05 if there is a p",
                "" if verdict == PASS else _ADVICE.get(difference["verdict"], _too_few(difference)),
            )
        )
    if baseline is not None and skill["ceiling"] is not None:
        findings.append(_ceiling(skill, metric["higher"]))
    if evaluation.suspicious is not None and model is not None:
        suspected = evaluation.suspected_leak
        findings.append(
            Finding.graded(
                "suspicious-score",
                "test",
                model,
                f"{'≤' if metric['higher'] else '≥'} {evaluation.suspicious:.4g}",
                "a leak is suspected: look for test data in training (runs with the same seed, overlapping windows)",
                fail=suspected,
            )
        )
    return findings


def _ceiling(skill: dict[str, Any], higher: bool) -> Finding:
    """The ceiling lies above the best baseline: no baseline can be better than what a perfect model reaches."""
    above = skill["ceiling"] > skill["baseline"] if higher else skill["ceiling"] < skill["baseline"]
    return Finding.graded(
        "ceiling-above-baselines",
        "test",
        skill["ceiling"],
        f"{'>' if higher else '<'} {skill['baseline']:.4g} ({skill['best_baseline']})",
        "these test groups are too few or too noisy for this ceiling: use more groups, and do not quote it",
        warn=not above,
    )


def _too_few(difference: dict[str, Any]) -> str:
    """What to do where there is no interval."""
    return f"use more test groups: {difference.get('reason') or 'there is no interval'}"


def _in_words(difference: dict[str, float]) -> str:
    """`0.012 [0.003, 0.021]`"""
    return f"{difference['value']:.3g} [{difference['low']:.3g}, {difference['high']:.3g}]"


def _is_watched(key: str) -> bool:
    return "loss" in key or "grad" in key


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
