"""The engine `numba`: one simulation by the compiled loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.simulation.compartments import Cell, Circuit, nmda_scale
from neurocli_elm.simulation.parameters import DendriteConfig


@dataclass(frozen=True)
class Voltages:
    """mV: soma and nexus [step of integration]; segments [ms, segment], None where they are not kept."""

    soma: NDArray[np.float64]
    nexus: NDArray[np.float64]
    segments: NDArray[np.float64] | None


def simulate(config: DendriteConfig, cell: Cell, event_ms: NDArray[Any], event_input: NDArray[Any]) -> Voltages:
    """From rest, with these events."""
    nexus = int(cell.circuit.synapse_node[cell.morphology.nexus])
    return run(config, cell.circuit, cell.weights_ns, event_ms, event_input, nexus=nexus)


def scaled_weights(config: DendriteConfig, weights_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """[3, segment] as the kernels take them, from peaks of AMPA, NMDA and GABA."""
    return weights_ns * np.array([1.0, nmda_scale(config.nmda_rise_ms, config.nmda_tau_ms), 1.0])[:, None]


def constants_of(config: DendriteConfig) -> NDArray[np.float64]:
    """[10] in the kernels' order."""
    c = config
    return np.array(
        [
            *(c.rest_mv, c.gaba_reversal_mv, c.magnesium_mm, c.magnesium_slope, c.ampa_tau_ms),
            *(c.nmda_rise_ms, c.nmda_tau_ms, c.gaba_tau_ms, c.spike_shift_mv, c.slow_potassium_tau_ms),
        ]
    )


def run(
    config: DendriteConfig,
    circuit: Circuit,
    weights_ns: NDArray[np.float64],
    event_ms: NDArray[Any],
    event_input: NDArray[Any],
    *,
    nexus: int = 0,
    injected_pa: NDArray[np.float64] | None = None,
) -> Voltages:
    """Any circuit. weights_ns: peaks [3, segment] of AMPA, NMDA and GABA; nexus: another node to record; injected_pa: [node]."""
    from neurocli_elm.simulation.cable_kernel import integrate

    steps, kept_ms = config.duration_ms * config.steps_per_ms, config.duration_ms if config.record_dendrites else 0
    soma, other = np.empty(steps), np.empty(steps)
    dendrites = np.empty((kept_ms, len(circuit.synapse_node)))
    integrate(
        *(circuit.parent, circuit.axial_ns, circuit.capacitance_pf, circuit.leak_ns, circuit.synapse_node),
        *(np.array(circuit.soma_ns), scaled_weights(config, weights_ns), constants_of(config)),
        np.zeros(len(circuit.parent)) if injected_pa is None else injected_pa,
        *(event_ms.astype(np.int64), event_input.astype(np.int64)),
        np.full(len(circuit.parent), float(config.rest_mv)),
        config.steps_per_ms,
        nexus,
        *(soma, other, dendrites),
    )
    return Voltages(soma, other, dendrites if config.record_dendrites else None)
