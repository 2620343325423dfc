"""The full-state oracle without branches, as far ahead as no spike can answer another.

Up to the conduction delay the neurons do not hear of each other's new spikes, and up to the refractory time a neuron that
spikes is at rest when the forecast is due. What is left is one variable per neuron: v relaxes, receives noise, known
spikes and external kicks, and ends at rest if it crosses threshold on the way. Its mean follows without any sampling:

    E[v at the end] = what the mean would be without a threshold + D(v now),

where D, what the threshold adds, obeys a backward recursion on a grid of voltages. Neurons with the same spikes on their
way share one D. Within 1 ms most have none at all, so that some thousand D serve millions of forecasts.

A grid begins where threshold is out of reach, which depends on what arrives: a volley of many millivolts has a wider grid, and
what goes beyond that is left to branches. Each forecast finds its own way by its own state, not by what others need.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.reference_loop import in_steps, kick_probability

_PER_SD = 5  # grid points per standard deviation of a step's noise
_SURE = 6  # standard deviations that noise does not exceed
_MOST_POINTS = 4000
_PAIRS = 100_000  # forecasts at a time: with all steps before them they are most of the memory
_ALIKE_MV = 1e-5  # arriving weights that differ by less are the same
_SUM_MV, _ONE_MV = 3.0, 2.0  # spikes that the usual grid has room for: within the horizon, and in one step


def applies(config: BrunelConfig, horizon_ms: float) -> bool:
    """Whether the forecast `horizon_ms` ahead needs no branches, unless a volley of spikes is on its way."""
    _, delay, refractory = in_steps(config)
    steps = round(horizon_ms / config.dt_ms)
    if steps > min(delay, refractory) or config.noise_mv == 0:
        return False
    return _holds(config, _grid(config, steps, _SUM_MV, _ONE_MV))


def exact_forecast(
    config: BrunelConfig,
    weights: NDArray[np.float64],
    voltage: NDArray[np.floating],
    spike_step: NDArray[np.integer],
    spike_channel: NDArray[np.integer],
    origins: NDArray[np.integer],
    horizon_ms: float,
) -> NDArray[np.float32]:
    """Expected voltages [origin, neuron] in mV `horizon_ms` after `origins`; arguments as those of `oracle.forecast`.

    NaN where so many spikes are on their way to a neuron that branches are needed. Raises ValueError where the horizon
    is too long for it.
    """
    if not applies(config, horizon_ms):
        raise ValueError(f"{horizon_ms:g} ms is too far ahead: spikes answer spikes, or outlast the refractory time")
    steps, record = round(horizon_ms / config.dt_ms), in_steps(config)[0]
    origins = np.asarray(origins, np.int64)
    order = np.argsort(origins, kind="stable")
    mean = np.empty((len(origins), config.neurons), np.float32)
    for chunk in np.array_split(order, -(-len(origins) * config.neurons // _PAIRS) or 1):
        arriving, held = _state(config, weights, spike_step, spike_channel, origins[chunk] * record, steps)
        mean[chunk] = _expected(config, voltage[origins[chunk]].astype(np.float64), arriving, held)
    return mean


def _state(
    config: BrunelConfig,
    weights: NDArray[np.float64],
    spike_step: NDArray[np.integer],
    spike_channel: NDArray[np.integer],
    first: NDArray[np.integer],
    steps: int,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """What is known at the ascending steps `first` [origin]: weights arriving [origin, step, neuron], steps held [origin, neuron]."""
    _, delay, refractory = in_steps(config)
    arriving = np.zeros((len(first), steps, config.neurons), np.float32)
    held = np.zeros((len(first), config.neurons), np.int32)
    sent = np.asarray(spike_step, np.int64)
    # A spike reaches one origin, or several where these lie closer than it lasts.
    last = np.searchsorted(first, sent + delay, "right") - 1
    start = np.searchsorted(first, sent, "right")  # the first origin to which the spike is past
    for back in range(len(first)):
        at, when = last - back, sent + delay
        inside = at >= start
        late = when[inside] - first[at[inside]]
        inside[inside] = late < steps
        if not inside.any():
            break
        place = at[inside], when[inside] - first[at[inside]]
        np.add.at(arriving, place, weights.T[spike_channel[inside]].astype(np.float32))
    for ahead in range(len(first)):
        at = start + ahead
        inside = at < len(first)
        inside[inside] = sent[inside] + refractory > first[at[inside]]
        if not inside.any():
            break
        steps_left = (sent[inside] + refractory - first[at[inside]]).astype(np.int32)
        np.maximum.at(held, (at[inside], spike_channel[inside]), steps_left)
    arriving[np.arange(steps)[:, None] < held[:, None]] = 0  # a clamped neuron hears nothing
    return arriving, held


def _expected(
    config: BrunelConfig, v: NDArray[np.float64], arriving: NDArray[np.float32], held: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Mean of v [origin, neuron] after the steps of `arriving`; NaN where it needs branches."""
    steps, leak, kick = arriving.shape[1], config.dt_ms / config.tau_ms, _mean_kick(config)
    mean = v.copy()
    for step in range(steps):
        moved = mean + leak * (config.rest_mv - mean) + kick + arriving[:, step]
        mean = np.where(step >= held, moved, mean)
    # What arrives in the last step comes after that step's threshold. What inhibits may come after what excites.
    excitation = np.maximum(arriving[:, :-1], 0)
    total, largest = excitation.sum(1), excitation.max(1, initial=0)
    inexact = v > config.threshold_mv - _below(config, steps) - np.maximum(total, _SUM_MV)  # else D is 0
    usual = (total <= _SUM_MV) & (largest <= _ONE_MV)
    room = config.threshold_mv - config.rest_mv - _below(config, steps)  # rest is out of reach with as much as this
    for room_mv, on in (((_SUM_MV, _ONE_MV), usual), ((room, room), ~usual & (total <= room))):
        grid = _grid(config, steps, *room_mv)
        if on.any() and len(grid) <= _MOST_POINTS:
            on_grid = on & (held == 0) & (v > grid[0]) & (v <= grid[-1])
            mean[on_grid] += _read(grid, v[on_grid], arriving.transpose(0, 2, 1)[on_grid], config)
            inexact &= ~on | ((held == 0) & (v > grid[-1]))  # a clamped neuron does not come back in time
    # Far above threshold a neuron spikes in the first step, whatever the noise.
    sure = inexact & (held == 0) & (v + leak * (config.rest_mv - v) > config.threshold_mv + _SURE * _noise_sd(config))
    mean[sure] = config.rest_mv
    mean[inexact & ~sure] = np.nan
    return mean


def _read(
    grid: NDArray[np.float64], v: NDArray[np.float64], rows: NDArray[np.float32], config: BrunelConfig
) -> NDArray[np.float64]:
    """D [forecast] at voltages v [forecast] on the grid, for rows of arriving weights [forecast, step]."""
    _, example, which = np.unique(_keys(rows), return_index=True, return_inverse=True)
    added = _threshold_effect(config, grid, rows[example].astype(np.float64))
    place = np.minimum((v - grid[0]) / (grid[1] - grid[0]), len(grid) - 1 - 1e-9)
    low = place.astype(np.int64)
    share = place - low
    return (1 - share) * added[low, which] + share * added[low + 1, which]


def _threshold_effect(
    config: BrunelConfig, grid: NDArray[np.float64], arriving: NDArray[np.float64]
) -> NDArray[np.float32]:
    """D [grid, row]: what the threshold adds to the mean, by the voltage now, for rows of arriving weights [row, step]."""
    leak, kick, spacing = config.dt_ms / config.tau_ms, _mean_kick(config), grid[1] - grid[0]
    sd = _noise_sd(config)
    centre = grid + leak * (config.rest_mv - grid)
    noise = np.exp(-0.5 * ((grid[None] - centre[:, None]) / sd) ** 2)
    noise /= noise.sum(1, keepdims=True)
    kicks = np.arange(config.external_inputs + 1)
    chances = binom.pmf(kicks, config.external_inputs, kick_probability(config))
    fires = grid > config.threshold_mv
    # At the end the threshold has added nothing; without it, v is itself: slope 1, offset 0.
    added, slope, offset, which = np.zeros((len(grid), 1), np.float32), 1.0, np.zeros(1), np.zeros(len(arriving), int)
    for step in reversed(range(arriving.shape[1])):
        # Rows that agree from this step on share a column.
        _, example, column = np.unique(_keys(arriving[:, step:]), return_index=True, return_inverse=True)
        now, then = arriving[example, step], which[example]
        kicked = np.zeros_like(added)
        for number, chance in zip(kicks, chances, strict=True):
            if chance > 1e-9:
                kicked += np.float32(chance) * _shifted(added, config.j_mv * number / spacing)
        before = np.empty((len(grid), len(now)))
        for weight in np.unique(now):
            rows = now == weight
            before[:, rows] = _shifted(kicked, weight / spacing)[:, then[rows]]
        unhindered = slope * (grid[fires, None] + kick + now) + offset[then]
        before[fires] = config.rest_mv - unhindered
        # In double precision, since a product's last digit depends on how many columns there are: on what comes later.
        added = (noise @ before).astype(np.float32)
        offset = slope * (leak * config.rest_mv + kick + now) + offset[then]
        slope *= 1 - leak
        which = column
    return added[:, which]


def _shifted(values: NDArray[np.float32], points: float) -> NDArray[np.float32]:
    """values [grid, ...] read `points` further up the grid, between two points by a straight line; the ends go on."""
    place = np.clip(np.arange(len(values)) + points, 0, len(values) - 1)
    low = np.minimum(place.astype(np.int64), len(values) - 2)
    share = (place - low).astype(np.float32)[:, None]
    if not share.any():
        return values[low]
    return (1 - share) * values[low] + share * values[low + 1]


def _holds(config: BrunelConfig, grid: NDArray[np.float64]) -> bool:
    """Whether threshold is out of a resting neuron's reach, and the grid of a size that can be computed."""
    return len(grid) <= _MOST_POINTS and bool(grid[0] > config.rest_mv)


def _grid(config: BrunelConfig, steps: int, sum_mv: float, one_mv: float) -> NDArray[np.float64]:
    """Voltages from where threshold is out of reach to beyond what is met, threshold between two points.

    sum_mv, one_mv: room for what spikes add to a neuron within the horizon, and in one step.
    """
    sd = _noise_sd(config)
    below = _below(config, steps) + sum_mv
    above = config.j_mv * binom.isf(1e-9, config.external_inputs, kick_probability(config)) + _SURE * sd + one_mv
    spacing = sd / _PER_SD
    return config.threshold_mv + spacing * (np.arange(-np.ceil(below / spacing), np.ceil(above / spacing)) + 0.5)


def _below(config: BrunelConfig, steps: int) -> float:
    """How far below threshold a neuron must be, in mV, to stay there without spikes: the mean drive and six sd."""
    chance = kick_probability(config)
    spread = steps * (config.external_inputs * chance * (1 - chance) * config.j_mv**2 + _noise_sd(config) ** 2)
    return float(steps * _mean_kick(config) + _SURE * spread**0.5)


def _noise_sd(config: BrunelConfig) -> float:
    """Standard deviation of a step's noise in mV."""
    return config.noise_mv * config.dt_ms / config.tau_noise_ms


def _mean_kick(config: BrunelConfig) -> float:
    """What the external inputs add in a step, on average, in mV."""
    return config.j_mv * config.external_inputs * kick_probability(config)


def _keys(rows: NDArray[np.floating]) -> NDArray[np.int64]:
    """One number per row of arriving weights [row, step]: the same for the same weights."""
    factors = np.random.default_rng(0).integers(1, 2**62, rows.shape[1]) | 1
    with np.errstate(over="ignore"):
        return np.rint(rows / _ALIKE_MV).astype(np.int64) @ factors
