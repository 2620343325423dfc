"""Traces of six neurons, recorded and forecast: the rule that chooses them, and the figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Prediction, Target
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.series import UNIDENTIFIED, WormSeries
from neurocli_gat_lstm.evaluation.drawing import CLASS_COLOURS, DATA, class_of
from neurocli_gat_lstm.evaluation.targets import CLASSES

NEURONS = 6
SECONDS = 150.0
FANS = 6
NEAR, FAR, FAN = "#D55E00", "#0072B2", "#009E73"


def shown_worm(data: WormData, groups: list[str]) -> str:
    """The worm with the most identified neurons."""
    return max(groups, key=lambda g: sum(not n.startswith(UNIDENTIFIED) for n in data.worms[g].names))


def shown_neurons(worm: WormSeries) -> list[int]:
    """Columns of six neurons: of every class those that vary most in the recording's unit, two of each where there are."""
    kinds = class_of(worm.names)
    # Only the recording's own unit tells strong neurons from weak ones; z-scores all vary by one.
    order = [int(k) for k in np.argsort(-worm.score_sd, kind="stable") if not worm.names[k].startswith(UNIDENTIFIED)]
    chosen = [k for kind in CLASSES for k in [k for k in order if kinds[k] == kind][: NEURONS // len(CLASSES)]]
    chosen += [k for k in order if k not in chosen]
    return chosen[:NEURONS]


def stretch(worm: WormSeries, columns: list[int], seconds: float = SECONDS) -> tuple[int, int]:
    """[start, stop) frames of that length, inside one segment, in which these neurons vary most."""
    start, stop = max(worm.segments, key=lambda segment: segment[1] - segment[0])
    length = min(stop - start, max(2, round(seconds * 1e3 / worm.dt_ms)))
    starts = np.arange(start, stop - length + 1, max(1, length // 4))
    z = worm.scored(worm.signal)[:, columns]
    spread = [float(z[s : s + length].var(0).mean()) for s in starts]
    best = int(starts[int(np.argmax(spread))])
    return best, best + length


def prediction_traces(
    data: WormData, test_targets: list[Target], predictions: dict[str, Prediction], names: list[str], figures: Path
) -> list[Exhibit]:
    """Recorded traces, the forecasts that were scored at a near and a far horizon, and rollouts from a few origins."""
    group = shown_worm(data, test_targets[0].groups)
    worm = data.worms[group]
    columns = shown_neurons(worm)
    if not columns:
        return [Exhibit("traces", f"Traces: not drawn, no neuron of {group} is identified")]
    first, last = stretch(worm, columns)
    place = {name: k for k, name in enumerate(names)}
    channel = [place[worm.names[k]] for k in columns]
    near, far = test_targets[0], _tenth(test_targets)
    origins = data.frames_of(group, test_targets[0].origins[group])
    predicted = {
        q.name: q.as_scored(group, np.asarray(predictions[q.name].values[group], np.float64)) for q in test_targets
    }
    z = worm.scored(worm.signal)
    path = figures / "traces.png"
    seconds = worm.dt_ms / 1e3
    ordered = sorted(test_targets, key=lambda q: q.horizon_steps)
    handles = [
        (NEAR, f"forecast {near.name} ahead"),
        (FAR, f"forecast {far.name} ahead"),
        (FAN, f"rollouts, at {', '.join(str(q.horizon_steps) for q in ordered)} steps"),
    ]
    with _panels(worm, columns, first, last, path, handles) as panels:
        for axis, column, c in zip(panels, columns, channel, strict=True):
            for target, colour in {near.name: (near, NEAR), far.name: (far, FAR)}.values():
                at = origins + target.horizon_steps
                seen = (at >= first) & (at < last)
                forecast = predicted[target.name][seen, c]
                axis.plot((at[seen] - first) * seconds, forecast, ".", color=colour, ms=3, alpha=0.9)
            for k in _some(np.flatnonzero((origins >= first) & (origins + ordered[-1].horizon_steps < last))):
                steps = np.array([0, *(q.horizon_steps for q in ordered)])
                values = [z[origins[k], column], *(predicted[q.name][k, c] for q in ordered)]
                axis.plot((origins[k] + steps - first) * seconds, values, ".-", color=FAN, lw=1.1, ms=4)
    rows: list[list[Any]] = []
    for column, c in zip(columns, channel, strict=True):
        row: list[Any] = [worm.names[column], str(class_of([worm.names[column]])[0]), float(worm.score_sd[column])]
        for target in test_targets:
            row.append(finite_or_none(_reduction(target, predictions[target.name], group, c)))
        rows.append(row)
    unit = data.recordings[group].unit or "a.u."
    table = Table(
        ["neuron", "class", f"sd ({unit})", *(f"S h{q.horizon_steps}" for q in test_targets)],
        rows,
        f"of each class the neurons that vary most, in worm {group}",
    )
    return [Exhibit("traces", "Traces of six neurons", table, path, {"worm": group, "neurons": [r[0] for r in rows]})]


def _tenth(test_targets: list[Target]) -> Target:
    """The target nearest to ten steps ahead."""
    return min(test_targets, key=lambda q: abs(q.horizon_steps - 10))


def _reduction(target: Target, prediction: Prediction, group: str, channel: int) -> float:
    assert target.now is not None
    observed = np.asarray(target.values[group][:, channel], np.float64)
    error, change = (np.nansum((observed - v[group][:, channel]) ** 2) for v in (prediction.values, target.now))
    return 1 - error / change if change > 0 else np.nan


def _recorded(axis: Any, worm: WormSeries, column: int, first: int, last: int) -> None:
    kind = str(class_of([worm.names[column]])[0])
    time = np.arange(last - first) * worm.dt_ms / 1e3
    recorded = np.where(worm.known[first:last], worm.scored(worm.signal[first:last]), np.nan)
    axis.plot(time, recorded[:, column], color=DATA, lw=0.9)
    axis.set_title(f"{worm.names[column]} ({kind})", fontsize=8, loc="left", color=CLASS_COLOURS[kind], pad=2)
    axis.set_xlim(0, time[-1])
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)


@contextmanager
def _panels(
    worm: WormSeries,
    columns: list[int],
    first: int,
    last: int,
    path: Path,
    handles: list[tuple[str, str]],
    remark: str = "",
) -> Iterator[list[Any]]:
    """One axis for each neuron, with what was recorded of it, to draw forecasts on; handles: (colour, what is drawn in it)."""
    from matplotlib.lines import Line2D

    with saved_figure(path, nrows=len(columns), width=10, height=1.25 * len(columns) + 1.2) as (figure, axes):
        panels = list(np.atleast_1d(axes))
        for axis, column in zip(panels, columns, strict=True):
            _recorded(axis, worm, column, first, last)
        yield panels
        panels[-1].set_xlabel(f"time from frame {first} (s)")
        figure.supylabel("activity (z)", fontsize=9)
        lines = [Line2D([], [], color=colour, label=label) for colour, label in [(DATA, "recorded"), *handles]]
        figure.legend(handles=lines, fontsize=8, ncols=4, loc="outside lower center")
        figure.suptitle(f"{worm.group}: of each class the neurons that vary most{remark}", fontsize=9)


def _some(origins: NDArray[np.int64]) -> NDArray[np.int64]:
    """A few of the origins, evenly spread, from which rollouts are drawn."""
    return origins[np.unique(np.linspace(0, len(origins) - 1, min(FANS, len(origins))).astype(int))]


def spread_traces(
    worm: WormSeries,
    columns: list[int],
    first: int,
    last: int,
    origins: NDArray[np.int64],
    by_network: list[dict[int, NDArray[Any]]],
    path: Path,
) -> None:
    """Recorded traces and forecasts one and ten steps ahead of several networks: their mean, and lowest to highest.

    each: network → horizon → [origin, neuron] in the unit of scores, with all horizons up to the longest for the fans.
    """
    horizons = sorted(by_network[0])
    near, far = horizons[0], min(horizons, key=lambda h: abs(h - 10))
    seconds = worm.dt_ms / 1e3
    handles = [
        (NEAR, f"{near} step ahead"),
        (FAR, f"{far} steps ahead"),
        (FAN, f"rollouts of {horizons[-1]} steps"),
    ]
    band = (
        f"bands: lowest to highest of {len(by_network)} networks"
        if len(by_network) > 1
        else "a single network, no band"
    )
    with _panels(worm, columns, first, last, path, handles, f"; {band}") as panels:
        for axis, column in zip(panels, columns, strict=True):
            for horizon, colour in {near: NEAR, far: FAR}.items():
                values = np.stack([network[horizon][:, column] for network in by_network])
                inside = origins + horizon < last
                time = (origins[inside] + horizon - first) * seconds
                _line_with_band(axis, time, values[:, inside], colour, 1.0)
            for k in _some(np.flatnonzero(origins + horizons[-1] < last)):
                values = np.stack([[network[h][k, column] for h in horizons] for network in by_network])
                _line_with_band(axis, (origins[k] + np.array(horizons) - first) * seconds, values, FAN, 1.2)


def _line_with_band(axis: Any, time: NDArray[Any], values: NDArray[Any], colour: str, width: float) -> None:
    """The mean of values [network, time], and lowest to highest where there are several networks."""
    axis.plot(time, values.mean(0), color=colour, lw=width)
    if len(values) > 1:
        axis.fill_between(time, values.min(0), values.max(0), color=colour, alpha=0.3, lw=0)
