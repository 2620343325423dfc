"""Predicted against true numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurocli.evaluation.target import Prediction, Target
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.figure import saved_figure

MOST_ROWS = 20


def scatter(target: Target, prediction: Prediction, figures: Path) -> Exhibit:
    """Every test case, and a table of those with the largest errors."""
    truth = np.array([float(target.values[group][0, 0]) for group in target.groups])
    predicted = np.array([float(prediction.values[group][0, 0]) for group in target.groups])
    error = predicted - truth
    path = figures / "predicted.png"
    with saved_figure(path, width=4.5, height=4.2) as (_, axes):
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        axes.plot(ends, ends, color="0.6", lw=0.8)
        axes.plot(truth, predicted, "o", ms=4, color="#009E73", alpha=0.7)
        axes.set(xlabel="true target", ylabel="predicted target")
    worst = np.argsort(-np.abs(error), kind="stable")[:MOST_ROWS]
    rows = [[target.groups[k], float(truth[k]), float(predicted[k]), float(error[k])] for k in worst]
    table = Table(["case", "true", "predicted", "error"], rows, "the cases with the largest errors")
    return Exhibit("predicted", "Predicted against true targets", table, path, {})
