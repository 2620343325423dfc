"""The full-state oracle: no forecast is better than one that simulates on from the exact state.

At an origin it knows everything that the future depends on: the voltages, the remaining refractory times, the spikes in
flight and the weights. Only the noise to come is not known. The oracle draws that noise afresh in many branches; their mean
is the conditional expectation. That is an *upper bound* of what a model can reach which sees voltages at 1 ms: it knows the
spikes to 0.1 ms and the weights, and how much of that could be told from the voltages is not known.

A mean over B branches misses the expectation by variance/B, which lowers the R2 of the oracle: by .0008 at 2 ms and .0014
at 5 ms for 512 branches. Where the forecast is due before a spike can act on another neuron, `oracle_exact` needs none.

A step of 100 neurons takes about half a microsecond. Four things make it so: float32 arrays that LLVM can vectorise;
one sfc32 generator per neuron (adds, shifts and rotations only); one 32-bit word per neuron and step, of which 12 bits
choose a normal quantile and 20 bits the number of kicks; and synapses that are touched only by spikes. Every origin
seeds its own generators: the result depends neither on the number of threads nor on which other origins are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binom

from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.reference_loop import in_steps, kick_probability, outgoing

_NORMAL_BITS, _KICK_BITS = 12, 20
_CHUNK = 256  # origins per job of a thread


def forecast(
    config: BrunelConfig,
    weights: NDArray[np.float64],
    voltage: NDArray[np.floating],
    spike_step: NDArray[np.integer],
    spike_channel: NDArray[np.integer],
    origins: NDArray[np.integer],
    horizons_ms: Sequence[float],
    branches: int,
    seed: int,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Forecast the voltages of one run from `origins` [origin], sample numbers of its record.

    weights [post, pre] in mV; voltage [time, neuron] in mV at record_ms, all neurons, without added noise; spike_step
    and spike_channel [spike]: the run's spikes in steps of dt_ms. Sample t is the state at the start of step
    t * record_ms / dt_ms, before that step's threshold: the spikes strictly before it are the past.

    Gives (mean [horizon, origin, neuron] in mV, variance of that mean [horizon, origin, neuron] in mV^2; NaN for a
    single branch). The second says how many branches are enough.
    """
    n = config.neurons
    if voltage.ndim != 2 or voltage.shape[1] != n or weights.shape != (n, n):
        raise ValueError(f"the oracle needs the voltages and weights of all {n} neurons")
    origins = np.asarray(origins, np.int64)
    if origins.size and (origins.min() < 0 or origins.max() >= len(voltage)):
        raise ValueError(f"origins must lie within the record, 0 to {len(voltage) - 1}")
    if branches < 1:
        raise ValueError("branches must be at least 1")
    ends = np.array([round(ms / config.dt_ms) for ms in horizons_ms], np.int64)
    if ends.size == 0 or ends[0] < 1 or (np.diff(ends) <= 0).any():
        raise ValueError("horizons_ms must be positive and increase")
    order = np.argsort(spike_step, kind="stable")
    spike_step, spike_channel = np.asarray(spike_step, np.int64)[order], np.asarray(spike_channel, np.int64)[order]
    record, delay, refractory = in_steps(config)
    start, target, weight = outgoing(weights)
    constants = np.array([config.dt_ms / config.tau_ms, config.rest_mv, config.threshold_mv], np.float32)
    normal = (_normal_quantiles() * (config.noise_mv * config.dt_ms / config.tau_noise_ms)).astype(np.float32)
    thresholds = _kick_thresholds(config.external_inputs, kick_probability(config))
    network = (delay, refractory, constants, normal, thresholds, np.float32(config.j_mv))
    synapses = (start, target, weight.astype(np.float32))
    mean = np.empty((len(ends), len(origins), n), np.float32)
    variance = np.empty_like(mean)

    def chunk(first: int) -> None:
        part = slice(first, first + _CHUNK)
        states = np.ascontiguousarray(voltage[origins[part]], np.float32)
        _branch(
            states, origins[part] * record, spike_step, spike_channel, ends, branches, np.uint64(seed % 2**64),
            *network, *synapses, mean[:, part], variance[:, part],
        )  # fmt: skip

    jobs = range(0, len(origins), _CHUNK)
    if threads <= 1:
        for first in jobs:
            chunk(first)
    else:
        # Plain threads around code without the GIL: numba's own thread pools do not survive a fork.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(chunk, jobs))
    return mean, variance


def _normal_quantiles() -> NDArray[np.float64]:
    """2^12 equally likely values [value] with mean 0 and variance exactly 1: the normal quantiles, rescaled."""
    values = ndtri((np.arange(2**_NORMAL_BITS) + 0.5) / 2**_NORMAL_BITS)
    return values / values.std()


def _kick_thresholds(inputs: int, probability: float) -> NDArray[np.int32]:
    """Binomial numbers by inversion: as many kicks as a 20-bit uniform number reaches of these thresholds [kick]."""
    cumulative = np.rint(binom.cdf(np.arange(inputs), inputs, probability) * 2**_KICK_BITS)
    return cumulative[cumulative < 2**_KICK_BITS].astype(np.int32)


@njit(cache=True, nogil=True, inline="always")
def _mix(x):
    """splitmix64's finaliser: a 64-bit number that looks random for each x."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def _draw(a, b, c, count, word):
    """One sfc32 step of each neuron's generator: state (a, b, c, count) [neuron] uint32 → word [neuron] uint32."""
    for i in range(word.size):
        t = np.uint32(a[i] + b[i] + count[i])
        count[i] = np.uint32(count[i] + np.uint32(1))
        a[i] = np.uint32(b[i] ^ (b[i] >> np.uint32(9)))
        b[i] = np.uint32(c[i] + np.uint32(c[i] << np.uint32(3)))
        turned = np.uint32(np.uint32(c[i] << np.uint32(21)) | np.uint32(c[i] >> np.uint32(11)))
        c[i] = np.uint32(turned + t)
        word[i] = t


@njit(cache=True, nogil=True)
def _euler(v, held, word, normal, leak, rest, threshold):
    """Leak and noise of all free neurons in v [neuron]; gives how many of them lie above threshold."""
    above = np.int32(0)
    for i in range(v.size):
        moved = v[i] + leak * (rest - v[i]) + normal[word[i] >> np.uint32(20)]
        v[i] = v[i] if held[i] > 0 else moved
        above += np.int32(held[i] <= 0 and v[i] > threshold)
    return above


@njit(cache=True, nogil=True)
def _receive(v, held, word, thresholds, j, kicks, arriving):
    """Add the external kicks and the arriving spikes to the free neurons; count down the others' refractory time."""
    for i in range(v.size):
        kicks[i] = 0
    for m in range(thresholds.size):
        least = thresholds[m]
        for i in range(v.size):
            kicks[i] += np.int32(np.int32(word[i] & np.uint32(0xFFFFF)) >= least)
    for i in range(v.size):
        added = v[i] + (j * np.float32(kicks[i]) + arriving[i])
        v[i] = v[i] if held[i] > 0 else added
        arriving[i] = np.float32(0)
        held[i] = max(held[i] - np.int32(1), np.int32(0))


@njit(cache=True, nogil=True)
def _branch(
    states, first_step, spike_step, spike_channel, ends, branches, seed,
    delay, refractory, constants, normal, thresholds, j, start, target, weight, mean, variance,
):  # fmt: skip
    """All branches of all origins: states [origin, neuron] at the start of first_step [origin] → mean, variance."""
    origins, n = states.shape
    leak, rest, threshold = constants[0], constants[1], constants[2]
    v, held, held_at_start = np.empty(n, np.float32), np.empty(n, np.int32), np.empty(n, np.int32)
    a, b, c, count = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32)
    word, kicks = np.zeros(n, np.uint32), np.empty(n, np.int32)
    slots = delay + 1  # what arrives, by step of arrival modulo slots
    in_flight, arriving = np.empty((slots, n), np.float32), np.empty((slots, n), np.float32)
    total, squares = np.empty((ends.size, n)), np.empty((ends.size, n))
    for o in range(origins):
        for i in range(n):
            key = _mix(_mix(seed ^ _mix(np.uint64(first_step[o]))) ^ np.uint64(i))
            second_key = _mix(key)
            a[i], b[i] = np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))
            c[i], count[i] = np.uint32(second_key & np.uint64(0xFFFFFFFF)), np.uint32(1)
        for _ in range(8):  # sfc32 mixes its seed in a few steps
            _draw(a, b, c, count, word)
        held_at_start[:] = 0
        in_flight[:] = 0
        s = np.searchsorted(spike_step, first_step[o]) - 1
        while s >= 0 and first_step[o] - spike_step[s] <= max(delay, refractory):
            ago, pre = first_step[o] - spike_step[s], spike_channel[s]
            # A spike at step p holds its neuron in steps p .. p + refractory - 1 and arrives in step p + delay.
            held_at_start[pre] = max(held_at_start[pre], refractory - ago)
            if ago <= delay:
                for k in range(start[pre], start[pre + 1]):
                    in_flight[delay - ago, target[k]] += weight[k]
            s -= 1
        total[:] = 0
        squares[:] = 0
        for _ in range(branches):
            v[:] = states[o]
            held[:] = held_at_start
            arriving[:] = in_flight
            horizon = 0
            for step in range(ends[-1]):
                _draw(a, b, c, count, word)
                slot = step % slots
                if _euler(v, held, word, normal, leak, rest, threshold) > 0:
                    later = arriving[(step + delay) % slots]
                    for i in range(n):
                        if held[i] <= 0 and v[i] > threshold:
                            # Reset and hold at once: what arrives in this step is lost in either order.
                            v[i], held[i] = rest, max(refractory, 1)
                            for k in range(start[i], start[i + 1]):
                                later[target[k]] += weight[k]
                _receive(v, held, word, thresholds, j, kicks, arriving[slot])
                if step + 1 == ends[horizon]:
                    for i in range(n):
                        from_rest = np.float64(v[i]) - np.float64(rest)  # from rest: squares keep their digits
                        total[horizon, i] += from_rest
                        squares[horizon, i] += from_rest * from_rest
                    horizon += 1
        for h in range(ends.size):
            for i in range(n):
                average = total[h, i] / branches
                spread = max(squares[h, i] - branches * average * average, 0.0)
                mean[h, o, i] = average + rest
                variance[h, o, i] = spread / ((branches - 1) * branches) if branches > 1 else np.nan
