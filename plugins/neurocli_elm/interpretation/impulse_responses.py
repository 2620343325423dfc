"""Response of the soma to one input event: weights and impulse responses of the branches of an ELM neuron."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.colours import EXCITATORY, INHIBITORY, UNTRAINED
from neurocli.report.figure import saved_figure
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.input_distance import distance_of
from neurocli_elm.data.windows import SOMA_SCALE_MV
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.outputs import Output
from neurocli_elm.model.probe import branch_gradients, branch_traces, some_windows

Array = NDArray[np.float64]
LENGTH_MS, SHOWN_MS = 400, 120
WINDOWS = 48


@dataclass(frozen=True)
class Kernels:
    """weights [input, branch]; unit [lag, branch]: mV at the soma for what adds 1 to a branch `lag` ms before, the mean over
    working states; sign [input].
    """

    weights: Array
    unit: Array
    sign: Array

    @property
    def of_input(self) -> Array:
        """[lag, input] mV at the soma after one event of an input."""
        return np.asarray((self.unit @ self.weights.T) * self.sign)

    def mean_weight(self, exciting: bool) -> Array:
        """[branch] mean weight of its living excitatory or inhibitory inputs, NaN where it has none."""
        chosen = self.weights[self.sign > 0 if exciting else self.sign < 0]
        count = (chosen > 0).sum(0)
        return np.where(count > 0, chosen.sum(0) / np.maximum(count, 1), np.nan)

    def of_branch(self, exciting: bool) -> Array:
        """[lag, branch] mV at the soma after one average excitatory or inhibitory event on a branch."""
        return self.unit * self.mean_weight(exciting) * (1 if exciting else -1)


def kernels_of(network: ElmNeuron, dataset: SimulationData, part: str, count: int = WINDOWS) -> Kernels:
    """Gradients at the end of `count` windows of the simulations of a part."""
    windows = some_windows(
        dataset, part, count, min(LENGTH_MS, min(dataset.lengths[g] for g in dataset.split.groups(part)))
    )
    branch = branch_traces(network, windows.input_events())
    unit = SOMA_SCALE_MV * branch_gradients(network, branch, Output.SOMA).mean(1).flip(0)
    return Kernels(network.branch_weights().detach().cpu().double().numpy(), unit.cpu().double().numpy(), dataset.sign)


def kernel_exhibit(
    trained: Kernels, untrained: Kernels, network: ElmNeuron, dataset: SimulationData, figures: Path
) -> Exhibit:
    """Weights and responses branch by branch, beside those of the untrained network."""
    distance = distance_of(dataset)
    rows = [_row(trained, untrained, network, branch, distance) for branch in range(trained.weights.shape[1])]
    path = figures / "kernels.png"
    _draw(trained, untrained, distance, path)
    area = {"model": trained.of_input.sum(0), "untrained": untrained.of_input.sum(0)}
    exciting = trained.sign > 0
    right = {name: np.where(exciting, a > 0, a < 0) for name, a in area.items()}
    peaks = [_peak(trained.of_branch(True)[:, b]) for b in range(len(rows))]
    claims = {
        "excitatory_area_mv_ms": _mean(area["model"][exciting]),
        "inhibitory_area_mv_ms": _mean(area["model"][~exciting]),
        "inputs_of_right_sign": _mean(right["model"]),
        "inputs_of_right_sign_untrained": _mean(right["untrained"]),
        "median_time_to_peak_ms": float(np.median([lag for _, lag in peaks])),
        "living_branches": int((trained.weights > 0).any(0).sum()),
    }
    note = (
        f"mean response of the predicted soma voltage to one additional event, over {WINDOWS} windows of the recorded input; E and I: an event at "
        "an average living excitatory or inhibitory synapse of the branch. The area of the response has the right sign (excitatory inputs raise, inhibitory ones lower the "
        f"voltage) for {claims['inputs_of_right_sign']:.0%} of the inputs ({claims['inputs_of_right_sign_untrained']:.0%} before training)"
    )
    columns = ["branch", "living synapses", "weight E", "weight I"]
    columns += ["E peak (mV)", "E peak at (ms)", "I peak (mV)", "I peak at (ms)", "untrained E peak (mV)"]
    if distance is not None:
        columns.append("distance (µm)")
    return Exhibit(
        "kernels", "Response of the soma to one event at each branch", Table(columns, rows, note), path, claims
    )


def _row(trained: Kernels, untrained: Kernels, network: ElmNeuron, branch: int, distance: Array | None) -> list[Any]:
    per_branch = network.options.num_synapse_per_branch
    living = int((network.synapse_weights.detach()[branch * per_branch : (branch + 1) * per_branch] > 0).sum())
    row: list[Any] = [branch, living]
    row += [finite_or_none(trained.mean_weight(exciting)[branch]) for exciting in (True, False)]
    for exciting in (True, False):
        row += [finite_or_none(value) for value in _peak(trained.of_branch(exciting)[:, branch])]
    row.append(finite_or_none(_peak(untrained.of_branch(True)[:, branch])[0]))
    if distance is not None:
        weight = trained.weights[:, branch]
        row.append(finite_or_none(float(weight @ distance / weight.sum())) if weight.sum() > 0 else None)
    return row


def _peak(response: Array) -> tuple[float, float]:
    """(extreme value, its lag); NaN where there is no response."""
    if not np.isfinite(response).all():
        return float("nan"), float("nan")
    at = int(np.argmax(np.abs(response)))
    return float(response[at]), float(at)


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _draw(trained: Kernels, untrained: Kernels, distance: Array | None, path: Path) -> None:
    import matplotlib

    shown = min(SHOWN_MS, len(trained.unit))
    lags = np.arange(shown)
    colours = matplotlib.colormaps["viridis"]
    place = distance if distance is not None else np.arange(len(trained.sign), dtype=np.float64)
    where = np.array([w @ place / w.sum() if w.sum() > 0 else 0.0 for w in trained.weights.T])
    top = max(float(place.max()), 1e-9)
    with saved_figure(path, ncols=3, width=14.0, height=4.0) as (figure, (excitation, inhibition, weight)):
        for axis, exciting, name in ((excitation, True, "excitatory"), (inhibition, False, "inhibitory")):
            responses = trained.of_branch(exciting)[:shown]
            for branch in range(responses.shape[1]):
                axis.plot(lags, responses[:, branch], color=colours(where[branch] / top), lw=0.8, alpha=0.8)
            axis.plot(lags, _over_branches(responses), color="k", lw=2, label="mean")
            blank = _over_branches(untrained.of_branch(exciting)[:shown])
            axis.plot(lags, blank, color=UNTRAINED, lw=2, ls="--", label="mean, untrained")
            axis.axhline(0, color="0.7", lw=0.8, zorder=0)
            axis.set(
                xlabel="time after the event (ms)", ylabel="soma (mV)", title=f"one {name} event, branch by branch"
            )
            axis.legend(fontsize=8)
        what = "mean distance from soma (µm)" if distance is not None else "mean input number"
        if distance is None:
            place = place.copy()
            place[trained.sign < 0] -= (trained.sign > 0).sum()
        scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, top), colours)
        figure.colorbar(scale, ax=inhibition, label=what)
        for exciting, colour, name in ((True, EXCITATORY, "excitatory"), (False, INHIBITORY, "inhibitory")):
            chosen = trained.sign > 0 if exciting else trained.sign < 0
            weight.plot(place[chosen], trained.weights.sum(1)[chosen], ".", color=colour, ms=5, alpha=0.7, label=name)
        mean = float(untrained.weights.sum(1).mean())
        weight.axhline(mean, color=UNTRAINED, lw=1.5, ls="--", label="mean, untrained")
        weight.set(
            xlabel="distance from soma (µm)" if distance is not None else "segment",
            ylabel="summed weight of its synapses",
            title="weight of each input",
        )
        weight.legend(fontsize=8)


def _over_branches(responses: Array) -> Array:
    living = np.isfinite(responses).all(0)
    return responses[:, living].mean(1) if living.any() else np.zeros(len(responses))
