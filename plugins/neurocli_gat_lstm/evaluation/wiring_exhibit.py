"""Does the connectome help to forecast? The wiring test that `evaluate --controls` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.recordings.split import NEW_DATA
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.evaluation.shuffle_test import WiringTest, wiring_test

LEVEL = 0.05
HOP_NAMES = {1: "1 hop", 2: "2 hops"}


def wiring_exhibits(data: WormData, figures: Path) -> list[Exhibit]:
    """The linear path along the connectome, without it, over all pairs, and along matched shuffles; none for new worms."""
    new = data.split.protocol == NEW_DATA
    if (
        new
        or not data.config.evaluate.shuffles
        or not data.split.train
        or data.config.model.graph != "real"
        or not data.wiring.graph.n_edges
    ):
        return []
    return [wiring_exhibit(wiring_test(data, data.config.evaluate.shuffles), figures)]


def wiring_exhibit(test: WiringTest, figures: Path) -> Exhibit:
    """The table, the verdict in a sentence, and the distributions over shuffles."""
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for hops in test.real:
        for k, horizon in enumerate(test.horizons):
            band = test.band(hops, horizon)
            bounds = [float(test.own_past[k]), band.value, band.mean, band.low, band.high, band.p]
            rows.append([HOP_NAMES[hops], horizon, *bounds, test.corrected_p(hops, horizon), float(test.full[k])])
            claims[f"p, {HOP_NAMES[hops]}, {horizon} frames ahead"] = band.p
            claims[f"corrected p, {HOP_NAMES[hops]}, {horizon} frames ahead"] = test.corrected_p(hops, horizon)
    claims["verdict"] = in_a_sentence(test)
    path = figures / "wiring.png"
    _draw(test, path)
    columns = ["per frame", "frames ahead", "own past", "connectome", "shuffles", "2.5 %", "97.5 %"]
    columns += ["p", "corrected p", "all pairs"]
    return Exhibit("wiring", "Does the wiring help to forecast?", Table(columns, rows, _note(test)), path, claims)


def _note(test: WiringTest) -> str:
    count = len(next(iter(test.nulls.values())))
    shares = ", ".join(f"{HOP_NAMES[hops]}: {test.share[hops]:.0%} of all pairs" for hops in test.real)
    return (
        f"{in_a_sentence(test)}. S of the linear path without the network, mean over test worms: from a neuron's own past alone, along the connectome, along "
        f"shuffles (mean, 2.5 % and 97.5 % quantiles), and over all pairs of neurons. p: one-sided, the rank of the connectome among its {count} shuffles, at least "
        f"{1 / (count + 1):.2g}; corrected p: for the number of tests. In a shuffle every neuron keeps its numbers of partners; with 2 hops as many pairs are within reach "
        f"as in the connectome ({shares}), though not as many for each neuron"
    )


def in_a_sentence(test: WiringTest) -> str:
    """The verdicts in words; better and worse hold after correction for the number of tests."""
    by_hops = []
    for hops in test.real:
        better = [h for h in test.horizons if test.corrected_p(hops, h) <= LEVEL]
        behind = [h for h in test.horizons if test.corrected_p(hops, h, higher=False) <= LEVEL]
        rest = [h for h in test.horizons if h not in (*better, *behind)]
        verdicts = []
        if better:
            verdicts.append(f"better than along shuffles {_frames(better)} ahead ({_p(test, hops, better)})")
        if behind:
            verdicts.append(f"worse than along shuffles {_frames(behind)} ahead")
        if rest:
            verdicts.append(f"not told apart from shuffles {_frames(rest)} ahead ({_p(test, hops, rest)})")
        by_hops.append(f"with {HOP_NAMES[hops]} per frame: {', '.join(verdicts)}")
    tests = len(test.real) * len(test.horizons)
    return f"Forecasts along the connectome, {'; '.join(by_hops)} (one-sided p, corrected for {tests} tests)"


def _frames(horizons: list[int]) -> str:
    return f"{', '.join(map(str, horizons))} frame{'s' if horizons != [1] else ''}"


def _p(test: WiringTest, hops: int, horizons: list[int]) -> str:
    return "p = " + ", ".join(f"{test.corrected_p(hops, h):.2g}" for h in horizons)


def _draw(test: WiringTest, path: Path) -> None:
    with saved_figure(path, nrows=len(test.real), ncols=len(test.horizons), width=3 * len(test.horizons), height=5) as (
        figure,
        axes,
    ):
        grid = np.asarray(axes).reshape(len(test.real), len(test.horizons))
        for row, hops in enumerate(test.real):
            for k, horizon in enumerate(test.horizons):
                axis, band = grid[row, k], test.band(hops, horizon)
                axis.hist(test.nulls[hops][:, k], bins=20, color="0.75", label="shuffles")
                axis.axvline(band.value, color="#D55E00", lw=2, label="connectome")
                axis.axvline(test.own_past[k], color="#0072B2", ls="--", label="own past alone")
                axis.axvline(test.full[k], color="0.2", ls=":", label="all pairs")
                corrected = f"p = {band.p:.2g}, corrected {test.corrected_p(hops, horizon):.2g}"
                axis.set_title(f"{horizon} frame{'s' if horizon > 1 else ''} ahead, {corrected}", fontsize=9)
                axis.set(xlabel="S", ylabel=HOP_NAMES[hops] if k == 0 else "")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), fontsize=8, ncols=4, loc="outside lower center")
