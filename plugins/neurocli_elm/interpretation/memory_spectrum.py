"""Which memory timescales a network uses: how much each unit moves the outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.colours import MODEL, UNTRAINED
from neurocli.report.figure import saved_figure
from neurocli.training.devices import device_of
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import SOMA_SCALE_MV, WINDOW_BURN_IN_MS
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.outputs import OUTPUT_NAMES, Output
from neurocli_elm.model.probe import some_windows

Array = NDArray[np.float64]
_UNIT = {Output.SPIKE: "logit", Output.SOMA: "mV"}
_SCALE = {Output.SPIKE: 1.0, Output.SOMA: SOMA_SCALE_MV}


@torch.no_grad()
def moves(network: ElmNeuron, dataset: SimulationData, part: str) -> Array:
    """[output, unit] sd of what a memory unit adds to the spike's logit, and to the soma's voltage in mV."""
    windows = some_windows(dataset, part, 16)
    device = device_of(network)
    memory = network.forward_states(windows.input_events().to(device)).memory
    settled = memory[:, min(WINDOW_BURN_IN_MS, memory.shape[1] // 2) :].flatten(0, 1).cpu().double()
    weight = network.w_y.weight.detach().cpu().double() * torch.tensor([[_SCALE[output]] for output in Output])
    return np.asarray((weight.abs() * settled.std(0)).numpy())


def spectrum_exhibit(
    trained: ElmNeuron, untrained: ElmNeuron, dataset: SimulationData, part: str, figures: Path
) -> Exhibit:
    """Timescale and contribution of each unit, beside those of the untrained network."""
    tau, tau_before = (m.tau_m.detach().cpu().double().numpy() for m in (trained, untrained))
    sd, sd_untrained = moves(trained, dataset, part), moves(untrained, dataset, part)
    shares = sd / np.maximum(sd.sum(1, keepdims=True), 1e-12)
    order = np.argsort(tau, kind="stable")
    rows: list[list[Any]] = [
        [int(j), *map(float, (tau[j], tau_before[j], *sd[:, j], *shares[:, j], *sd_untrained[:, j]))] for j in order
    ]
    columns = [
        "memory unit",
        "tau (ms)",
        "untrained tau (ms)",
        "spike (logit)",
        "soma (mV)",
        "share of spike",
        "share of soma",
    ]
    columns += ["untrained spike (logit)", "untrained soma (mV)"]
    claims: dict[str, Any] = {"learned": trained.options.learn_memory_tau}
    for name, unit_sd, unit_sd_untrained in zip(OUTPUT_NAMES, sd, sd_untrained, strict=True):
        claims[f"{name}_timescale_ms"] = _mean_tau(tau, unit_sd)
        claims[f"{name}_timescale_ms_untrained"] = _mean_tau(tau_before, unit_sd_untrained)
        claims[f"{name}_units_for_90_percent"] = _units_for(unit_sd, 0.9)
    note = (
        "spike (logit) and soma (mV): standard deviation of the contribution of a unit to each output. Geometric mean of the timescales, weighted by it: spike "
        f"{claims['spike_timescale_ms']:.3g} ms, soma {claims['soma_timescale_ms']:.3g} ms (untrained "
        f"{claims['spike_timescale_ms_untrained']:.3g} and {claims['soma_timescale_ms_untrained']:.3g} ms). Contributions of units may "
        "cancel one another: the exhibit ablation shows the error without each of them"
    )
    path = figures / "timescales.png"
    with saved_figure(path, ncols=2, width=10.0, height=3.6) as (_, axes):
        for axis, output, unit_sd, unit_sd_untrained in zip(axes, Output, sd, sd_untrained, strict=True):
            axis.vlines(tau, 0, unit_sd, color=MODEL, lw=2)
            axis.plot(tau, unit_sd, "o", color=MODEL, ms=5, label="model")
            axis.plot(tau_before, unit_sd_untrained, "s", color=UNTRAINED, ms=4, label="untrained")
            contribution = f"sd of its contribution to the {OUTPUT_NAMES[output]} ({_UNIT[output]})"
            axis.set(xscale="log", xlabel="timescale of the unit (ms)", ylabel=contribution)
            axis.set_ylim(bottom=0)
            axis.legend(fontsize=8)
    return Exhibit("timescales", "Memory timescales in use", Table(columns, rows, note), path, claims)


def _mean_tau(tau: Array, weight: Array) -> float:
    return float(np.exp(weight @ np.log(tau) / max(weight.sum(), 1e-12)))


def _units_for(weight: Array, share: float) -> int:
    ranked = np.sort(weight)[::-1].cumsum()
    return int(np.searchsorted(ranked, share * ranked[-1]) + 1) if ranked[-1] > 0 else 0
