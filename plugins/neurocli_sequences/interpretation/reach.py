"""How far back the prediction depends on the input: the gradient against the lag from the end of the sequence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.intervals import mean_estimate, paired_means
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.colours import MODEL, UNTRAINED
from neurocli.report.figure import saved_figure
from neurocli_sequences.interpretation.probe import Probed, gradient_by_step

Array = NDArray[np.float64]
SHARE = 0.9
FLAT = 0.05
"""Smallest gradient, relative to the largest, above which the axis is linear."""
_ROWS = 12


def reach_exhibit(network: nn.Module, untrained: nn.Module, cases: Probed, figures: Path) -> Exhibit:
    """Mean gradient by lag of the trained and the untrained network, and the lag within which 90 % of it lies."""
    norms, before = gradient_by_step(network, cases), gradient_by_step(untrained, cases)
    curve, curve_before = by_lag(norms), by_lag(before)
    reach, reach_before = lags_within(norms), lags_within(before)
    estimate, estimate_before = mean_estimate(reach), mean_estimate(reach_before)
    difference = paired_means(reach, reach_before)
    uniform = float(np.mean(lags_within([np.ones(n) for n in cases.lengths])))
    lags = np.unique(np.geomspace(1, len(curve), min(_ROWS, len(curve))).round().astype(int)) - 1
    rows: list[list[Any]] = [[int(lag), _of(curve, lag), _of(curve_before, lag)] for lag in lags]
    claims = {
        "lag_90_steps": estimate.value,
        "lag_90_steps_low": estimate.low,
        "lag_90_steps_high": estimate.high,
        "lag_90_steps_untrained": estimate_before.value,
        "lag_90_steps_if_even": uniform,
        "more_than_untrained_steps": difference.value,
        "more_than_untrained_p": difference.p,
    }
    what = "log-probability of the true class" if cases.classes else "predicted number"
    note = (
        f"norm of the gradient of the {what} by the input of a step, mean over {len(norms)} {cases.part} cases, relative to its largest "
        f"value; lag 0 is the last step. For a case, {SHARE:.0%} of it lies within {estimate.value:.3g} steps of the end on average "
        f"(untrained {estimate_before.value:.3g}; {uniform:.3g} if all steps counted the same). A gradient tells of small changes of the "
        "input, not of what would be missed without it"
    )
    path = figures / "gradient-against-lag.png"
    with saved_figure(path, width=6.0, height=3.8) as (_, axes):
        for values, at, colour, label in (
            (curve_before, estimate_before.value, UNTRAINED, "untrained"),
            (curve, estimate.value, MODEL, "trained"),
        ):
            lag = np.arange(len(values))
            axes.plot(
                lag,
                values / max(values.max(), 1e-300),
                color=colour,
                lw=1.5,
                label=label,
                marker="o" if len(lag) < 40 else None,
                ms=3,
            )
            axes.axvline(at, color=colour, ls="--", lw=1)
        axes.plot([], [], color="0.3", ls="--", lw=1, label=f"{SHARE:.0%} of it lies to the left")
        axes.set(xlabel="lag from the end of the sequence (steps)", ylabel="gradient (relative to its largest)")
        low = min(_smallest(curve), _smallest(curve_before))
        if low < FLAT:
            axes.set(yscale="log", ylim=(max(low / 2, 1e-8), 2))
        else:
            axes.set_ylim(0, 1.08)
        axes.legend(fontsize=8)
    columns = ["lag (steps)", "trained (relative)", "untrained (relative)"]
    return Exhibit(
        "gradient-against-lag",
        "How far back the prediction depends on the input",
        Table(columns, rows, note),
        path,
        claims,
    )


def by_lag(norms: Sequence[Array]) -> Array:
    """Mean [lag] over the cases that are so long."""
    longest = max(map(len, norms))
    total, count = np.zeros(longest), np.zeros(longest)
    for norm in norms:
        total[: len(norm)] += norm[::-1]
        count[: len(norm)] += 1
    return total / count


def lags_within(norms: Sequence[Array]) -> Array:
    """[case] number of steps before the last within which 90 % of the summed gradient lies; NaN where there is none."""
    lags = []
    for norm in norms:
        summed = np.cumsum(norm[::-1])
        lags.append(float(np.searchsorted(summed, SHARE * summed[-1])) if summed[-1] > 0 else np.nan)
    return np.array(lags)


def _of(curve: Array, lag: int) -> float:
    return float(curve[lag] / max(curve.max(), 1e-300))


def _smallest(curve: Array) -> float:
    positive = curve[curve > 0]
    return float(positive.min() / curve.max()) if len(positive) else 1.0
