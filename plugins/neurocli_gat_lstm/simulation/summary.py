"""What simulated worms look like: how predictable, how correlated, and the true weights behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.simulation.network import recorded_names

Array = NDArray[np.float64]
HORIZONS = (1, 5, 10, 25)
_SHOWN, _SECONDS = 6, 300.0
_COLOURS = ("#3b6ea8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#34495e")
_CALM = "0.9"


def summarise(recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
    """The exhibit `simulation`; its figure goes into `figures`."""
    truth = recordings.truth
    counts, rows = [], []
    for group in recordings:
        worm = recordings[group]
        counts.append([worm.steps, 1e3 / worm.dt_ms, len(_identified(worm)), float((worm.events["state"] == 1).mean())])
        rows.append(_numbers(worm))
    frames, rate, identified, reverse = np.mean(counts, axis=0)
    correlation, sharing, sd, *persistence = np.nanmean(np.array(rows, dtype=float), axis=0)
    structural, weight = truth["structural"], truth["weight"]
    functional = weight != 0
    edges = {
        "edges of the connectome": int(structural.sum()),
        "silenced edges": int((structural & ~functional).sum()),
        "added edges": int((~structural).sum()),
    }
    table: list[list[Any]] = [
        ["worms", len(recordings), ""],
        ["recorded neurons", len(truth["name"]), ""],
        ["identified neurons", round(float(identified), 1), "per worm"],
        ["frames", round(float(frames)), "per worm"],
        ["frame rate", round(float(rate), 3), "Hz"],
        *([name, count, "among recorded neurons"] for name, count in edges.items()),
        ["inhibitory edges", round(float((weight[functional] < 0).mean()), 3) if functional.any() else None, "share"],
        ["reversing", round(float(reverse), 3), "share of time"],
        ["standard deviation", finite_or_none(sd, 3), "dF/F0"],
        ["correlation", finite_or_none(correlation, 3), "mean absolute r of two neurons"],
        ["first principal component", finite_or_none(sharing, 3), "share of the variance of z-scores"],
        *(
            [f"R2 of persistence, {h} frame{'s' * (h > 1)} ahead", finite_or_none(r2, 3), "z-scores"]
            for h, r2 in zip(HORIZONS, persistence, strict=True)
        ),
    ]
    note = "means over worms and over all recorded neurons; z-scores are taken over whole recordings"
    claims = {
        "worms": len(recordings),
        "edges": edges["edges of the connectome"],
        "silenced": edges["silenced edges"],
        "added": edges["added edges"],
        "persistence_r2": finite_or_none(persistence[0], 3),
        "correlation": finite_or_none(correlation, 3),
    }
    figure = None
    if figures is not None:
        figure = figures / "simulation.png"
        _draw(recordings[recordings.groups[0]], truth, figure)
    columns = ["quantity", "value", "unit"]
    return [Exhibit("simulation", "The simulated worms", Table(columns, table, note), figure, claims)]


def weight_matrix(truth: Mapping[str, NDArray[Any]]) -> Array:
    """True weights [post, pre] among the recorded neurons; 0 where there is no edge."""
    count = len(truth["name"])
    matrix = np.zeros((count, count))
    matrix[truth["post"], truth["pre"]] = truth["weight"]
    return matrix


def _numbers(worm: Recording) -> list[float]:
    """Mean absolute correlation, share of the first component, sd in dF/F0, and persistence's R2 by horizon."""
    scores = _z_scored(worm.signal)
    count = scores.shape[1]
    correlation = scores.T @ scores / len(scores)
    spectrum = np.linalg.eigvalsh(correlation)
    r2 = [1 - float(((scores[h:] - scores[:-h]) ** 2).mean()) if h < len(scores) else float("nan") for h in HORIZONS]
    between = float(np.abs(correlation[np.triu_indices(count, 1)]).mean())
    return [between, float(spectrum[-1] / spectrum.sum()), float(worm.signal.std(axis=0).mean()), *r2]


def _draw(worm: Recording, truth: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Traces of one worm over its behaviour; all its neurons; true weights; correlations beside them."""
    names = recorded_names(truth)
    matrix, command = weight_matrix(truth), truth["command"]
    order = np.argsort(-command, kind="stable")
    column = np.argsort(worm.truth["neuron"])  # of each neuron
    frames = max(2, min(worm.steps, round(_SECONDS * 1e3 / worm.dt_ms)))
    time_s = worm.events["time_s"][:frames]
    reverse = worm.events["state"][:frames] == 1
    scores = _z_scored(worm.signal)[:, column]
    with saved_figure(path, nrows=2, ncols=2, width=13.0, height=9.5) as (figure, axes):
        (traces, heat), (weights, correlations) = axes
        signal, clean = worm.signal[:frames, column], worm.truth["clean"][:frames, column]
        gap = 5 * float(np.median(worm.signal.std(axis=0)))
        shown = _shown(order, names, worm)
        for row, (neuron, colour) in enumerate(zip(shown, _COLOURS, strict=False)):
            level = -gap * row - clean[:, neuron].mean()
            traces.plot(time_s, signal[:, neuron] + level, lw=0.5, alpha=0.55, color=colour)
            traces.plot(time_s, clean[:, neuron] + level, lw=0.9, color=colour)
        low, high = traces.get_ylim()
        traces.fill_between(time_s, low, high, where=reverse, color=_CALM, lw=0, zorder=0, step="mid")
        traces.set(xlabel="time (s)", ylabel="dF/F0, shifted", ylim=(low, high), xlim=(time_s[0], time_s[-1]))
        traces.set_yticks([-gap * row for row in range(len(shown))], [names[neuron] for neuron in shown])
        traces.set_title("with measurement noise (pale) and without; grey: reversals")
        extent = (time_s[0], time_s[-1], len(names) - 0.5, -0.5)
        picture = heat.imshow(
            scores[:frames, order].T, aspect="auto", extent=extent, cmap="magma", vmin=-2, vmax=3, interpolation="none"
        )
        heat.set(
            xlabel="time (s)", ylabel="neuron, strongest reverse command on top", title="z-scores of the same worm"
        )
        figure.colorbar(picture, ax=heat)
        _square(figure, weights, matrix[np.ix_(order, order)], "true weight", "presynaptic", "postsynaptic")
        between = np.corrcoef(scores[:, order].T) - np.eye(len(names))
        _square(figure, correlations, between, "correlation", "neuron", "neuron")


def _square(figure: Any, axis: Any, matrix: Array, title: str, x: str, y: str) -> None:
    limit = float(np.quantile(np.abs(matrix[matrix != 0]), 0.98)) if (matrix != 0).any() else 1.0
    picture = axis.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="none")
    axis.set(title=title, xlabel=f"{x}, same order as above", ylabel=y)
    figure.colorbar(picture, ax=axis)


def _shown(order: NDArray[np.int64], names: tuple[str, ...], worm: Recording) -> list[int]:
    """Identified neurons to show: from both ends of the command and from its middle."""
    known = set(_identified(worm))
    candidates = [int(neuron) for neuron in order if names[neuron] in known] or [int(neuron) for neuron in order]
    places = np.unique(np.linspace(0, len(candidates) - 1, _SHOWN).round().astype(int))
    return [candidates[place] for place in places]


def _identified(worm: Recording) -> list[str]:
    return [name for name in worm.channels or [] if not name.startswith("unidentified-")]


def _z_scored(signal: NDArray[Any]) -> Array:
    values = signal.astype(np.float64)
    deviation = values.std(axis=0)
    scores: Array = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scores
