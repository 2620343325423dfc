"""The compiled step of the cable equation: implicit in the voltage, solved from the tips of the tree to the soma and back.

Order within a step, the same as in Brian2's SpatialNeuron: NMDA's block from the voltage; conductances decay and gates relax
exponentially for this voltage; one implicit Euler step of the voltage; then the events of the millisecond arrive.
(Hines 1984, Int. J. Biomed. Comput. 15:69)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from neurocli_elm.simulation.compartments import (
    E_EXCITATORY,
    E_POTASSIUM,
    E_SODIUM,
    MAGNESIUM_MM,
    SLOW_HALF_MV,
    SLOW_WIDTH_MV,
)


@njit(cache=True)
def _linoid(x: float, y: float) -> float:
    """x / (exp(x / y) - 1), finite at 0."""
    z = x / y
    return y * (1 - z / 2) if abs(z) < 1e-6 else x / (math.exp(z) - 1)


@njit(cache=True)
def _relaxed(value: float, rise: float, fall: float, dt: float) -> float:
    """A gate dx/dt = rise (1 - x) - fall x after dt."""
    end = rise / (rise + fall)
    return end + (value - end) * math.exp(-dt * (rise + fall))


@njit(cache=True)
def gates_at_rest(v: float, shift: float) -> Any:
    """m, h, n and p where they stay at the voltage v."""
    u = v - shift
    m = 0.32 * _linoid(13 - u, 4.0)
    m /= m + 0.28 * _linoid(u - 40, 5.0)
    h = 0.128 * math.exp((17 - u) / 18)
    h /= h + 4 / (1 + math.exp((40 - u) / 5))
    n = 0.032 * _linoid(15 - u, 5.0)
    n /= n + 0.5 * math.exp((10 - u) / 40)
    return m, h, n, 1 / (1 + math.exp((SLOW_HALF_MV - v) / SLOW_WIDTH_MV))


@njit(cache=True)
def constant_parts(parent: Any, axial: Any, capacitance: Any, leak: Any, e_leak: float, dt: float) -> Any:
    """(diagonal, right-hand side without the voltage) [node] of the implicit step, without synapses and channels."""
    fixed, still = np.zeros(len(parent)), np.zeros(len(parent))
    for i in range(len(parent)):
        fixed[i] += capacitance[i] / dt + leak[i]
        still[i] = leak[i] * e_leak
        if i > 0:
            fixed[i] += axial[i]
            fixed[parent[i]] += axial[i]
    return fixed, still


@njit(cache=True, error_model="numpy")
def channels_step(v: float, m: float, h: float, n: float, p: float, constants: Any, soma_ns: Any, dt: float) -> Any:
    """(m, h, n, p, sodium's conductance, that of both potassium channels) at the soma after dt at the voltage v."""
    u, slow_tau = v - constants[8], constants[9]
    m = _relaxed(m, 0.32 * _linoid(13 - u, 4.0), 0.28 * _linoid(u - 40, 5.0), dt)
    h = _relaxed(h, 0.128 * math.exp((17 - u) / 18), 4 / (1 + math.exp((40 - u) / 5)), dt)
    n = _relaxed(n, 0.032 * _linoid(15 - u, 5.0), 0.5 * math.exp((10 - u) / 40), dt)
    w = (v - SLOW_HALF_MV) / 20
    rate = (3.3 * math.exp(w) + math.exp(-w)) / slow_tau
    open_p = 1 / (1 + math.exp((SLOW_HALF_MV - v) / SLOW_WIDTH_MV))
    p = _relaxed(p, rate * open_p, rate * (1 - open_p), dt)
    return m, h, n, p, soma_ns[0] * m * m * m * h, soma_ns[1] * n * n * n * n + soma_ns[2] * p


@njit(inline="always")
def add_event(conductance: Any, weights: Any, number: int) -> None:
    """An event of input `number` arrives; conductance [4, segment] of AMPA, NMDA's rise, NMDA, GABA."""
    segments = conductance.shape[1]
    if number < segments:
        conductance[0, number] += weights[0, number]
        conductance[1, number] += weights[1, number]
        conductance[2, number] += weights[1, number]
    else:
        conductance[3, number - segments] += weights[2, number - segments]


@njit(cache=True, error_model="numpy")
def integrate(
    parent: Any,
    axial: Any,
    capacitance: Any,
    leak: Any,
    synapse_node: Any,
    soma_ns: Any,
    weights: Any,
    constants: Any,
    injected: Any,
    event_ms: Any,
    event_input: Any,
    v: Any,
    steps_per_ms: int,
    nexus: int,
    soma_mv: Any,
    nexus_mv: Any,
    segments_mv: Any,
) -> None:
    """Fill the recorded voltages; v [node] is the voltage at the start and becomes that at the end.

    weights: [3, segment], AMPA, NMDA (scaled) and GABA; constants: leak reversal, GABA's reversal, Mg, its slope, tau of
    AMPA, of NMDA's rise, of NMDA, of GABA, shift of the channels, slow potassium's tau; injected: pA [node]; events: times in ms
    (ascending) and inputs, excitatory ones first; soma_mv, nexus_mv: [step]; segments_mv: [ms, segment], or of
    length 0.
    """
    e_leak, e_gaba, magnesium, slope = constants[0], constants[1], constants[2] / MAGNESIUM_MM, constants[3]
    dt = 1.0 / steps_per_ms
    keep_ampa, keep_rise = math.exp(-dt / constants[4]), math.exp(-dt / constants[5])
    keep_nmda, keep_gaba = math.exp(-dt / constants[6]), math.exp(-dt / constants[7])
    nodes, segments = len(parent), len(synapse_node)
    conductance = np.zeros((4, segments))
    ampa, rise, nmda, gaba = conductance[0], conductance[1], conductance[2], conductance[3]
    fixed, still = constant_parts(parent, axial, capacitance, leak, e_leak, dt)
    still += injected
    diagonal, right = np.empty(nodes), np.empty(nodes)
    m, h, n, p = gates_at_rest(v[0], constants[8])
    event = 0
    for step in range(len(soma_mv)):
        soma_mv[step], nexus_mv[step] = v[0], v[nexus]
        starts_ms = step % steps_per_ms == 0
        if starts_ms and len(segments_mv) > 0:
            for s in range(segments):
                segments_mv[step // steps_per_ms, s] = v[synapse_node[s]]
        for i in range(nodes):
            diagonal[i] = fixed[i]
            right[i] = still[i] + capacitance[i] / dt * v[i]
        for s in range(segments):
            i = synapse_node[s]
            block = 1 / (1 + magnesium * math.exp(-slope * v[i]))
            ampa[s] *= keep_ampa
            rise[s] *= keep_rise
            nmda[s] *= keep_nmda
            gaba[s] *= keep_gaba
            excitatory = ampa[s] + (nmda[s] - rise[s]) * block
            diagonal[i] += excitatory + gaba[s]
            right[i] += excitatory * E_EXCITATORY + gaba[s] * e_gaba
        if soma_ns[0] > 0 or soma_ns[1] > 0 or soma_ns[2] > 0:
            m, h, n, p, sodium, potassium = channels_step(v[0], m, h, n, p, constants, soma_ns, dt)
            diagonal[0] += sodium + potassium
            right[0] += sodium * E_SODIUM + potassium * E_POTASSIUM
        for i in range(nodes - 1, 0, -1):
            factor = axial[i] / diagonal[i]
            diagonal[parent[i]] -= factor * axial[i]
            right[parent[i]] += factor * right[i]
        v[0] = right[0] / diagonal[0]
        for i in range(1, nodes):
            v[i] = (right[i] + axial[i] * v[parent[i]]) / diagonal[i]
        if starts_ms:
            while event < len(event_ms) and event_ms[event] <= step // steps_per_ms:
                add_event(conductance, weights, event_input[event])
                event += 1
