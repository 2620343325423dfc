"""Responses around target, go and reward as a figure: both types of neurons, and the neuron that location moves most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import LOCATIONS, SessionData, psth
from neurocli_eirnn.evaluation.ceiling import aligned_rates
from neurocli_eirnn.evaluation.rates import (
    COLOURS,
    EVENT_NAMES,
    LOCATION_COLOURS,
    SMOOTHING_MS,
    TYPES,
    Array,
    letters,
    ratio,
    used_rows,
)

if TYPE_CHECKING:
    from neurocli_eirnn.evaluation.compared import Compared

_ROOM = 1.25
"""Room above the curves for the legends."""


def draw_events(dataset: SessionData, responses: dict[str, Compared], path: Path) -> None:
    """Mean of E and of I neurons, and below the neuron whose rate depends most on location, by location."""
    events = [event for event in EVENT_NAMES if f"{event}-aligned" in responses]
    before, after = dataset.window_bins
    time = np.arange(-before, after + 1) * dataset.bin_ms
    neuron, tuned = _most_tuned(dataset, events)
    height = 4.6 if tuned else 2.8
    with saved_figure(path, nrows=1 + tuned, ncols=len(events), width=max(3.1 * len(events), 6), height=height) as (
        figure,
        axes,
    ):
        grid = np.asarray(axes, object).reshape(1 + tuned, len(events))
        for column, event in enumerate(events):
            response = responses[f"{event}-aligned"]
            for name, number_ in TYPES.items():
                members = dataset.session.neuron_type == number_
                pooled, model = (v[:, :, members].mean(2, keepdims=True) for v in (response.data, response.model))
                _line(grid[0][column], dataset, time, pooled, model, COLOURS[name], f"{name} neurons")
            if tuned:
                places = _locations_of(dataset, f"{event}-aligned")
                for place in range(1, LOCATIONS + 1):
                    if (places == place).sum() >= 2:
                        curves = [v[places == place][:, :, [neuron]] for v in (response.data, response.model)]
                        _line(
                            grid[1][column],
                            dataset,
                            time,
                            curves[0],
                            curves[1],
                            LOCATION_COLOURS[place - 1],
                            f"{place}",
                        )
            for axis in grid[:, column]:
                axis.axvline(0, color="0.8", lw=0.8, zorder=0)
                axis.set_ylim(bottom=0)
                axis.tick_params(labelsize=8)
            grid[0][column].set_title(f"{event}: {len(response.data)} trials", fontsize=9)
            grid[-1][column].set_xlabel(f"time from {event} (ms)", fontsize=9)
        for row in grid:  # one scale per row, or the eye compares nothing
            top = max(axis.get_ylim()[1] for axis in row)
            for axis in row:
                axis.set_ylim(0, _ROOM * top)
        grid[0][0].set_ylabel("mean rate (sp/s)", fontsize=9)
        grid[0][-1].legend(*grid[0][0].get_legend_handles_labels(), fontsize=7, loc="upper right")
        if tuned:
            kind = letters(dataset.session.neuron_type)[neuron]
            grid[1][0].set_ylabel(f"{kind} {dataset.session.neuron_ids[neuron]}: rate (sp/s)", fontsize=9)
            handles = grid[1][0].get_legend_handles_labels()
            grid[1][-1].legend(
                *handles, title="target location", title_fontsize=7, fontsize=7, ncols=2, loc="upper right"
            )
        figure.suptitle("test trials, smoothed by 50 ms; solid: data ± SE, dashed: model", fontsize=9)


def _line(
    axis: Any, dataset: SessionData, time: NDArray[Any], rates: Array, model: Array, colour: str, label: str
) -> None:
    """A PSTH of data [trial, time, 1] with its standard error, and the model's."""
    sd_bins = SMOOTHING_MS / dataset.bin_ms
    middle, band = psth.smoothed_mean(rates, sd_bins)[:, 0], psth.standard_error(rates, sd_bins)[:, 0]
    axis.fill_between(time, middle - band, middle + band, color=colour, alpha=0.2, lw=0)
    axis.plot(time, middle, color=colour, lw=1.3, label=label)
    axis.plot(time, psth.smoothed_mean(model, sd_bins)[:, 0], color=colour, lw=1.3, ls=(0, (4, 1.5)))


def _locations_of(dataset: SessionData, name: str) -> NDArray[np.int64]:
    """[trial] locations of the test trials that a target takes."""
    rows = dataset.rows(list(dataset.split.test))
    event = EVENT_NAMES.index(name.removesuffix("-aligned"))
    return dataset.location[rows[dataset.event_bins[rows, event] >= 0]]


def _most_tuned(dataset: SessionData, events: list[str]) -> tuple[int, bool]:
    """The neuron whose PSTHs by location differ most, and whether there are locations to differ between.

    Chosen on all trials that are used, by the sd between locations over the square root of the mean: noise of counts grows
    like that, so that a neuron of high rate does not win by its noise.
    """
    rows = used_rows(dataset)
    places = [place for place in range(1, LOCATIONS + 1) if (dataset.location[rows] == place).sum() >= 2]
    if len(places) < 2:
        return 0, False
    spread = np.zeros(dataset.session.neurons)
    for event in events:
        by_place = [
            psth.smoothed_mean(
                aligned_rates(dataset, f"{event}-aligned", rows[dataset.location[rows] == place]),
                SMOOTHING_MS / dataset.bin_ms,
            )
            for place in places
        ]
        spread += np.nan_to_num(np.nanmean(np.std(by_place, axis=0), axis=0))
    rate = np.nanmean(dataset.rates[rows], axis=(0, 1))
    return int(np.argmax(np.nan_to_num(ratio(spread, np.sqrt(rate))))), True
