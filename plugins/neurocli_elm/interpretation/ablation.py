"""Errors of a network without a memory unit, or without all units of a band of timescales."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.evaluation.intervals import paired
from neurocli.evaluation.metrics import RMSE
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.colours import MODEL, UNTRAINED
from neurocli.report.figure import saved_figure
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import whole
from neurocli_elm.evaluation.spike_metrics import SpikeAUC
from neurocli_elm.evaluation.targets import OfChannel, TargetChannel, in_channels, observed
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.outputs import in_units
from neurocli_elm.model.probe import branch_traces

Array = NDArray[np.float64]
MOST_SIMULATIONS, MOST_UNITS = 16, 32
BANDS_MS = (0, 3, 10, 30, 100, 300, 1000, float("inf"))


@dataclass(frozen=True)
class Tested:
    """Simulations on which a network is tested: branch traces [time, 1, branch], targets [time, 2], first step scored."""

    branch: list[torch.Tensor]
    targets: list[Array]
    first: int


@dataclass(frozen=True)
class Score:
    """Statistics [simulation, channel, k] of both metrics."""

    rmse: Array
    auc: Array


_RMSE = OfChannel(RMSE("mV"), TargetChannel.SOMA)
_AUC = OfChannel(SpikeAUC(), TargetChannel.SPIKE)


def tested(network: ElmNeuron, dataset: SimulationData, part: str) -> Tested:
    """At most 16 simulations of a part, evenly chosen."""
    branch, targets = [], []
    for recording in dataset.some(part, MOST_SIMULATIONS):
        branch.append(branch_traces(network, whole(recording, dataset.options.event).input_events()))
        targets.append(observed(recording, dataset.options.event)[dataset.options.burn_in_ms :].astype(np.float64))
    return Tested(branch, targets, dataset.options.burn_in_ms)


@torch.no_grad()
def score(network: ElmNeuron, on: Tested) -> Score:
    """Of whole simulations, each from a state of zero."""
    rmse, auc = [], []
    for branch, target in zip(on.branch, on.targets, strict=True):
        spike, soma = in_units(network.output_of(branch)[on.first :, 0].cpu().double())
        prediction = in_channels(spike.numpy(), soma.numpy())
        rmse.append(_RMSE.statistics(target, prediction))
        auc.append(_AUC.statistics(target, prediction))
    return Score(np.stack(rmse), np.stack(auc))


@torch.no_grad()
def without(network: ElmNeuron, units: NDArray[np.int64], held: torch.Tensor | None = None) -> ElmNeuron:
    """The network with memory units silenced: at zero, or at their mean `held` [memory]."""
    cut_off = copy.deepcopy(network)
    first, branches = cut_off.mlp.linears[0], network.options.branches
    columns = torch.as_tensor(units, device=first.weight.device)
    if held is not None:
        k, _ = network.memory_decay()
        level = held[columns]
        first.bias.add_(first.weight[:, branches + columns] @ (k[columns] * level))
        cut_off.w_y.bias.add_(cut_off.w_y.weight[:, columns] @ level)
    first.weight[:, branches + columns] = 0
    cut_off.w_y.weight[:, columns] = 0
    return cut_off


@torch.no_grad()
def mean_memory(network: ElmNeuron, on: Tested) -> torch.Tensor:
    """[memory] over the scored steps of all simulations."""
    weights = copy.deepcopy(network)
    units = network.options.num_memory
    weights.w_y = torch.nn.Linear(units, units, bias=False).to(weights.w_y.weight.device)
    weights.w_y.weight.copy_(torch.eye(units))
    return torch.stack([weights.output_of(branch)[on.first :, 0].mean(0) for branch in on.branch]).mean(0)


def parts_of(tau: Array) -> list[tuple[str, NDArray[np.int64]]]:
    """(name, units) of bands of timescales, then of single units where they are not too many."""
    bands = []
    for low, high in pairwise(BANDS_MS):
        units = np.flatnonzero((tau >= low) & (tau < high))
        if len(units):
            name = f"{low:g} to {high:g} ms"
            if low == 0:
                name = f"below {high:g} ms"
            elif high == float("inf"):
                name = f"{low:g} ms and more"
            bands.append((name, units))
    single = [(f"unit {j} ({tau[j]:.3g} ms)", np.array([j])) for j in np.argsort(tau, kind="stable")]
    return [*bands, ("all memory", np.arange(len(tau))), *(single if len(tau) <= MOST_UNITS else [])]


def ablation_exhibit(
    network: ElmNeuron, untrained: ElmNeuron, dataset: SimulationData, part: str, figures: Path
) -> Exhibit:
    """Rise of the soma's RMSE and change of the AUC without each part, beside the untrained network."""
    on, on_blank = tested(network, dataset, part), tested(untrained, dataset, part)
    tau = network.tau_m.detach().cpu().double().numpy()
    whole, blank = score(network, on), score(untrained, on_blank)
    means, blank_means = mean_memory(network, on), mean_memory(untrained, on_blank)
    rows: list[list[Any]] = [["nothing", *_values(whole), *[None] * 8, *_values(blank)]]
    bars = []
    for name, units in parts_of(tau):
        at_zero, at_mean = score(without(network, units), on), score(without(network, units, means), on)
        other = score(without(untrained, units, blank_means), on_blank)
        change = paired(_RMSE, at_zero.rmse, whole.rmse)
        change_at_mean = paired(_RMSE, at_mean.rmse, whole.rmse)
        row: list[Any] = [name, *_values(at_zero), *map(finite_or_none, (change.value, change.low, change.high))]
        row += map(finite_or_none, (change_at_mean.value, change_at_mean.low, change_at_mean.high))
        row += [_auc_change(at_zero, whole), _auc_change(at_mean, whole), *_values(other)]
        rows.append(row)
        bars.append((name, change, change_at_mean, row[9], row[10], _values(other)[0] - _values(blank)[0]))
    path = figures / "ablation.png"
    _draw(bars, path)
    single = [bar for bar in bars if bar[0].startswith("unit")]
    bands = [bar for bar in bars if not bar[0].startswith(("unit", "all"))]
    claims: dict[str, Any] = {"rmse_mv": _values(whole)[0], "auc": _values(whole)[1]}
    for name, bars_of_kind in (("unit", single), ("band", bands)):
        if bars_of_kind:
            worst = max(bars_of_kind, key=lambda bar: bar[2].value)
            claims |= {f"most_needed_{name}": worst[0], f"rise_without_it_{name}_mv": finite_or_none(worst[2].value)}
    claims |= {"untrained_rmse_mv": _values(blank)[0], "untrained_auc": _values(blank)[1]}
    note = (
        f"{len(on.targets)} {part} simulations; nothing is fitted again. At zero: the units are set to 0, which also shifts the mean input "
        "of the perceptron and the readout. At mean: the units are held at their mean, so that only their variation is lost. Untrained: the network "
        "before training, its units held at their mean. Rise: increase of the RMSE, with its 95 % interval over simulations (low, high); none for fewer than three"
    )
    columns = ["silenced", "RMSE at zero (mV)", "AUC at zero", "rise at zero (mV)", "low", "high"]
    columns += ["rise at mean (mV)", "its low", "its high"]
    columns += ["AUC change at zero", "AUC change at mean", "untrained RMSE (mV)", "untrained AUC"]
    return Exhibit("ablation", "Error without each memory unit", Table(columns, rows, note), path, claims)


def _values(score: Score) -> tuple[float, float | None]:
    return float(_RMSE.value(score.rmse.sum(0))), finite_or_none(_AUC.value(score.auc.sum(0)))


def _auc_change(without: Score, whole: Score) -> float | None:
    return finite_or_none(_AUC.value(without.auc.sum(0)) - _AUC.value(whole.auc.sum(0)))


def _draw(bars: list[tuple[Any, ...]], path: Path) -> None:
    with saved_figure(path, ncols=2, width=10.5, height=0.24 * len(bars) + 1.2) as (_, (rmse, auc)):
        places = np.arange(len(bars))
        for place, (_, change, change_at_mean, auc_zero, auc_mean, blank) in zip(places, bars, strict=True):
            first = place == 0
            rmse.barh(place - 0.2, change.value, 0.38, color=MODEL, label="at zero" if first else None)
            rmse.barh(place + 0.2, change_at_mean.value, 0.38, color="#CC79A7", label="at its mean" if first else None)
            for rise, at in ((change, place - 0.2), (change_at_mean, place + 0.2)):
                if np.isfinite(rise.low):
                    rmse.plot([rise.low, rise.high], [at] * 2, color="#E69F00", lw=1.2)
            rmse.plot(
                blank,
                place,
                "s",
                color=UNTRAINED,
                mec="k",
                mew=0.4,
                ms=4,
                label="untrained, at its mean" if first else None,
            )
            if auc_zero is not None and auc_mean is not None:
                auc.barh(place - 0.2, auc_zero, 0.38, color=MODEL)
                auc.barh(place + 0.2, auc_mean, 0.38, color="#CC79A7")
        for axis in (rmse, auc):
            axis.axvline(0, color="k", lw=0.8)
            axis.set_ylim(len(bars) - 0.4, -0.6)
            axis.set_yticks(places, [bar[0] for bar in bars] if axis is rmse else [], fontsize=8)
        rmse.set(xlabel="rise of the soma's RMSE (mV); lines: 95 % over simulations")
        auc.set(xlabel="change of AUC")
        rmse.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
