"""What a simulated session looks like: rates by neuron type, PSTHs by target location beside the true rates."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.words import counted
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data import psth
from neurocli_eirnn.data.neuron_types import COLOURS, LOCATION_COLOURS, TYPES
from neurocli_eirnn.data.session import EXCITATORY, Session
from neurocli_eirnn.data.trials import Event, event_bins

Array = NDArray[np.floating[Any]]
_ALIGNED: tuple[Event, ...] = ("target", "go")
_BEFORE_MS, _AFTER_MS, _SHOWN = 200.0, 600.0, 3


def summarise(session: Session, figures: Path | None) -> list[Exhibit]:
    """The exhibit `simulation`; its figure goes into `figures`."""
    means = _mean(session.rates, (0, 1))
    psth = _mean(session.rates if session.true_rates is None else session.true_rates, 0)
    swing = np.nan_to_num(np.nanmax(psth, axis=0) - np.nanmin(psth, axis=0))
    tuning = _location_range(session)
    rows = []
    for name, members in [*((name, session.neuron_type == kind) for name, kind in TYPES.items()), ("all", means > -1)]:
        if not members.any():
            continue
        rates = means[members]
        rows.append(
            [
                name,
                int(members.sum()),
                finite_or_none(rates.mean(), 3),
                finite_or_none(rates.min(), 3),
                finite_or_none(rates.max(), 3),
                finite_or_none(swing[members].mean(), 3),
                finite_or_none(tuning[members].mean(), 3),
            ]
        )
    columns = [
        "type",
        "neurons",
        "mean rate (sp/s)",
        "lowest rate (sp/s)",
        "highest rate (sp/s)",
        "PSTH range (sp/s)",
        "location range (sp/s)",
    ]
    note = (
        f"{counted(session.trials, 'trial')} of {np.nanmean(session.duration_ms):.0f} ms on average from fixation to reward. "
        "PSTH range: highest minus lowest bin of a neuron's mean over trials; location range: largest difference between a "
        "neuron's means of two target locations, around target or go; both averaged over neurons"
    )
    claims = {"trials": session.trials, "rate_hz": rows[-1][2], "psth_range_hz": rows[-1][5]}
    figure = None
    if figures is not None:
        figure = figures / "simulation.png"
        _draw(session, means, tuning, figure)
    return [Exhibit("simulation", "The simulated session", Table(columns, rows, note), figure, claims)]


def aligned(session: Session, rates: NDArray[np.float32], event: Event) -> tuple[Array, Array]:
    """(times [bin] in ms from the event, rates [trial, bin, neuron]); NaN where the event or the window is missing."""
    before, after = round(_BEFORE_MS / session.bin_ms), round(_AFTER_MS / session.bin_ms)
    window = np.arange(-before, after)
    return (window + 0.5) * session.bin_ms, psth.aligned(rates, event_bins(session, event), window)


def _location_range(session: Session) -> Array:
    """[neuron] in sp/s: largest difference between the mean rates of two locations, in any aligned bin; NaN for one."""
    if sum(trials.any() for trials in _locations(session)) < 2:
        return np.full(session.neurons, np.nan)
    rates = session.rates if session.true_rates is None else session.true_rates
    ranges = np.zeros(session.neurons)
    for event in _ALIGNED:
        _, windows = aligned(session, rates, event)
        by_location = np.stack([_mean(windows[trials], 0) for trials in _locations(session)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # bins that no trial reaches
            parted = np.nanmax(by_location, axis=0) - np.nanmin(by_location, axis=0)
            ranges = np.fmax(ranges, np.nanmax(parted, axis=0))
    return ranges


def _draw(session: Session, means: Array, tuning: Array, path: Path) -> None:
    """PSTHs of a few neurons by location (points; true rates as lines), the trials' mean as an image, and all rates."""
    neurons = _neurons_to_show(session, tuning)
    with saved_figure(path, nrows=3, ncols=_SHOWN, width=11.0, height=8.5) as (figure, axes):
        for row, event in enumerate(_ALIGNED):
            times, windows = aligned(session, session.rates, event)
            true = None if session.true_rates is None else aligned(session, session.true_rates, event)[1]
            for axis, neuron in zip(axes[row], neurons, strict=False):
                for location, (trials, colour) in enumerate(
                    zip(_locations(session), LOCATION_COLOURS, strict=True), start=1
                ):
                    axis.plot(times, _mean(windows[trials, :, neuron], 0), ".", ms=3, color=colour)
                    if true is not None:
                        axis.plot(
                            times, _mean(true[trials, :, neuron], 0), "-", lw=1.2, color=colour, label=f"{location}"
                        )
                axis.axvline(0, color="0.6", lw=0.8)
                letter = "E" if session.neuron_type[neuron] == EXCITATORY else "I"
                axis.set(xlabel=f"time from {event} (ms)", title=f"neuron {session.neuron_ids[neuron]} ({letter})")
            axes[row][0].set_ylabel("rate (sp/s)")
        axes[0][0].legend(title="target location", fontsize=7, title_fontsize=7)
        figure.get_layout_engine().set(w_pad=0.1)  # between a colour bar's label and the next panel's
        trial, average, histogram = axes[2]
        _image(figure, trial, session, session.rates[0] * session.bin_ms * 1e-3, "first trial", "spikes per bin")
        _image(figure, average, session, _mean(session.rates, 0), "mean over trials", "rate (sp/s)")
        edges = np.histogram_bin_edges(means, bins=15)
        for name, kind in TYPES.items():
            histogram.hist(means[session.neuron_type == kind], bins=edges, alpha=0.7, color=COLOURS[name], label=name)
        histogram.set(xlabel="mean rate (sp/s)", ylabel="neurons")
        histogram.legend()


def _image(figure: Any, axis: Any, session: Session, values: Array, title: str, unit: str) -> None:
    """An image [neuron, time] of values [time, neuron], excitatory neurons first."""
    order = np.argsort(session.neuron_type, kind="stable")
    half = session.bin_ms / 2
    extent = (session.time_ms[0] - half, session.time_ms[-1] + half, session.neurons - 0.5, -0.5)
    picture = axis.imshow(values.T[order], aspect="auto", extent=extent, cmap="viridis", interpolation="nearest")
    axis.axhline(float((session.neuron_type == EXCITATORY).sum()) - 0.5, color="w", lw=0.8)
    axis.set(xlabel="time from fixation (ms)", ylabel="neuron, E above I")
    axis.set_title(title, fontsize=9)
    figure.colorbar(picture, ax=axis, label=unit)


def _neurons_to_show(session: Session, tuning: Array) -> list[int]:
    """The neurons to show: the E and the I neuron that tell locations apart most, and one in the middle."""
    order = np.argsort(-tuning, kind="stable")
    best = [next((int(n) for n in order if session.neuron_type[n] == kind), int(order[0])) for kind in TYPES.values()]
    return [*best, int(order[len(order) // 2])]


def _locations(session: Session) -> list[NDArray[np.bool_]]:
    """Per location 1 to 4: bool [trial]."""
    labels = session.labels.get("location", np.zeros(session.trials, np.int64))
    return [labels == location for location in (1, 2, 3, 4)]


def _mean(values: Array, axes: int | tuple[int, ...]) -> Array:
    """Mean over axes without NaN; NaN where there is nothing."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(axis=axes, dtype=np.float64), known.sum(axis=axes)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
