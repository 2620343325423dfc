"""Principal components of data and model PSTHs by location, and how far their subspaces agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.nulls import NullBand
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import LOCATIONS, SessionData, psth
from neurocli_eirnn.data.trials import EVENTS
from neurocli_eirnn.evaluation.rates import LOCATION_COLOURS, SMOOTHING_MS, Array, mean, model_rates, used_rows

DIMENSIONS, CHANCE = 3, 200
_FEWEST = 4
_SOFT = 5.0  # sp/s: neurons of small range are not blown up to the size of the others


def by_location(dataset: SessionData, rates: Array, rows: NDArray[np.int64]) -> tuple[Array, list[int], list[str]]:
    """(PSTHs [event, location, window, neuron] of rates [trial, time, neuron], the locations, the events).

    Bins that no trial reaches take the last known value; locations with fewer than four trials are left out, and events that
    some location never has.
    """
    sd_bins = SMOOTHING_MS / dataset.bin_ms
    window = np.arange(-dataset.window_bins[0], dataset.window_bins[1] + 1)
    places = [p for p in range(1, LOCATIONS + 1) if (dataset.location[rows] == p).sum() >= _FEWEST]
    responses, events = [], []
    for number_, event in enumerate(EVENTS):
        onset = dataset.event_bins[rows, number_]
        members = [(dataset.location[rows] == place) & (onset >= 0) for place in places]
        if not members or not all(m.any() for m in members):
            continue
        by_place = [psth.smoothed_mean(psth.aligned(rates[m], onset[m], window), sd_bins) for m in members]
        responses.append([psth.filled_forward(response, np.isfinite(response), axis=0) for response in by_place])
        events.append(str(event))
    return np.asarray(responses, np.float64), places, events


def components(values: Array) -> tuple[Array, Array]:
    """(axes [neuron, k], share of variance [k]) of values [sample, neuron], by falling variance."""
    centred = values - values.mean(0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    total = (singular**2).sum()
    return axes.T, singular**2 / total if total > 0 else np.zeros_like(singular)


def captured(values: Array, axes: Array) -> float:
    """Variance of values [sample, neuron] along orthonormal axes [neuron, k], over the most that k axes could hold."""
    centred = values - values.mean(0)
    best = components(values)[0][:, : axes.shape[1]]
    top, held = ((centred @ best) ** 2).sum(), ((centred @ axes) ** 2).sum()
    return float(held / top) if top > 0 else float("nan")


def component_exhibit(trained: TrainedModel, figures: Path) -> Exhibit:
    """Trajectories of data and model along the data's components, and the overlap of their subspaces."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    rows = used_rows(dataset)
    observed = dataset.rates[rows].astype(np.float64)
    predicted = model_rates(trained.network, dataset, rows)
    of_data, places, events = by_location(dataset, observed, rows)
    title = "Principal components"
    if not events or len(places) < 2:
        return Exhibit("components", f"{title}: not possible, fewer than two target locations have {_FEWEST} trials")
    of_model = by_location(dataset, predicted, rows)[0]
    scale = np.ptp(of_data.reshape(-1, of_data.shape[-1]), axis=0) + _SOFT
    flat_data, flat_model = ((v / scale).reshape(-1, v.shape[-1]) for v in (of_data, of_model))
    k = min(DIMENSIONS, dataset.session.neurons - 1)
    (axes, share), (model_axes, model_share) = components(flat_data), components(flat_model)
    rng = np.random.default_rng(trained.seed)
    shape = flat_data.shape[1], k
    held = captured(flat_model, axes[:, :k])
    random = [captured(flat_model, np.linalg.qr(rng.standard_normal(shape))[0]) for _ in range(CHANCE)]
    exchanged = [captured(flat_model, axes[rng.permutation(len(axes)), :k]) for _ in range(CHANCE)]
    by_axes, by_neurons = (NullBand.of(held, np.array(nulls)) for nulls in (random, exchanged))
    shares = {
        "model's variance on the data's components": held,
        "data's variance on the model's components": captured(flat_data, model_axes[:, :k]),
        "data's variance on the components of another half of its trials": _between_halves(
            dataset, observed, rows, scale, k, rng
        ),
    }
    table_rows = [[name, finite_or_none(value), None] for name, value in shares.items()]
    for name, band in (("neurons exchanged", by_neurons), ("random axes", by_axes)):
        table_rows.append([f"by chance: {name}", finite_or_none(band.mean), band.high])
    claims = {
        "model_on_data_components": table_rows[0][1],
        "data_on_model_components": table_rows[1][1],
        "data_on_half_components": table_rows[2][1],
        "chance_neurons_exchanged": table_rows[3][1],
        "dimensions": k,
        "data_variance_share": [float(v) for v in share[:5]],
        "model_variance_share": [float(v) for v in model_share[:5]],
    }
    path = figures / "components.png"
    mean_data = flat_data.mean(0)
    paths = [((v / scale) - mean_data) @ axes[:, :2] for v in (of_data, of_model)]
    _draw(dataset, paths, places, events, share, model_share, path)
    note = (
        f"PSTHs by target location around {', '.join(events)}, smoothed by 50 ms, of {len(rows)} trials; each neuron's is divided by "
        f"its range + {_SOFT:g} sp/s. Share held: variance along the {k} axes, divided by the most that any {k} axes could hold. "
        "Noise in the data lowers the first two rows; the third, from two halves of the trials, shows by how much it may do so"
    )
    table = Table(["", "share held", "97.5 % of chance"], table_rows, note)
    return Exhibit("components", title, table, path, claims)


def _between_halves(
    dataset: SessionData, rates: Array, rows: NDArray[np.int64], scale: Array, k: int, rng: np.random.Generator
) -> float:
    """How much of one half's variance the components of the other hold; mean over random halves."""
    held = []
    for _ in range(10):
        order = rng.permutation(len(rows))
        halves = [np.sort(order[: len(rows) // 2]), np.sort(order[len(rows) // 2 :])]
        responses = [by_location(dataset, rates[half], rows[half]) for half in halves]
        if responses[0][1:] == responses[1][1:] and responses[0][2]:
            first, second = ((v[0] / scale).reshape(-1, len(scale)) for v in responses)
            held.append(captured(second, components(first)[0][:, :k]))
    return mean(held)


def _limits(trajectories: list[Array]) -> list[tuple[float, float]]:
    """(low, high) of both components over trajectories [location, window, 2], with a margin."""
    limits = []
    for axis in (0, 1):
        values = np.concatenate([t[..., axis].ravel() for t in trajectories])
        edge = 0.08 * float(np.ptp(values) or 1.0)
        limits.append((float(values.min()) - edge, float(values.max()) + edge))
    return limits


def _draw(
    dataset: SessionData,
    paths: list[Array],
    places: list[int],
    events: list[str],
    share: Array,
    model_share: Array,
    path: Path,
) -> None:
    """Data above, model below, in the data's first two components: one column per event, and the spectra."""
    before = dataset.window_bins[0]
    # Each event has its own scale, the same for data and model: after reward trajectories are far smaller than after go.
    limits = [_limits([trajectories[n] for trajectories in paths]) for n in range(len(events))]
    columns = len(events) + 1
    with saved_figure(path, nrows=2, ncols=columns, width=2.7 * columns + 1, height=5.4) as (figure, axes):
        for row, (name, trajectories) in enumerate(zip(("data", "model"), paths, strict=True)):
            for column, event in enumerate(events):
                axis = axes[row][column]
                for place, points in zip(places, trajectories[column], strict=True):
                    colour = LOCATION_COLOURS[place - 1]
                    axis.plot(points[:, 0], points[:, 1], color=colour, lw=1.4, label=f"{place}")
                    axis.plot(*points[before], "o", color=colour, ms=5)
                    axis.plot(*points[-1], ">", color=colour, ms=4)
                axis.set(xlim=limits[column][0], ylim=limits[column][1])
                axis.locator_params(nbins=5)
                axis.set_title(f"{name}, around {event}", fontsize=9)
                axis.tick_params(labelsize=8)
                if row:
                    axis.set_xlabel(f"PC 1 of the data ({share[0] * 100:.0f} %)", fontsize=8)
            axes[row][0].set_ylabel(f"PC 2 of the data ({share[1] * 100:.0f} %)", fontsize=8)
        num_shown = min(10, len(share))
        numbers = np.arange(1, num_shown + 1)
        for values, style, label in ((share, "o-", "data"), (model_share, "s--", "model")):
            axes[0][-1].plot(
                numbers,
                np.cumsum(values)[:num_shown],
                style,
                ms=4,
                color="k" if label == "data" else "0.5",
                label=label,
            )
        axes[0][-1].set(ylim=(0, 1.03))
        axes[0][-1].set_xlabel("number of components", fontsize=8)
        axes[0][-1].set_ylabel("cumulative share of variance", fontsize=8)
        axes[0][-1].set_title("each in its own components", fontsize=9)
        axes[0][-1].tick_params(labelsize=8)
        axes[0][-1].legend(fontsize=8)
        axes[1][-1].set_axis_off()
        axes[1][-1].legend(
            *axes[0][0].get_legend_handles_labels(),
            title="target location",
            loc="upper left",
            fontsize=8,
            title_fontsize=8,
        )
        axes[1][-1].text(
            0.02,
            0.25,
            f"dot: the event; arrow: the end,\n{dataset.window_bins[1] * dataset.bin_ms:g} ms after it\n"
            f"(start: {before * dataset.bin_ms:g} ms before);\neach event on its own scale",
            fontsize=8,
            transform=axes[1][-1].transAxes,
        )
        figure.suptitle("PSTHs by location in the data's principal components", fontsize=9)
