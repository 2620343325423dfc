"""Does the connectome help to forecast? What `evaluate --controls` shows of the linear path among its shuffles."""

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
EDGES = {1: "one edge a frame", 2: "two edges a frame"}


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


def wiring_exhibit(found: WiringTest, figures: Path) -> Exhibit:
    """The table, the answer in a sentence, and the distributions of the shuffles."""
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for hops in found.real:
        for k, horizon in enumerate(found.horizons):
            band = found.band(hops, horizon)
            bounds = [float(found.own[k]), band.value, band.mean, band.low, band.high, band.p]
            rows.append([EDGES[hops], horizon, *bounds, found.p_of_all(hops, horizon), float(found.full[k])])
            claims[f"p, {EDGES[hops]}, {horizon} frames ahead"] = band.p
            claims[f"p of all, {EDGES[hops]}, {horizon} frames ahead"] = found.p_of_all(hops, horizon)
    claims["verdict"] = in_a_sentence(found)
    path = figures / "wiring.png"
    _draw(found, path)
    columns = [
        "",
        "frames ahead",
        "own past",
        "connectome",
        "shuffles",
        "2.5 %",
        "97.5 %",
        "p",
        "p of all",
        "all pairs",
    ]
    return Exhibit("wiring", "Does the wiring help to forecast?", Table(columns, rows, _note(found)), path, claims)


def _note(found: WiringTest) -> str:
    count = len(next(iter(found.nulls.values())))
    shares = ", ".join(f"{EDGES[hops]}: {found.share[hops]:.0%} of all" for hops in found.real)
    return (
        f"{in_a_sentence(found)}. S of the linear path alone, mean over test worms, by the protocol of the table above. p: share of the connectome and its {count} "
        f"shuffles that forecast at least as well, one-sided, {1 / (count + 1):.2g} at least; p of all: the same, corrected for the number of tests. In a shuffle "
        f"every neuron keeps its numbers of partners, and paths of two edges reach as many pairs as in the connectome ({shares}), though not as many to each neuron"
    )


def in_a_sentence(found: WiringTest) -> str:
    """What the p-values say, in words; what is called better or worse is so after correction for the number of tests."""
    said = []
    for hops in found.real:
        better = [h for h in found.horizons if found.p_of_all(hops, h) <= LEVEL]
        behind = [h for h in found.horizons if found.p_of_all(hops, h, higher=False) <= LEVEL]
        rest = [h for h in found.horizons if h not in (*better, *behind)]
        parts = []
        if better:
            parts.append(f"better than its shuffles at {_frames(better)} ({_p(found, hops, better)})")
        if behind:
            parts.append(f"worse than its shuffles at {_frames(behind)}")
        if rest:
            parts.append(f"not told from its shuffles at {_frames(rest)} ({_p(found, hops, rest)})")
        said.append(f"{EDGES[hops]}: {', '.join(parts)}")
    tests = len(found.real) * len(found.horizons)
    return f"The connectome forecasts, with {'; with '.join(said)} (one-sided p, corrected for {tests} tests)"


def _frames(horizons: list[int]) -> str:
    return f"{', '.join(map(str, horizons))} frame{'s' if horizons != [1] else ''}"


def _p(found: WiringTest, hops: int, horizons: list[int]) -> str:
    return "p = " + ", ".join(f"{found.p_of_all(hops, h):.2g}" for h in horizons)


def _draw(found: WiringTest, path: Path) -> None:
    with saved_figure(
        path, nrows=len(found.real), ncols=len(found.horizons), width=3 * len(found.horizons), height=5
    ) as (
        figure,
        axes,
    ):
        grid = np.asarray(axes).reshape(len(found.real), len(found.horizons))
        for row, hops in enumerate(found.real):
            for k, horizon in enumerate(found.horizons):
                axis, band = grid[row, k], found.band(hops, horizon)
                axis.hist(found.nulls[hops][:, k], bins=20, color="0.75", label="shuffles")
                axis.axvline(band.value, color="#D55E00", lw=2, label="connectome")
                axis.axvline(found.own[k], color="#0072B2", ls="--", label="own past alone")
                axis.axvline(found.full[k], color="0.2", ls=":", label="all pairs")
                corrected = f"p = {band.p:.2g}, of all {found.p_of_all(hops, horizon):.2g}"
                axis.set_title(f"{horizon} frame{'s' if horizon > 1 else ''} ahead, {corrected}", fontsize=9)
                axis.set(xlabel="S", ylabel=EDGES[hops] if k == 0 else "")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), fontsize=8, ncols=4, loc="outside lower center")
