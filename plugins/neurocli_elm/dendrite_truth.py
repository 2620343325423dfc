"""What an input does to the soma of the simulated cell, from its equations: the answer that a model is held against.

At its mean input the cell has a mean conductance at every synapse and a mean voltage. Around that state it is a linear circuit,
in which a charge put in at a segment gives the soma's voltage the area charge x transfer resistance. The spikes of the soma are
left out, and so is the change of NMDA's conductance with voltage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.compartments import E_EXCITATORY, MAGNESIUM_MM, cell_of, nmda_scale
from neurocli_elm.parameters import DendriteConfig

Array = NDArray[np.float64]
_ROUNDS, _DAMPING = 200, 0.5
_FEMTOCOULOMB_MEGAOHM = 1e-3
"""mV ms in 1 fC x 1 MOhm."""


def soma_areas(config: DendriteConfig) -> Array:
    """[input] mV ms under the soma's response to one event, excitatory inputs first, inhibitory ones negative as a rule."""
    cell = cell_of(config)
    circuit, at = cell.circuit, cell.circuit.synapse_node
    nodes = len(circuit.parent)
    passive = np.diag(circuit.leak_ns.astype(np.float64))
    for node in range(1, nodes):
        before, axial = int(circuit.parent[node]), float(circuit.axial_ns[node])
        passive[node, node] += axial
        passive[before, before] += axial
        passive[node, before] -= axial
        passive[before, node] -= axial

    nmda_ms = nmda_scale(config.nmda_rise_ms, config.nmda_tau_ms) * (config.nmda_tau_ms - config.nmda_rise_ms)
    # Volleys come on top of the mean rate of excitation.
    volleys = config.bursts_hz * 1e-3 * config.burst_ms / len(cell.morphology.branches) * (config.burst_factor - 1)
    excitatory = 1e-3 * config.excitatory_hz * (1 + volleys)
    inhibitory = 1e-3 * config.inhibitory_hz

    voltage = np.full(nodes, config.rest_mv)
    for _ in range(_ROUNDS):
        unblocked = 1 / (1 + config.magnesium_mm / MAGNESIUM_MM * np.exp(-config.magnesium_slope * voltage[at]))
        excitation_ms = cell.ampa_ns * config.ampa_tau_ms + cell.nmda_ns * nmda_ms * unblocked
        inhibition_ms = cell.gaba_ns * config.gaba_tau_ms
        whole = passive.copy()
        whole[at, at] += excitatory * excitation_ms + inhibitory * inhibition_ms
        current = circuit.leak_ns * config.rest_mv
        current[at] += excitatory * excitation_ms * E_EXCITATORY + inhibitory * inhibition_ms * config.gaba_reversal_mv
        voltage += _DAMPING * (np.linalg.solve(whole, current) - voltage)
    soma = np.zeros(nodes)
    soma[0] = 1.0
    transfer_megaohm = 1e3 * np.linalg.solve(whole, soma)[at]  # 1 / nS is 1000 MOhm; reciprocal: from or to the soma
    charge = np.concatenate(
        [excitation_ms * (E_EXCITATORY - voltage[at]), inhibition_ms * (config.gaba_reversal_mv - voltage[at])]
    )
    found: Array = _FEMTOCOULOMB_MEGAOHM * charge * np.tile(transfer_megaohm, 2)
    return found
