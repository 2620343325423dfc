"""The compiled step of the cable equation for many copies of one cell side by side: the same equations and order as `cable_kernel`.

Copies share the cell and its input, and may differ in their state. Arrays are [node or segment, copy]: the innermost loops run over
copies, which the vector units take several at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from neurocli_elm.simulation.cable_kernel import add_event, channels_step, constant_parts
from neurocli_elm.simulation.compartments import E_EXCITATORY, E_POTASSIUM, E_SODIUM, MAGNESIUM_MM


@njit(cache=True, error_model="numpy")
def integrate_copies(
    parent: Any,
    axial: Any,
    capacitance: Any,
    leak: Any,
    synapse_node: Any,
    soma_ns: Any,
    weights: Any,
    constants: Any,
    event_ms: Any,
    event_input: Any,
    own_event: Any,
    steps_per_ms: int,
    v: Any,
    conductance: Any,
    gates: Any,
    soma: Any,
) -> None:
    """Go on from a state; v [node, copy], conductance [4, segment, copy] (AMPA, NMDA's rise, NMDA, GABA), gates [4, copy] (m, h, n, p).

    The first ten arguments as in `integrate`; events in ms from the start of this stretch. own_event: [copy] input with an event in the
    first ms in that copy alone, -1 for none. soma: [ms, copy], filled with the voltage at the start of each ms.
    """
    e_leak, e_gaba, magnesium, slope = constants[0], constants[1], constants[2] / MAGNESIUM_MM, constants[3]
    dt = 1.0 / steps_per_ms
    keep = np.exp(-dt / np.array([constants[4], constants[5], constants[6], constants[7]]))
    nodes, segments, copies = len(parent), len(synapse_node), v.shape[1]
    active = soma_ns[0] > 0 or soma_ns[1] > 0 or soma_ns[2] > 0
    fixed, still = constant_parts(parent, axial, capacitance, leak, e_leak, dt)
    diagonal, right = np.empty((nodes, copies)), np.empty((nodes, copies))
    ampa, rise, nmda, gaba = conductance[0], conductance[1], conductance[2], conductance[3]
    block = np.empty(copies)
    event = 0
    for step in range(len(soma) * steps_per_ms):
        starts_ms = step % steps_per_ms == 0
        if starts_ms:
            soma[step // steps_per_ms] = v[0]
        for i in range(nodes):
            for c in range(copies):
                diagonal[i, c] = fixed[i]
                right[i, c] = still[i] + capacitance[i] / dt * v[i, c]
        for s in range(segments):
            i = synapse_node[s]
            for c in range(copies):
                block[c] = 1 / (1 + magnesium * math.exp(-slope * v[i, c]))
            for c in range(copies):
                ampa[s, c] *= keep[0]
                rise[s, c] *= keep[1]
                nmda[s, c] *= keep[2]
                gaba[s, c] *= keep[3]
                excitatory = ampa[s, c] + (nmda[s, c] - rise[s, c]) * block[c]
                diagonal[i, c] += excitatory + gaba[s, c]
                right[i, c] += excitatory * E_EXCITATORY + gaba[s, c] * e_gaba
        if active:
            for c in range(copies):
                gates[0, c], gates[1, c], gates[2, c], gates[3, c], sodium, potassium = channels_step(
                    v[0, c], gates[0, c], gates[1, c], gates[2, c], gates[3, c], constants, soma_ns, dt
                )
                diagonal[0, c] += sodium + potassium
                right[0, c] += sodium * E_SODIUM + potassium * E_POTASSIUM
        for i in range(nodes - 1, 0, -1):
            below = parent[i]
            for c in range(copies):
                factor = axial[i] / diagonal[i, c]
                diagonal[below, c] -= factor * axial[i]
                right[below, c] += factor * right[i, c]
        for c in range(copies):
            v[0, c] = right[0, c] / diagonal[0, c]
        for i in range(1, nodes):
            below = parent[i]
            for c in range(copies):
                v[i, c] = (right[i, c] + axial[i] * v[below, c]) / diagonal[i, c]
        if starts_ms:
            while event < len(event_ms) and event_ms[event] <= step // steps_per_ms:
                for c in range(copies):
                    add_event(conductance[:, :, c], weights, event_input[event])
                event += 1
            if step == 0:
                for c in range(copies):
                    if own_event[c] >= 0:
                        add_event(conductance[:, :, c], weights, own_event[c])
