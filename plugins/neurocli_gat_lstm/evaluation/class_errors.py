"""Errors by class of neuron, with tests that take each worm once."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from neurocli.evaluation.intervals import FEWEST_FOR_P, mean_estimate, paired_means
from neurocli.evaluation.target import Target
from neurocli.evaluation.wording import why_no_p
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.evaluation.drawing import CLASS_COLOURS, CLASS_MARKERS, class_of
from neurocli_gat_lstm.evaluation.targets import CLASSES
from neurocli_gat_lstm.evaluation.worm_errors import WormErrors
from neurocli_gat_lstm.evaluation.worm_statistics import friedman_exact, holm


def class_exhibit(
    test_targets: list[Target], of_model: dict[str, WormErrors], names: list[str], figures: Path
) -> Exhibit:
    """S and MSE of sensory, inter- and motor neurons at every horizon, and whether they differ beyond worms."""
    kinds = class_of(names)
    classes = tuple(kind for kind in CLASSES if (kinds == kind).any())
    if not classes:
        return Exhibit("classes", "Error by class of neuron: no neuron is identified")
    worms = len(test_targets[0].groups)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {"worms": worms}
    for target in test_targets:
        errors = of_model[target.name]
        error_reduction = np.stack([errors.error_reduction(kinds == kind) for kind in classes], axis=1)
        p = friedman_exact(error_reduction)
        claims[f"p_friedman_h{target.horizon_steps}"] = finite_or_none(p)
        columns_of = dict(zip(classes, error_reduction.T, strict=True))
        pairs = {f"{a} - {b}": paired_means(columns_of[a], columns_of[b]) for a, b in combinations(classes, 2)}
        tested = holm({pair: test.p for pair, test in pairs.items()})
        for kind, column in zip(classes, error_reduction.T, strict=True):
            present = (errors.count[:, kinds == kind] > 0).sum(1)
            mse = mean_estimate(errors.mse(kinds == kind)).value
            estimate = mean_estimate(column, "log1m")
            claims[f"S_{kind}_h{target.horizon_steps}"] = finite_or_none(estimate.value)
            what = [
                target.name,
                kind,
                finite_or_none(present[np.isfinite(column)].mean()) if np.isfinite(column).any() else None,
                int(np.isfinite(column).sum()),
            ]
            rows.append([*what, *(finite_or_none(v) for v in estimate), finite_or_none(mse), finite_or_none(p)])
        for pair, test in pairs.items():
            what = [target.name, pair, None, test.n_groups]
            rows.append(
                [*what, *map(finite_or_none, (test.value, test.low, test.high)), None, finite_or_none(tested[pair])]
            )
    tests = (
        why_no_p(worms, "worm")
        if worms < FEWEST_FOR_P
        else "p of a class: Friedman's test over all classes, by permutation within worms; p of a difference: sign-flip test over "
        "worms, Holm-corrected within a horizon"
    )
    note = (
        "S of a class: over all its neurons within a worm, then mean over worms with 95 % jackknife interval; "
        f"{tests}. Classes also differ in how fast their neurons change, so MSE stands beside S"
    )
    columns = ["horizon", "class", "neurons per worm", "worms", "S", "low", "high", "MSE (z2)", "p"]
    path = figures / "classes.png"
    _draw(test_targets, of_model, kinds, classes, path)
    return Exhibit("classes", "Error by class of neuron", Table(columns, rows, note), path, claims)


def _draw(
    test_targets: list[Target], of_model: dict[str, WormErrors], kinds: Any, classes: tuple[str, ...], path: Path
) -> None:
    with saved_figure(path, ncols=len(test_targets), width=2.5 * len(test_targets) + 0.6, height=3.2) as (figure, axes):
        for axis, target in zip(np.atleast_1d(axes), test_targets, strict=True):
            errors = of_model[target.name]
            error_reduction = np.stack([errors.error_reduction(kinds == kind) for kind in classes], axis=1)
            axis.plot(np.arange(len(classes)), error_reduction.T, color="0.75", lw=0.8, zorder=1)
            for k, kind in enumerate(classes):
                axis.plot(
                    np.full(len(error_reduction), k),
                    error_reduction[:, k],
                    CLASS_MARKERS[kind],
                    color=CLASS_COLOURS[kind],
                    ms=5,
                    alpha=0.6,
                )
                mean, low, high = mean_estimate(error_reduction[:, k], "log1m")
                axis.plot(k + 0.2, mean, CLASS_MARKERS[kind], color=CLASS_COLOURS[kind], ms=8, mec="k")
                if np.isfinite(low):
                    axis.plot([k + 0.2, k + 0.2], [low, high], color="k", lw=1.2, zorder=1)
            axis.axhline(0, color="0.5", lw=0.8)
            axis.set_xticks(np.arange(len(classes)), classes)
            axis.set_xlim(-0.4, len(classes) - 0.4)
            axis.set_title(target.name, fontsize=9)
            axis.tick_params(labelsize=8)
        np.atleast_1d(axes)[0].set_ylabel("S: 1 − MSE / MSE of persistence")
        figure.suptitle("grey lines: single worms; framed: mean with 95 % interval over worms", fontsize=9)
