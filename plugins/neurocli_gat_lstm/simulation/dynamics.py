"""Graded neurons in time: leak, saturating synapses, gap junctions, and what drives them from outside.

    tau_i dv_i/dt = -v_i + sum_j W_ij tanh(v_j) + sum_j G_ij (v_j - v_i) + d_i(t)

after Wicks et al., J. Neurosci. 16:4017 (1996) and Kunert et al., Phys. Rev. E 89:052805 (2014), with voltages from
rest and synapses that follow at once, so that an edge has one weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_gat_lstm.simulation.network import Network

Array = NDArray[np.float64]
_RUN_SHAPE = 2.0
"""Shape of the gamma distribution of the times between switches: very short ones are rare."""


def integrate(network: Network, drive: Array, start: Array, step_s: float) -> Array:
    """Voltages [step, recorded] after each step, under drive [step, neuron], from start [neuron].

    Exponential Euler: over a step, inputs stay and the leak is exact.
    """
    from scipy import sparse

    count = len(network.names)
    share = -np.expm1(-step_s / network.tau_s)
    stay = np.diag(1 - share * (1 + network.gap.sum(axis=1)))
    step = np.hstack([share[:, None] * network.chemical, share[:, None] * network.gap + stay])
    # A sparse product, and not BLAS, whose threads may change the last bit from machine to machine.
    matrix = sparse.csr_matrix(step)
    pushes = drive * share
    both = np.empty(2 * count)
    active, voltage = both[:count], both[count:]
    voltage[:] = start
    out = np.empty((len(drive), network.recorded))
    for now, push in enumerate(pushes):
        np.tanh(voltage, out=active)
        np.add(matrix.dot(both), push, out=voltage)
        out[now] = voltage[: network.recorded]
    return out


def coloured_noise(
    random: np.random.Generator, shape: tuple[int, int], sd: float, tau_s: float, step_s: float
) -> Array:
    """Ornstein-Uhlenbeck processes [step, neuron] with this sd and correlation time, stationary from the start."""
    from scipy.signal import lfilter

    decay = np.exp(-step_s / tau_s)
    fresh = np.sqrt(1 - decay**2) * random.standard_normal(shape)
    before = random.standard_normal((1, shape[1]))
    noise, _ = lfilter([1.0], [1.0, -decay], fresh, axis=0, zi=decay * before)
    return sd * np.asarray(noise)


def low_passed(values: Array, tau_s: float, step_s: float) -> Array:
    """Values [step, ...] through a leak of this time constant, at rest at the first value."""
    from scipy.signal import lfilter

    decay = np.exp(-step_s / tau_s)
    smooth, _ = lfilter([1 - decay], [1.0, -decay], values, axis=0, zi=decay * values[:1])
    return np.asarray(smooth)


def command_states(
    random: np.random.Generator, steps: int, forward_s: float, reverse_s: float, step_s: float
) -> NDArray[np.int64]:
    """Forward (0) and reverse (1) by turns [step]; the times in each are gamma distributed."""
    states = np.empty(steps, np.int64)
    means = (forward_s, reverse_s)
    state, begin = int(random.random() < reverse_s / (forward_s + reverse_s)), 0
    while begin < steps:
        end = begin + max(1, round(random.gamma(_RUN_SHAPE, means[state] / _RUN_SHAPE) / step_s))
        states[begin:end] = state
        state, begin = 1 - state, end
    return states
