"""What a set of simulated runs looks like: rates, irregularity and voltages, as a table and one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.report.figure import saved_figure

_COLOURS = {"E": "#3b6ea8", "I": "#c0392b"}
_SHOWN_MS, _TRACES = 400.0, 4
_MEASURES = {
    "rate_hz": "rate (Hz)",
    "cv_isi": "CV of ISI",
    "v_mean_mv": "mean voltage (mV)",
    "v_sd_mv": "sd of voltage (mV)",
}
"""Field of `Statistics` → heading of its column."""


@dataclass(frozen=True)
class Statistics:
    """One population of one run. A CV is that of neurons with three spikes or more; NaN where there is none."""

    neurons: int
    rate_hz: float
    cv_isi: float
    v_mean_mv: float
    v_sd_mv: float
    rates_hz: NDArray[np.float64]


def statistics_of(recording: Recording, truth: Mapping[str, NDArray[Any]]) -> dict[str, Statistics]:
    """Statistics of the populations E, I and all of one run."""
    kinds = _kinds(recording, truth)
    channels = _channel_neurons(recording)
    neurons = len(kinds)
    duration_s = float(recording.labels.get("duration_ms", recording.steps * recording.dt_ms)) * 1e-3
    rates, cvs = np.full(neurons, np.nan), np.full(neurons, np.nan)
    if recording.spikes is not None:
        known_channels = recording.spikes.channel[recording.spikes.channel < neurons]
        rates = np.bincount(known_channels, minlength=neurons) / duration_s
        cvs = _interval_cvs(recording, neurons)
    statistics = {}
    for name, members in (("E", kinds == "E"), ("I", kinds == "I"), ("all", np.ones(neurons, bool))):
        v = recording.signal[:, members[channels]].astype(np.float64)
        statistics[name] = Statistics(
            neurons=int(members.sum()),
            rate_hz=_mean(rates[members]),
            cv_isi=_mean(cvs[members]),
            v_mean_mv=float(v.mean()) if v.size else float("nan"),
            v_sd_mv=float(v.std()) if v.size else float("nan"),
            rates_hz=rates[members],
        )
    return statistics


def summarise(recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
    """The exhibit `simulation`; its figure goes into `figures`."""
    runs = [statistics_of(recordings[group], recordings.truth) for group in recordings]
    if not runs:
        return []
    rows: list[Sequence[Any]] = []
    for population in ("E", "I", "all"):
        values = np.array([[getattr(run[population], name) for name in _MEASURES] for run in runs])
        pooled = [_mean(values[:, 0]), _mean(values[:, 1]), _mean(values[:, 2]), _pooled_sd(values[:, 2], values[:, 3])]
        rows.append([population, runs[0][population].neurons, *map(finite_or_none, pooled)])
    spread = values.std(axis=0, ddof=1) if len(runs) > 1 else np.full(len(_MEASURES), np.nan)
    for name, row in (
        ("sd over runs", spread),
        ("minimum over runs", values.min(axis=0)),
        ("maximum over runs", values.max(axis=0)),
    ):
        rows.append([f"all, {name}", runs[0]["all"].neurons, *map(finite_or_none, row)])
    claims = {"runs": len(runs), **{name: rows[2][2 + k] for k, name in enumerate(_MEASURES)}}
    claims["rate_hz_sd_over_runs"] = finite_or_none(spread[0])
    table = Table(
        ["population", "neurons", *_MEASURES.values()],
        rows,
        note=f"{len(runs)} runs; voltages are those of the recorded neurons",
    )
    figure = None
    if figures is not None:
        figure = figures / "simulation.png"
        rates = {kind: np.mean([run[kind].rates_hz for run in runs], axis=0) for kind in ("E", "I")}
        _draw(recordings[recordings.groups[0]], recordings, rates, figure)
    return [Exhibit("simulation", "Activity of the simulated network", table, figure, claims)]


def _draw(recording: Recording, recordings: RecordingSet, rates: dict[str, NDArray[np.float64]], path: Path) -> None:
    kinds = _kinds(recording, recordings.truth)
    parameters = recordings.meta.get("parameters") or {}
    threshold = parameters.get("threshold_mv", -50.0) if isinstance(parameters, dict) else -50.0
    length_ms = recording.steps * recording.dt_ms
    start = min(800.0, max(0.0, length_ms - _SHOWN_MS))  # past the start, where the run is long enough
    end = min(start + _SHOWN_MS, length_ms)
    with saved_figure(path, nrows=3, width=8.0, height=8.0) as (_, (raster, traces, histogram)):
        if recording.spikes is not None:
            times, neuron = recording.spikes.time_ms, recording.spikes.channel
            in_window = (times >= start) & (times < end) & (neuron < len(kinds))
            for kind, colour in _COLOURS.items():
                of_kind = in_window & (kinds[np.minimum(neuron, len(kinds) - 1)] == kind)
                raster.plot(times[of_kind], neuron[of_kind], "|", ms=3, color=colour, label=kind)
            raster.legend(loc="upper right")
        raster.set(xlim=(start, end), ylabel="neuron", title=f"Spikes of {recording.group}")
        window = slice(int(start / recording.dt_ms), int(np.ceil(end / recording.dt_ms)))
        channels_shown = np.unique(np.linspace(0, recording.num_channels - 1, _TRACES).astype(int))
        channels = _channel_neurons(recording)
        for number, channel in enumerate(channels_shown):
            kind = str(kinds[channels[channel]])
            label = (recording.channels or [])[channel] if recording.channels else str(channel)
            v = recording.signal[window, channel]
            sampled = (np.arange(len(v)) + window.start) * recording.dt_ms
            traces.plot(sampled, v, lw=0.8, alpha=1 - 0.15 * number, color=_COLOURS.get(kind), label=label)
        traces.axhline(threshold, color="0.4", ls="--", lw=0.8, label="threshold")
        traces.legend(loc="upper right", ncols=3, fontsize=7)
        traces.set(
            xlim=(start, end), xlabel="time (ms)", ylabel=f"voltage ({recording.unit})", title="Membrane voltage"
        )
        finite = np.concatenate([values[np.isfinite(values)] for values in rates.values()])
        if finite.size:
            bins = np.histogram_bin_edges(finite, bins=25)
            for kind, values in rates.items():
                histogram.hist(values, bins=bins, color=_COLOURS[kind], alpha=0.7, label=kind)
            histogram.legend()
        histogram.set(xlabel="rate (Hz)", ylabel="neurons", title="Firing rates, mean over runs")


def _kinds(recording: Recording, truth: Mapping[str, NDArray[Any]]) -> NDArray[np.str_]:
    """[neuron] E, I or N (unknown), for every neuron and not only the recorded ones."""
    if "neuron_type" in truth:
        return np.where(np.asarray(truth["neuron_type"]) == 1, "E", "I")
    neurons = int(recording.labels.get("neurons", recording.num_channels))
    kinds = np.full(max(neurons, int(_channel_neurons(recording).max()) + 1), "N")
    for name, neuron in zip(recording.channels or [], _channel_neurons(recording), strict=False):
        kinds[neuron] = name[:1]
    return kinds


def _channel_neurons(recording: Recording) -> NDArray[np.int64]:
    """[channel]: the neuron that a channel records, by its name (E012); by its place where names say nothing."""
    names = recording.channels or []
    if names and all(name[1:].isdigit() for name in names):
        return np.array([int(name[1:]) for name in names])
    return np.arange(recording.num_channels)


def _interval_cvs(recording: Recording, neurons: int) -> NDArray[np.float64]:
    """[neuron] coefficient of variation of the inter-spike intervals."""
    assert recording.spikes is not None
    order = np.argsort(recording.spikes.channel, kind="stable")
    channel, times = recording.spikes.channel[order], recording.spikes.time_ms[order]
    bounds = np.searchsorted(channel, np.arange(neurons + 1))
    cvs = np.full(neurons, np.nan)
    for k in range(neurons):
        intervals = np.diff(times[bounds[k] : bounds[k + 1]])
        if len(intervals) > 1 and intervals.mean() > 0:
            cvs[k] = intervals.std() / intervals.mean()
    return cvs


def _pooled_sd(means: NDArray[np.float64], sds: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(sds**2 + means**2) - np.mean(means) ** 2)) if len(means) else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")
