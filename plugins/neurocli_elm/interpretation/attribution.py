"""Attribution of an output spike to its input: integrated gradients from silence to the input before it, event by event.

The attributions of all events of a window add up to the spike's logit less that in silence (Sundararajan et al. 2017). The
same at steps without a spike shows what is particular to the input before a spike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.colours import EXCITATORY, INHIBITORY, UNTRAINED
from neurocli.report.figure import saved_figure
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.evenly import evenly
from neurocli_elm.data.input_distance import distance_of
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.outputs import Output
from neurocli_elm.model.probe import (
    Place,
    branch_gradients,
    branch_traces,
    event_attribution,
    events_before,
)

Array = NDArray[np.float64]
LENGTH_MS, SHOWN_MS = 500, 150
MOST_ATTRIBUTED_SPIKES = 48
POINTS = 32
_APART_MS = 50
_BANDS_MS = ((0, 5), (5, 20), (20, 50), (50, 150), (150, LENGTH_MS))
_DISTANCE_BINS = 6


@dataclass(frozen=True)
class Attribution:
    """by_lag [kind, lag]: mean over places of what excitatory and inhibitory events add to the logit; by_input [input]: the same
    of each input, events [input]: how many of its events there are at a place; logit, silent: with the input and without.
    """

    places: int
    by_lag: Array
    by_input: Array
    events: Array
    logit: float
    silent: float

    @property
    def per_event(self) -> Array:
        """[input] what one event adds, NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.events > 0, self.by_input / self.events, np.nan)

    @property
    def gap(self) -> float:
        """What the attributions miss of the difference between input and silence, as a share of it."""
        difference = self.logit - self.silent
        return float(abs(self.by_lag.sum() - difference) / max(abs(difference), 1e-12))


def spike_places(dataset: SimulationData, part: str) -> tuple[list[Place], list[Place]]:
    """Steps with an output spike, at most 48 evenly chosen ones, and as many others at least 50 ms away from any."""
    spikes: list[Place] = []
    others: list[Place] = []
    random = np.random.default_rng(0)
    for group in dataset.split.groups(part):
        recording = dataset.load(group)
        steps = np.sort(np.asarray(recording.events.get(dataset.options.event, ()), np.int64))
        first = dataset.options.burn_in_ms
        scored = steps[steps >= first]
        spikes += [(group, int(step)) for step in scored]
        free = np.ones(recording.steps, bool)
        free[:first] = False
        for step in steps:
            free[max(step - _APART_MS, 0) : step + _APART_MS + 1] = False
        candidates = np.flatnonzero(free)
        chosen = random.choice(candidates, min(max(len(scored), 1), len(candidates)), replace=False)
        others += [(group, int(step)) for step in np.sort(chosen)]
    return evenly(spikes, MOST_ATTRIBUTED_SPIKES), evenly(others, MOST_ATTRIBUTED_SPIKES)


def attribution_of(
    network: ElmNeuron, dataset: SimulationData, places: list[Place], points: int | None = None
) -> Attribution:
    """Integrated gradients of the spike's logit at each place, over the 500 ms before it; points: of the way from silence."""
    weights = network.branch_weights().detach()
    by_lag, by_input, counts = np.zeros((2, LENGTH_MS)), np.zeros(dataset.channels), np.zeros(dataset.channels)
    logit = silent = 0.0
    for first in range(0, len(places), 16):
        batch = places[first : first + 16]
        events = events_before(dataset, batch, LENGTH_MS).to(weights.device)
        branch = branch_traces(network, events)
        gradients = branch_gradients(network, branch, Output.SPIKE, points or POINTS)
        contributions = event_attribution(events, gradients, weights).cpu().double().numpy()
        step, channel = events.step.cpu().numpy(), events.channel.cpu().numpy()
        lag = LENGTH_MS - 1 - step
        kind = (~dataset.exciting[channel]).astype(np.int64)
        by_lag += np.bincount(kind * LENGTH_MS + lag, contributions, 2 * LENGTH_MS).reshape(2, LENGTH_MS)
        by_input += np.bincount(channel, contributions, dataset.channels)
        counts += np.bincount(channel, minlength=dataset.channels)
        with torch.no_grad():
            logit += float(network.output_of(branch)[-1, :, Output.SPIKE].sum())
            silent += float(network.output_of(torch.zeros_like(branch))[-1, :, Output.SPIKE].sum())
    n = max(len(places), 1)
    return Attribution(len(places), by_lag / n, by_input / n, counts / n, logit / n, silent / n)


def attribution_exhibit(
    dataset: SimulationData,
    trained: tuple[Attribution, Attribution],
    untrained: tuple[Attribution, Attribution],
    figures: Path,
) -> Exhibit:
    """By type, lag and distance of the input, at (spikes, other steps), of the trained and of the untrained network."""
    (spikes, others), blank = trained, untrained[0]
    four = (*trained, *untrained)
    rows: list[list[Any]] = []
    for kind, name in enumerate(("excitatory", "inhibitory")):
        for low, high in _BANDS_MS:
            values = [float(result.by_lag[kind, low:high].sum()) for result in four]
            rows.append([name, f"{low} to {high} ms before", *_row(values)])
    distance = distance_of(dataset)
    edges: Array | None = None
    if distance is not None:
        edges = np.quantile(distance, np.linspace(0, 1, _DISTANCE_BINS + 1)).astype(np.float64)
        for name, chosen, near, far in _places_of(dataset, distance, edges):
            values = [float(result.by_input[chosen].sum()) for result in four]
            rows.append([name, f"{near:.0f} to {far:.0f} µm", *_row(values)])
    excess = spikes.by_lag - others.by_lag
    size = np.abs(excess).sum()
    late = float(np.abs(excess[:, :50]).sum() / size) if size else None
    claims: dict[str, Any] = {
        "spikes": spikes.places,
        "logit_at_spikes": spikes.logit,
        "logit_elsewhere": others.logit,
        "excitatory_excess": float(excess[0].sum()),
        "inhibitory_excess": float(excess[1].sum()),
        "share_within_50_ms": late,
        "completeness_gap": spikes.gap,
        "untrained_excitatory_excess": float((blank.by_lag - untrained[1].by_lag)[0].sum()),
        "untrained_inhibitory_excess": float((blank.by_lag - untrained[1].by_lag)[1].sum()),
    }
    note = (
        "contributions of the input to the logit of a spike, by integrated gradients from silence (no input), summed over the inputs of a type in "
        f"a range of lags or of distances from the soma. Mean logit: {spikes.logit:.2f} at {spikes.places} output spikes of the cell, {others.logit:.2f} at "
        f"{others.places} other steps, {spikes.silent:.2f} in silence. Excess: at spikes minus at other steps. The contributions at spikes add up to "
        f"the difference from silence but for {spikes.gap:.1%}"
    )
    path = figures / "attribution.png"
    _draw(dataset, four, distance, edges, path)
    columns = [
        "input",
        "lag or distance",
        "at spikes",
        "at other steps",
        "excess",
        "untrained, at spikes",
        "untrained excess",
    ]
    return Exhibit("attribution", "Attribution of output spikes to the input", Table(columns, rows, note), path, claims)


def _row(values: list[float]) -> list[float]:
    return [*values[:2], values[0] - values[1], values[2], values[2] - values[3]]


def _places_of(
    dataset: SimulationData, distance: Array, edges: Array
) -> list[tuple[str, NDArray[np.bool_], float, float]]:
    which = np.clip(np.searchsorted(edges, distance, "right") - 1, 0, len(edges) - 2)
    return [
        (name, kind & (which == n), float(edges[n]), float(edges[n + 1]))
        for name, kind in (("excitatory", dataset.exciting), ("inhibitory", ~dataset.exciting))
        for n in range(len(edges) - 1)
    ]


def _draw(
    dataset: SimulationData,
    four: tuple[Attribution, ...],
    distance: Array | None,
    edges: Array | None,
    path: Path,
) -> None:
    spikes, others, blank, blank_others = four
    lags = -np.arange(SHOWN_MS)
    kinds = ((0, EXCITATORY, "excitatory"), (1, INHIBITORY, "inhibitory"))
    with saved_figure(path, ncols=3, width=13.5, height=4.0) as (_, (by_lag, excess, where)):
        for kind, colour, name in kinds:
            by_lag.plot(lags, spikes.by_lag[kind, :SHOWN_MS], color=colour, lw=1.8, label=name)
            by_lag.plot(
                lags, others.by_lag[kind, :SHOWN_MS], color=colour, lw=1.0, ls=":", label=f"{name}, at other steps"
            )
            by_lag.plot(lags, blank.by_lag[kind, :SHOWN_MS], color=UNTRAINED, lw=1.0, ls=("--", "-.")[kind])
            difference = (spikes.by_lag - others.by_lag)[kind, :SHOWN_MS]
            excess.plot(lags, np.cumsum(difference), color=colour, lw=1.8, label=name)
            difference = (blank.by_lag - blank_others.by_lag)[kind, :SHOWN_MS]
            excess.plot(lags, np.cumsum(difference), color=UNTRAINED, lw=1.0, ls=("--", "-.")[kind])
        for axis in (by_lag, excess):
            axis.plot([], [], color=UNTRAINED, ls="--", label="untrained")
        by_lag.set(xlabel="time from the spike (ms)", ylabel="contribution to the logit (1/ms)", title="before a spike")
        excess.set(
            xlabel="time from the spike (ms)",
            ylabel="contribution to the logit, cumulative",
            title="excess over other steps",
        )
        if distance is not None and edges is not None:
            rows = _places_of(dataset, distance, edges)
            labels = [f"{low:.0f}–{high:.0f}" for _, _, low, high in rows[: len(edges) - 1]]
            for kind, colour, name in kinds:
                values = [
                    float((spikes.by_input - others.by_input)[chosen].sum())
                    for which, chosen, *_ in rows
                    if which == name
                ]
                at = np.arange(len(labels)) + 0.4 * kind - 0.2
                where.bar(at, values, 0.38, color=colour, label=name)
                control = blank.by_input - blank_others.by_input
                values = [float(control[chosen].sum()) for which, chosen, *_ in rows if which == name]
                where.plot(
                    at, values, "s", color=UNTRAINED, mec="k", mew=0.4, ms=4, label=None if kind else "untrained"
                )
            where.set_xticks(range(len(labels)), labels, rotation=30, fontsize=8)
            where.set(xlabel="distance from soma (µm)", ylabel="contribution to the logit", title="excess, by distance")
        else:
            for _, colour, name in kinds:
                chosen = dataset.exciting == (name == "excitatory")
                where.plot(spikes.per_event[chosen], ".", color=colour, ms=4, label=name)
            where.set(xlabel="segment", ylabel="contribution to the logit per event", title="by input")
        for axis in (by_lag, excess, where):
            axis.axhline(0, color="0.7", lw=0.8, zorder=0)
            axis.legend(fontsize=8)
