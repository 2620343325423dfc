"""Which classes are taken for which."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurocli.evaluation.target import Prediction, Target
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.figure import saved_figure

MOST_NAMED = 30
"""Classes whose names are written along the axes."""


def confusion(classes: list[str], target: Target, prediction: Prediction, figures: Path) -> Exhibit:
    """Share of the cases of each class that are predicted as each class."""
    truth = np.concatenate([target.values[group].argmax(1) for group in target.groups])
    predicted = np.concatenate([prediction.values[group].argmax(1) for group in target.groups])
    n = len(classes)
    count = np.bincount(truth * n + predicted, minlength=n * n).reshape(n, n)
    total = count.sum(1)
    share = count / np.maximum(total, 1)[:, None]
    path = figures / "confusion.png"
    with saved_figure(path, width=6.0, height=5.0) as (figure, axes):
        image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
        axes.set(xlabel="predicted class", ylabel="true class")
        if n <= MOST_NAMED:
            axes.set_xticks(range(n), classes, rotation=90 if max(map(len, classes)) > 2 else 0, fontsize=7)
            axes.set_yticks(range(n), classes, fontsize=7)
        figure.colorbar(image, label="share of the cases of a class")
    off = np.where(np.eye(n, dtype=bool), 0, count)
    rows = []
    for k in np.flatnonzero(total):
        worst = int(off[k].argmax())
        confused = int(off[k, worst])
        rows.append([classes[k], int(total[k]), float(share[k, k]), classes[worst] if confused else "–", confused])
    columns = ["class", "cases", "accuracy", "most often taken for", "cases taken for it"]
    return Exhibit("confusion", "Classes taken for one another", Table(columns, rows), path, {})
