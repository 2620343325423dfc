"""How good a prediction is when only the first part of each sequence has been seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.intervals import mean_interval, paired_means
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.colours import MODEL, UNTRAINED
from neurocli.report.figure import saved_figure
from neurocli.training.readout import SequenceNetwork, pooled
from neurocli_sequences.interpretation.probe import Probed, inputs_of

Array = NDArray[np.float64]
MOST_CASES, MOST_STEPS = 512, 200_000
_SHARES = np.linspace(0.05, 1, 20)
_MOST_WHOLE = 32
"""Steps up to which sequences of one length are read at each."""
OF_GAIN = 0.9


def seen_exhibit(network: nn.Module, untrained: nn.Module, cases: Probed, figures: Path) -> Exhibit:
    """Accuracy, or root mean square error, against the share of the sequence that was read, beside the untrained network."""
    steps = int(cases.lengths[0])
    whole = not np.ptp(cases.lengths) and steps <= _MOST_WHOLE
    shares = (np.arange(steps) + 1) / steps if whole else _SHARES
    hits, hits_before = right_at(network, cases, shares), right_at(untrained, cases, shares)
    value, value_before = score(hits, cases), score(hits_before, cases)
    trivial = trivial_score(cases)
    name = "accuracy" if cases.classes else "RMSE"
    baseline = "most frequent class" if cases.classes else "mean of the training"
    difference = paired_means(hits[-1], hits_before[-1])
    gain = value[-1] - trivial
    better = gain > 0 if cases.classes else gain < 0
    reached = np.abs(value - trivial) >= OF_GAIN * abs(gain)
    enough = (
        round(float(shares[np.argmax(reached & (np.sign(value - trivial) == np.sign(gain)))]), 4)
        if better
        else float("nan")
    )
    claims = {
        f"{name.lower()}": float(value[-1]),
        f"{name.lower()}_untrained": float(value_before[-1]),
        "trivial": trivial,
        "share_for_90_percent_of_gain": enough,
        "better_than_untrained_p": difference.p,
    }
    note = (
        f"{len(cases.numbers)} {cases.part} cases, read where the first part of each ends; {baseline}: {name} {trivial:.3g}. "
        + (
            f"{OF_GAIN:.0%} of the gain over it is reached once {enough:.0%} of the sequence was seen"
            if better
            else "There is no gain over it"
        )
        + ". The network was trained on whole sequences only"
    )
    path = figures / "seen-so-far.png"
    x = shares * (steps if whole else 100)
    with saved_figure(path, width=6.0, height=3.8) as (_, axes):
        axes.axhline(trivial, color="0.8", ls="--", lw=1, label=baseline)
        axes.plot(x, value_before, color=UNTRAINED, marker="s", ms=3, label="untrained")
        axes.plot(x, value, color=MODEL, marker="o", ms=3, label="trained")
        if cases.classes:
            ends = np.array([mean_interval(row) for row in hits])
            axes.fill_between(
                x,
                np.clip(ends[:, 0], 0, 1),
                np.clip(ends[:, 1], 0, 1),
                color=MODEL,
                alpha=0.15,
                lw=0,
                label="95 % interval",
            )
        axes.set(
            xlabel="part of the sequence that was seen (steps)" if whole else "part of the sequence that was seen (%)"
        )
        axes.set(ylabel=name if cases.classes else "RMSE (unit of the target)")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    if whole:
        columns = ["seen (steps)", f"trained {name}", f"untrained {name}"]
        first: list[Any] = [int(k) for k in np.arange(steps) + 1]
    else:
        columns = ["seen (%)", f"trained {name}", f"untrained {name}"]
        first = [round(100 * float(share)) for share in shares]
    rows = [[at, float(a), float(b)] for at, a, b in zip(first, value, value_before, strict=True)]
    return Exhibit(
        "seen-so-far", f"{name} against how much of the sequence was seen", Table(columns, rows, note), path, claims
    )


@torch.no_grad()
def right_at(network: nn.Module, cases: Probed, shares: Array) -> Array:
    """[share, case] whether the class is right (1 or 0), or the squared error in the target's unit, after a share of the sequence."""
    assert isinstance(network, SequenceNetwork)
    values = np.empty((len(shares), len(cases.numbers)))
    mean, sd = cases.dataset.scale
    truth = cases.dataset.label[cases.numbers]
    for rows in cases.batches():
        x, length = inputs_of(network, cases, rows)
        outputs = network.every_step(x)
        for k, share in enumerate(shares):
            until = torch.clamp(torch.ceil(share * length - 1e-6).long(), min=1)
            read = pooled(outputs, until, network.pooling)
            if cases.classes:
                values[k, rows] = read.argmax(1).numpy() == truth[rows]
            else:
                values[k, rows] = (read[:, 0].double().numpy() * sd + mean - truth[rows]) ** 2
    return values


def score(values: Array, cases: Probed) -> Array:
    """[share] of what `right_at` gives."""
    mean = values.mean(1)
    return mean if cases.classes else np.sqrt(mean)


def trivial_score(cases: Probed) -> float:
    """Of the most frequent class, or of the mean, of the training cases; where they are gone, of these cases."""
    fitted = cases.dataset.label[cases.dataset.numbers("train")]
    truth = cases.dataset.label[cases.numbers]
    fitted = fitted if len(fitted) else truth
    if cases.classes:
        return float((truth == np.bincount(fitted.astype(np.int64)).argmax()).mean())
    return float(np.sqrt(np.mean((truth - fitted.mean()) ** 2)))
