"""The input of a simulation: events on excitatory and inhibitory synapses whose rates vary together, as in NeuronIO.

As in the published simulations, basal and apical dendrites have rates of their own, drawn anew in every interval (of 25 to 450
ms, one length for a simulation): that of excitation evenly between 0 and twice its mean, that of inhibition around it. Single inputs
differ by a factor, and now and then one branch gets a burst, to which the nonlinearity of a dendrite responds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.simulation.morphology import Morphology
from neurocli_elm.simulation.parameters import DendriteConfig

Array = NDArray[np.float64]

INTERVALS_MS = (25, 30, 35, 40, 45, 55, 60, 65, 70, 75, 80, 85, 90, 100, 150, 200, 300, 450)
"""How long the common rates stay (published)."""
_SMOOTHING_MS = (5.0, 40.0)
_BLOCK_MS = 2000
DIFFERENCE = -1.5, 0.5
"""Inhibition less excitation, in units of the mean rate of excitation (published: -600 to 200 events at a mean of 400)."""


def draw_events(
    config: DendriteConfig, morphology: Morphology, random: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(ms, input) of the events, in order of time; at most one for each input in each millisecond."""
    chance = rates_hz(config, morphology, random)
    chance *= 1e-3
    steps, channels = [], []
    for start in range(0, len(chance), _BLOCK_MS):
        part = chance[start : start + _BLOCK_MS]
        step, channel = np.nonzero(random.random(part.shape, dtype=np.float32) < part)
        steps.append((start + step).astype(np.int32))
        channels.append(channel.astype(np.int32))
    return np.concatenate(steps), np.concatenate(channels)


def rates_hz(config: DendriteConfig, morphology: Morphology, random: np.random.Generator) -> NDArray[np.float32]:
    """[ms, input] rates, excitatory inputs first."""
    steps, segments = config.duration_ms, morphology.segments
    rates = np.empty((steps, 2 * segments), np.float32)
    interval_ms, smoothing_ms = random.choice(INTERVALS_MS), random.uniform(*_SMOOTHING_MS)
    for kind in np.unique(morphology.kind):
        excitatory, inhibitory = _common(config, int(interval_ms), smoothing_ms, random)
        here = np.flatnonzero(morphology.kind == kind)
        rates[:, here] = excitatory[:, None]
        rates[:, segments + here] = inhibitory[:, None]
    rates *= random.uniform(1 - config.input_variation, 1 + config.input_variation, 2 * segments)
    for _ in range(random.poisson(config.bursts_hz * steps * 1e-3)):
        start, branch = int(random.integers(steps)), int(random.integers(len(morphology.branches)))
        members = np.flatnonzero(morphology.branch == branch)
        end = start + round(float(random.uniform(0.5, 1.5)) * config.burst_ms)
        rates[start:end, members] += (config.burst_factor - 1) * config.excitatory_hz
    return rates


def _common(
    config: DendriteConfig, interval_ms: int, smoothing_ms: float, random: np.random.Generator
) -> tuple[Array, Array]:
    """Rates [ms] of excitation and of inhibition that all inputs of a tree share."""
    from scipy.ndimage import gaussian_filter1d

    steps = config.duration_ms
    count = -(-steps // interval_ms) + 1
    excitatory = random.uniform(0, 2, count)
    inhibitory = np.maximum(excitatory + random.uniform(*DIFFERENCE, count), 0)
    first = int(random.integers(interval_ms))
    rates = []
    for level, mean_hz, mean in (
        (excitatory, config.excitatory_hz, 1.0),
        (inhibitory, config.inhibitory_hz, _MEAN_INHIBITION),
    ):
        held = np.repeat(level / mean, interval_ms)[first : first + steps]
        held = 1 + config.shared_variation * (held - 1)
        rates.append(mean_hz * gaussian_filter1d(held, smoothing_ms, mode="nearest"))
    return rates[0], rates[1]


def _mean_inhibition() -> float:
    """Mean of max(0, e + d) for the drawn levels."""
    excitatory = np.linspace(0, 2, 2001)[:, None]
    return float(np.maximum(excitatory + np.linspace(*DIFFERENCE, 2001), 0).mean())


_MEAN_INHIBITION = _mean_inhibition()
