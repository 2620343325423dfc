"""The teacher: a recurrent network of excitatory and inhibitory units under Dale's law, tuned like the superior colliculus.

    x_t = (1 - a) x_{t-1} + a (W f(x_{t-1}) + V d_t + b),   rate_t = g f(x_t) + r_0,   f = softplus

W's columns are presynaptic and have one sign each; the drive d holds the task's events as transients and steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY
from neurocli_eirnn.data.tasks import BEFORE_MS, FACE, HIGH, LOW, NONFACE, TrialEvents, bin_centres
from neurocli_eirnn.simulation.parameters import ScSessionConfig
from neurocli_eirnn.simulation.trial_plan import TrialPlan, session_bins, standard_trials

Array = NDArray[np.float64]
_LATENCY_MS = 50.0
_DELAY_FROM_MS = 100.0
# Channels of the drive. Those of a location come in fours.
_FIXATION, _FIXATION_ONSET, _GO, _REWARD = 0, 1, 2, 3
_VISUAL, _DELAY, _SACCADE = 4, 8, 12
_CHANNELS = 16

_COMPONENTS = ("visual", "delay", "saccade", "fixation", "reward")
_CLASSES: dict[str, tuple[float, tuple[float, ...]]] = {
    # class: (share of the units, strength of each component)
    "visual": (0.2, (5.0, 0.5, 0.3, 0.0, 0.2)),
    "visuomotor": (0.25, (3.5, 1.0, 5.0, 0.0, 0.3)),
    "motor": (0.15, (0.3, 0.5, 7.0, 0.0, 0.0)),
    "build-up": (0.15, (1.0, 2.5, 3.0, 0.0, 0.3)),
    "fixation": (0.1, (-1.0, 0.0, -3.0, 2.0, 0.5)),
    "reward": (0.05, (0.0, 0.3, 0.0, 0.0, 4.0)),
    "untuned": (0.1, (0.0, 0.0, 0.0, 0.0, 0.0)),
}
_TUNING = {EXCITATORY: (1.0, 0.35, 0.05, 0.35), INHIBITORY: (1.0, 0.7, 0.45, 0.7)}
"""Drive by distance from the preferred location, going round; inhibitory units are broader."""

_DENSITY, _RADIUS = 0.3, 0.8
_RATE_MEDIAN, _RATE_SPREAD, _RATE_RANGE = 10.0, 0.65, (4.0, 40.0)


@dataclass(frozen=True)
class Teacher:
    """weights [unit, unit], input_weights [unit, channel], bias, leak and unit_type [unit]; E units come first.

    recorded_unit [neuron]: the unit that each recorded neuron is; gain, baseline [neuron] in sp/s.
    """

    weights: Array
    input_weights: Array
    bias: Array
    leak: Array
    unit_type: NDArray[np.int64]
    recorded_unit: NDArray[np.int64]
    gain: Array
    baseline: Array

    @property
    def neuron_type(self) -> NDArray[np.int64]:
        """[neuron] 1 excitatory, 2 inhibitory."""
        return self.unit_type[self.recorded_unit]

    def activity(self, drive: Array) -> Array:
        """f(x) [time, unit] under a drive [time, channel], from the state that rest leads to."""
        pushed = drive @ self.input_weights.T + self.bias
        state = pushed[0]
        out = np.empty_like(pushed)
        for _ in range(40):  # settle before the window begins
            state = self._step(state, pushed[0])
        for t, push in enumerate(pushed):
            state = self._step(state, push)
            out[t] = _softplus(state)
        return out

    def rates(self, drive: Array) -> Array:
        """Rates [time, neuron] in sp/s of the recorded neurons."""
        return self.gain * self.activity(drive)[:, self.recorded_unit] + self.baseline

    def _step(self, state: Array, push: Array) -> Array:
        return (1 - self.leak) * state + self.leak * (self.weights @ _softplus(state) + push)


def teacher_of(config: ScSessionConfig) -> Teacher:
    """The teacher of a configuration; the same one for all trials."""
    types = (config.num_excitatory, config.num_inhibitory, config.hidden_excitatory, config.hidden_inhibitory)
    return _teacher(config.network_seed, types, config.bin_ms, config.rate_scale)


def drive_of(plan: TrialPlan, time_ms: Array) -> Array:
    """The drive [time, channel] of a trial."""
    events = plan.events
    drive = np.zeros((len(time_ms), _CHANNELS))
    drive[:, _FIXATION] = (time_ms >= _LATENCY_MS) & (time_ms < events.go_ms + _LATENCY_MS)
    drive[:, _FIXATION_ONSET] = _transient(time_ms - _LATENCY_MS, 60.0)
    drive[:, _GO] = _transient(time_ms - events.go_ms - _LATENCY_MS, 60.0)
    drive[:, _REWARD] = _transient(time_ms - events.reward_ms - _LATENCY_MS, 150.0)
    place = events.location - 1
    visual = _transient(time_ms - events.target_ms - _LATENCY_MS, 70.0)
    drive[:, _VISUAL + place] = _conspicuity(events) * visual
    waiting = (time_ms >= events.target_ms + _DELAY_FROM_MS) & (time_ms < plan.saccade_ms)
    drive[:, _DELAY + place] = (1.35 if plan.reward else 0.75) * waiting
    drive[:, _SACCADE + place] = np.exp(-0.5 * ((time_ms - plan.saccade_ms + 10.0) / 28.0) ** 2)
    return drive


@lru_cache(maxsize=4)
def _teacher(seed: int, types: tuple[int, int, int, int], bin_ms: float, rate_scale: float) -> Teacher:
    random = np.random.default_rng(np.random.SeedSequence(seed))
    recorded_e, recorded_i, hidden_e, hidden_i = types
    excitatory = recorded_e + hidden_e
    unit_type = np.repeat([EXCITATORY, INHIBITORY], [excitatory, recorded_i + hidden_i]).astype(np.int64)
    units = len(unit_type)
    # Recorded neurons come in no order of type, as from an electrode.
    recorded = np.concatenate(
        [random.permutation(excitatory)[:recorded_e], excitatory + random.permutation(units - excitatory)[:recorded_i]]
    )
    recorded = random.permutation(recorded)
    preferred = random.permutation(np.arange(units) % 4)
    unscaled = Teacher(
        weights=_recurrent_weights(random, unit_type, preferred),
        input_weights=_input_weights(random, unit_type, preferred),
        bias=random.normal(-0.6, 0.4, units),
        leak=1 - np.exp(-bin_ms / np.exp(random.uniform(np.log(25.0), np.log(90.0), units))),
        unit_type=unit_type,
        recorded_unit=recorded,
        gain=np.ones(len(recorded)),
        baseline=np.zeros(len(recorded)),
    )
    mean_rates = _RATE_MEDIAN * np.exp(_RATE_SPREAD * random.standard_normal(len(recorded)))
    mean_rates = np.clip(mean_rates, *_RATE_RANGE) * rate_scale
    baseline = mean_rates * random.uniform(0.0, 0.25, len(recorded))
    gain = (mean_rates - baseline) / _mean_activity(unscaled, bin_ms)
    return Teacher(**{**vars(unscaled), "gain": gain, "baseline": baseline})


def _recurrent_weights(
    random: np.random.Generator, unit_type: NDArray[np.int64], preferred: NDArray[np.int64]
) -> Array:
    """Sparse, of one sign per column, each row's inhibition equal to its excitation, of spectral radius 0.8.

    Excitation is stronger within a location, inhibition between locations.
    """
    units = len(unit_type)
    size = random.gamma(2.0, 1.0, (units, units)) * (random.random((units, units)) < _DENSITY)
    np.fill_diagonal(size, 0)
    same = preferred[:, None] == preferred[None, :]
    inhibitory = unit_type == INHIBITORY
    size *= np.where(same ^ inhibitory, 2.0, 0.6)
    excitation, inhibition = size[:, ~inhibitory].sum(axis=1), size[:, inhibitory].sum(axis=1)
    size[:, inhibitory] *= np.divide(excitation, inhibition, out=np.zeros(units), where=inhibition > 0)[:, None]
    weights = size * np.where(inhibitory, -1.0, 1.0)
    radius = np.abs(np.linalg.eigvals(weights)).max()
    return weights * (_RADIUS / radius) if radius > 0 else weights


def _input_weights(random: np.random.Generator, unit_type: NDArray[np.int64], preferred: NDArray[np.int64]) -> Array:
    """[unit, channel] by a class for each unit, its preferred location, and a spread of strengths."""
    units = len(unit_type)
    shares = np.array([share for share, _ in _CLASSES.values()])
    strengths = np.array([strength for _, strength in _CLASSES.values()])
    kind = random.choice(len(_CLASSES), units, p=shares / shares.sum())
    strength = strengths[kind] * np.exp(0.3 * random.standard_normal((units, len(_COMPONENTS))))
    strength += 0.1 * random.standard_normal(strength.shape)
    by_distance = np.array([_TUNING[int(unit_kind)] for unit_kind in unit_type])
    distance = (np.arange(4) - preferred[:, None]) % 4
    tuning = np.take_along_axis(by_distance, distance, axis=1)
    weights = np.zeros((units, _CHANNELS))
    for column, start in enumerate((_VISUAL, _DELAY, _SACCADE)):
        weights[:, start : start + 4] = strength[:, column, None] * tuning
    weights[:, _FIXATION], weights[:, _REWARD] = strength[:, 3], strength[:, 4]
    weights[:, _FIXATION_ONSET] = 0.5 * np.abs(strength[:, 0]) * random.random(units)
    weights[:, _GO] = 0.3 * random.standard_normal(units)
    return weights


def _mean_activity(teacher: Teacher, bin_ms: float) -> Array:
    """[neuron] mean of f(x) over one trial of each condition."""
    time_ms = bin_centres(session_bins(bin_ms), bin_ms)
    plans: Sequence[TrialPlan] = standard_trials()
    means = []
    for plan in plans:
        window = time_ms < plan.events.reward_ms + BEFORE_MS
        means.append(teacher.activity(drive_of(plan, time_ms[window]))[:, teacher.recorded_unit].mean(axis=0))
    return np.mean(means, axis=0)


def _conspicuity(events: TrialEvents) -> float:
    """How strongly a target drives the visual transient."""
    return {HIGH: 1.35, LOW: 0.65}.get(events.salience, {FACE: 1.1, NONFACE: 0.9}.get(events.identity, 1.0))


def _transient(since_ms: Array, decay_ms: float) -> Array:
    """1 at its onset, decaying; 0 before."""
    return np.where(since_ms >= 0, np.exp(-np.maximum(since_ms, 0) / decay_ms), 0.0)


def _softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)
