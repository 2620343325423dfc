"""Memory timescales of a model before and after its training, against the length of the sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.colours import MODEL, UNTRAINED
from neurocli.report.figure import saved_figure

Array = NDArray[np.float64]


def timescale_exhibit(tau: Array, before: Array, lengths: NDArray[np.int64], figures: Path) -> Exhibit:
    """tau, before: time constants [unit] in steps of the trained and of the untrained model; lengths: of the sequences, in steps."""
    tau, before = np.sort(np.asarray(tau, np.float64)), np.sort(np.asarray(before, np.float64))
    quantiles = (0.0, 0.25, 0.5, 0.75, 1.0)
    names = ("shortest", "first quartile", "median", "third quartile", "longest")
    rows: list[list[Any]] = [
        [name, float(np.quantile(tau, q)), float(np.quantile(before, q))]
        for name, q in zip(names, quantiles, strict=True)
    ]
    longest = int(lengths.max())
    moved = float(np.abs(np.log(tau / before)).max()) if len(tau) == len(before) else np.nan
    claims = {
        "longest_steps": float(tau[-1]),
        "longest_steps_untrained": float(before[-1]),
        "longest_in_sequences": float(tau[-1] / longest),
        "largest_change_factor": float(np.exp(moved)),
    }
    note = (
        f"{len(tau)} time constants; the longest sequence has {longest:,} steps. "
        + (
            "Training left them as they were"
            if moved < 1e-6
            else f"Sorted, they changed by a factor of {np.exp(moved):.3g} at most"
        )
        + ". How much the output depends on each is not shown here"
    )
    path = figures / "timescales-spectrum.png"
    from matplotlib.ticker import LogFormatter

    with saved_figure(path, width=6.0, height=3.8) as (_, axes):
        share = (np.arange(len(tau)) + 1) / len(tau)
        axes.step(before, share, where="post", color=UNTRAINED, lw=3, label="untrained")
        axes.step(tau, share, where="post", color=MODEL, lw=1.2, label="trained")
        for steps in dict.fromkeys((int(lengths.min()), longest)):
            axes.axvline(steps, color="0.8", ls="--", lw=1, zorder=0)
        axes.plot(
            [],
            [],
            color="0.8",
            ls="--",
            lw=1,
            label="shortest, longest sequence" if np.ptp(lengths) else "length of a sequence",
        )
        axes.set(xscale="log", xlabel="time constant (steps)", ylabel="share of units up to it", ylim=(0, 1.03))
        axes.xaxis.set_major_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.legend(fontsize=8, loc="upper left")
    columns = ["time constants", "trained (steps)", "untrained (steps)"]
    return Exhibit(
        "memory-timescales", "Memory timescales before and after training", Table(columns, rows, note), path, claims
    )
