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
    weights = np.stack([cell.ampa_ns, cell.nmda_ns, cell.gaba_ns])
    nexus = int(cell.circuit.synapse_node[cell.morphology.nexus])
    return run(config, cell.circuit, weights, event_ms, event_input, nexus=nexus)


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

    c = config
    steps = c.duration_ms * c.steps_per_ms
    scale = nmda_scale(c.nmda_rise_ms, c.nmda_tau_ms)
    soma, other = np.empty(steps), np.empty(steps)
    dendrites = np.empty((c.duration_ms if c.record_dendrites else 0, len(circuit.synapse_node)))
    integrate(
        circuit.parent,
        circuit.axial_ns,
        circuit.capacitance_pf,
        circuit.leak_ns,
        circuit.synapse_node,
        np.array(circuit.soma_ns),
        weights_ns * np.array([1.0, scale, 1.0])[:, None],
        np.array(
            [
                *(c.rest_mv, c.gaba_reversal_mv, c.magnesium_mm, c.magnesium_slope),
                *(
                    c.ampa_tau_ms,
                    c.nmda_rise_ms,
                    c.nmda_tau_ms,
                    c.gaba_tau_ms,
                    c.spike_shift_mv,
                    c.slow_potassium_tau_ms,
                ),
            ]
        ),
        np.zeros(len(circuit.parent)) if injected_pa is None else injected_pa,
        event_ms.astype(np.int64),
        event_input.astype(np.int64),
        np.full(len(circuit.parent), float(c.rest_mv)),
        c.steps_per_ms,
        nexus,
        soma,
        other,
        dendrites,
    )
    return Voltages(soma, other, dendrites if c.record_dendrites else None)
