"""What spike counts leave unexplained: their dispersion about the model against that of a Poisson process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.evaluation.rates import COLOURS, TYPES, Array, letters, mean, ratio

_WINDOWS_MS = (25.0, 50.0, 100.0, 200.0, 400.0)
_Z = 1.96


def fano(counts: Array) -> Array:
    """[neuron] variance over trials by mean of counts [trial, bin, neuron], both summed over bins."""
    valid = np.isfinite(counts)
    n = valid.sum(0)
    filled = np.where(valid, counts, 0.0)
    average = filled.sum(0) / np.maximum(n, 1)
    variance = np.where(valid, (filled - average) ** 2, 0.0).sum(0) / np.maximum(n - 1, 1)
    return ratio(np.where(n > 1, variance, 0.0).sum(0), np.where(n > 1, average, 0.0).sum(0))


def dispersion(counts: Array, expected: Array) -> tuple[Array, Array]:
    """([neuron] mean squared residual by mean expectation, [neuron] its standard deviation were the counts Poisson).

    counts, expected: [trial, bin, neuron], the expectation per bin. For a Poisson count of mean m the squared residual has mean
    m and variance m + 2 m².
    """
    valid = np.isfinite(counts) & np.isfinite(expected)
    residual = np.where(valid, counts - expected, 0.0)
    m = np.where(valid, expected, 0.0)
    total = m.sum((0, 1))
    return ratio((residual**2).sum((0, 1)), total), ratio(np.sqrt((m + 2 * m**2).sum((0, 1))), total)


def in_windows(counts: Array, bins: int) -> Array:
    """Counts [trial, window, neuron] in whole windows of `bins` bins; NaN where one bin of them is."""
    n, steps, neurons = counts.shape
    whole = steps // bins
    return counts[:, : whole * bins].reshape(n, whole, bins, neurons).sum(2)


def residual_exhibit(dataset: SessionData, rates: Array, model: Array, figures: Path) -> Exhibit:
    """Dispersion of the test trials' counts, by neuron type and by the width of the counting window.

    rates, model: [trial, time, neuron] in sp/s, aligned at fixation.
    """
    per_count = dataset.bin_ms / 1000
    counts, expected = rates * per_count, model * per_count
    types = dataset.session.neuron_type
    members = {**{name: types == kind for name, kind in TYPES.items()}, "all": np.ones(len(types), bool)}
    rows: list[list[Any]] = []
    curves: dict[str, list[list[float]]] = {name: [] for name in members}
    for bins in _window_bins(dataset, counts):
        window_counts, window_expected = in_windows(counts, bins), in_windows(expected, bins)
        about_mean = fano(window_counts)
        about_model, sd = dispersion(window_counts, window_expected)
        for name, chosen in members.items():
            known = chosen & np.isfinite(about_model)
            half = _Z * float(np.sqrt((sd[known] ** 2).sum())) / max(int(known.sum()), 1)
            values = [mean(about_mean[chosen]), mean(about_model[chosen]), 1 - half, 1 + half]
            rows.append([name, bins * dataset.bin_ms, *(finite_or_none(v) for v in values)])
            curves[name].append([bins * dataset.bin_ms, *values])
    path = figures / "residuals.png"
    about_mean = fano(counts)
    about_model, sd = dispersion(counts, expected)
    _draw(dataset, about_model, sd, counts, expected, curves, path)
    columns = ["type", "window (ms)", "Fano factor", "residual variance / Poisson", "Poisson low", "Poisson high"]
    note = (
        "Fano factor: variance of spike counts over trials, divided by their mean. Residual variance: mean squared difference "
        "between count and model's prediction for the trial, divided by the mean that is expected of a Poisson process with the "
        "model's rates, so that such a process gives 1, in 95 % of cases between low and high. Higher values come from wrong rates, "
        "or from variation between trials that the model does not predict"
    )
    above = int((about_model > 1 + _Z * sd).sum())
    claims: dict[str, Any] = {
        "fano": finite_or_none(mean(about_mean)),
        "residual_dispersion": finite_or_none(mean(about_model)),
        "neurons_above_poisson": above,
        "neurons": int(np.isfinite(about_model).sum()),
    }
    return Exhibit(
        "residuals", "Spike counts compared with a Poisson process", Table(columns, rows, note), path, claims
    )


def _window_bins(dataset: SessionData, counts: Array) -> list[int]:
    """Widths in bins, each once, that fit into a trial."""
    widths = dict.fromkeys(max(1, round(ms / dataset.bin_ms)) for ms in _WINDOWS_MS)
    return [bins for bins in widths if bins <= counts.shape[1] // 2]


def _draw(
    dataset: SessionData,
    about_model: Array,
    sd: Array,
    counts: Array,
    expected: Array,
    curves: dict[str, list[list[float]]],
    path: Path,
) -> None:
    kinds = np.array(letters(dataset.session.neuron_type))
    rate = np.nanmean(counts, axis=(0, 1)) / (dataset.bin_ms / 1000)
    with saved_figure(path, ncols=3, width=10.5, height=3.3) as (_, axes):
        by_rate = np.argsort(rate)
        axes[0].fill_between(
            rate[by_rate],
            (1 - _Z * sd)[by_rate],
            (1 + _Z * sd)[by_rate],
            color="0.85",
            lw=0,
            label="Poisson, 95 %",
        )
        axes[0].axhline(1, color="0.5", lw=0.8)
        for name, colour in COLOURS.items():
            axes[0].plot(rate[kinds == name], about_model[kinds == name], "o", ms=4, color=colour, label=name)
        axes[0].set(xlabel="rate (sp/s)", ylabel="residual variance / Poisson")
        axes[0].set_title(f"each neuron, counts in {dataset.bin_ms:g} ms", fontsize=9)
        _by_prediction(axes[1], counts, expected)
        for name, colour in COLOURS.items():
            curve = np.array(curves[name])
            axes[2].plot(curve[:, 0], curve[:, 1], "o:", ms=4, color=colour, label=f"{name}: Fano factor")
            axes[2].plot(curve[:, 0], curve[:, 2], "o-", ms=4, color=colour, label=f"{name}: about the model")
            axes[2].fill_between(curve[:, 0], curve[:, 3], curve[:, 4], color=colour, alpha=0.15, lw=0)
        axes[2].axhline(1, color="0.5", lw=0.8)
        ticks = np.array(curves["all"])[:, 0]
        axes[2].set(xscale="log", xlabel="counting window (ms)", ylabel="variance / mean")
        axes[2].set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes[2].minorticks_off()
        axes[2].set_title("by counting window; bands: Poisson, 95 %", fontsize=9)
        for axis in axes:
            axis.legend(fontsize=7)
            axis.tick_params(labelsize=8)


def _by_prediction(axis: Any, counts: Array, expected: Array) -> None:
    """Residual variance of bins with like predictions, against the predicted count."""
    valid = np.isfinite(counts) & np.isfinite(expected)
    c, m = counts[valid], expected[valid]
    edges = np.unique(np.quantile(m, np.linspace(0, 1, 25)))
    place = np.clip(np.searchsorted(edges, m, side="right") - 1, 0, max(len(edges) - 2, 0))
    n = np.bincount(place)
    enough = n > 20
    predicted: NDArray[Any] = (np.bincount(place, m) / np.maximum(n, 1))[enough]
    observed = (np.bincount(place, c) / np.maximum(n, 1))[enough]
    spread = (np.bincount(place, (c - m) ** 2) / np.maximum(n, 1))[enough]
    top = max([*predicted, *spread, *observed, 1e-6]) * 1.1
    low = min([*predicted[predicted > 0], top / 2]) * 0.8
    axis.plot([low, top], [low, top], color="0.5", lw=0.8, label="Poisson")
    axis.plot(predicted, spread, "o", ms=4, color="k", label="residual variance")
    axis.plot(predicted, observed, "x", ms=5, color="tab:green", label="mean count")
    axis.set(xscale="log", yscale="log", xlabel="predicted count per bin", ylabel="observed")
    axis.set_title("all neurons, bins of similar prediction", fontsize=9)
