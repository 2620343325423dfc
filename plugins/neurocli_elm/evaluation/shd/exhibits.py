"""Exhibits of spoken digits: which are confused, and accuracy against the time at which the output is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurocli.evaluation.target import Prediction
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli.training.devices import device_of
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.evaluation.shd.predictions import probabilities

MOMENTS = 50
MOST_SAMPLES = 1024


def class_names(dataset: ShdData) -> list[str]:
    """What each class stands for."""
    if dataset.adding:
        return [str(n) for n in range(dataset.num_classes)]
    return [f"{language} {digit}" for language in ("English", "German") for digit in range(10)]


def confusion(trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> Exhibit:
    """Share of the samples of each class that are predicted as each class."""
    dataset = trained.dataset
    assert isinstance(dataset, ShdData)
    rows, prediction = dataset.scored_rows("test"), next(iter(predictions.values()))
    truth = np.concatenate([dataset.classes(rows[group]) for group in prediction.values])
    predicted = np.concatenate([values.argmax(1) for values in prediction.values.values()])
    n = dataset.num_classes
    table = np.bincount(truth * n + predicted, minlength=n * n).reshape(n, n)
    total, names = table.sum(1), class_names(dataset)
    share = table / np.maximum(total, 1)[:, None]
    path = figures / "confusion.png"
    with saved_figure(path, width=6.0, height=5.0) as (figure, axes):
        image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
        axes.set(xlabel="predicted", ylabel="spoken", xticks=range(n), yticks=range(n))
        axes.set_xticklabels(names, rotation=90, fontsize=7)
        axes.set_yticklabels(names, fontsize=7)
        figure.colorbar(image, label="share of the samples")
    off = np.where(np.eye(n, dtype=bool), 0, table)
    lines = []
    for k in np.flatnonzero(total):
        worst = int(off[k].argmax())
        lines.append(
            [names[k], int(total[k]), float(share[k, k]), names[worst] if off[k, worst] else "–", int(off[k, worst])]
        )
    columns = ["class", "samples", "accuracy", "most often confused with", "confused samples"]
    return Exhibit("confusion", "Confused classes", Table(columns, lines), path, {})


def evidence(trained: TrainedModel, figures: Path) -> Exhibit:
    """Accuracy when the output is read before the end, the untrained neuron beside it."""
    dataset, network = trained.dataset, trained.network
    assert isinstance(dataset, ShdData)
    part = next(part for part in ("test", "validation", "train") if dataset.split.groups(part))
    rows = np.concatenate(list(dataset.scored_rows(part).values()))
    rows = np.random.default_rng(0).permutation(rows)[:MOST_SAMPLES]
    every = max(1, dataset.num_steps // MOMENTS)
    blank = trained.untrained().to(device_of(network))
    truth = dataset.classes(rows)
    right = [
        (probabilities(m, dataset, rows, every=every).argmax(2) == truth[:, None]).mean(0) for m in (network, blank)
    ]
    step_ms = dataset.spec["delta_t"]
    time_ms = (np.arange(len(right[0])) + 1) * every * step_ms
    path = figures / "evidence.png"
    with saved_figure(path) as (_, axes):
        axes.plot(time_ms, right[0], color="#d35400", label="trained")
        axes.plot(time_ms, right[1], color="0.6", label="untrained")
        axes.axhline(1 / dataset.num_classes, color="0.3", lw=0.8, ls=":", label="chance")
        axes.set(xlabel="time of reading (ms)", ylabel="accuracy", ylim=(0, 1))
        axes.legend(fontsize=8)
    last = float(right[0][-1])
    half = float(time_ms[np.argmax(right[0] >= last / 2)])
    shown = np.unique(np.linspace(0, len(time_ms) - 1, 10).astype(int))
    lines = [[float(time_ms[k]), float(right[0][k]), float(right[1][k])] for k in shown]
    note = (
        f"accuracy when the output is read at this time; {len(rows)} {part} samples; training used the last step alone"
    )
    table = Table(["read at (ms)", "trained", "untrained"], lines, note)
    claims = {"accuracy_at_end": last, "half_of_it_at_ms": half, "untrained_at_end": float(right[1][-1])}
    what = "the sum" if dataset.adding else "a digit"
    return Exhibit("evidence", f"When {what} is recognised", table, path, claims)
