"""The simulator `celegans`: calcium recordings of worms whose functional connectome is known. One group is one worm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.simulator import Simulator, seed_of
from neurocli_gat_lstm.data.worm import DFF, GCAMP, Worm, group_name
from neurocli_gat_lstm.simulation.dynamics import coloured_noise, command_states, integrate, low_passed
from neurocli_gat_lstm.simulation.network import network_of
from neurocli_gat_lstm.simulation.parameters import CelegansConfig

Array = NDArray[np.floating[Any]]

NAME = "celegans"
STATES = ("forward", "reverse")
SETTLING_S = 30.0
"""Simulated before the recording, so that no worm remembers how it was set up."""

# Uses of random numbers within a worm; more of one does not change the others.
_NOISE, _SLOW, _COMMAND, _OPTICS, _NAMES, _START, _RATE = range(7)
_NOISE_SPREAD, _BASELINE_SD, _BLEACHING_S = 0.3, 0.02, 300.0


class CelegansSimulator(Simulator):
    """Worms that share one network and differ in noise, command, frame rate, optics and in who was identified."""

    Config = CelegansConfig
    Formats = {"parquet": "the published schema of worm recordings, one row per neuron (extra: worm)"}

    def simulate(self, config: CelegansConfig, index: int, work: Path) -> Recording:
        return simulate_worm(config, index)

    def truth(self, config: CelegansConfig) -> Mapping[str, NDArray[Any]]:
        """The recorded part of the network, see `Network.truth`."""
        return network_of(config).truth()

    def group_name(self, config: CelegansConfig, index: int) -> str:
        return group_name(*key_of(config, index))

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        from neurocli_gat_lstm.simulation.summary import summarise

        return summarise(recordings, figures)

    def export(self, recordings: RecordingSet, format: str, folder: Path) -> list[Path]:
        """One file for all worms, named by the seeds of network and worms."""
        if format != "parquet":
            return super().export(recordings, format, folder)
        from neurocli_gat_lstm.data.writers.parquet import write_parquet

        parameters = recordings.meta.get("parameters") or {}
        seeds = [str(parameters[key]) for key in ("network_seed", "seed") if key in parameters]
        return [write_parquet(recordings, folder / f"{'_'.join([NAME, *seeds])}.parquet")]


def key_of(config: CelegansConfig, index: int) -> tuple[str, str]:
    """(source, worm) of a simulated worm."""
    return f"simulated-net{config.network_seed}", f"seed{config.seed}-{index:04d}"


def simulate_worm(config: CelegansConfig, index: int) -> Recording:
    """Worm number `index`; a pure function of (config, index).

    Its truth: `v` and `clean` [time, column], the voltages and the fluorescence without noise of measurement, and
    `neuron` [column], who a column is in the shared truth, identified or not.
    """

    def random(use: int) -> np.random.Generator:
        return np.random.default_rng(seed_of(config.seed, index, use))

    network = network_of(config)
    frame_s = math.exp(config.rate_spread * random(_RATE).standard_normal()) / config.frame_rate_hz
    per_frame = math.ceil(frame_s * 1e3 / config.step_ms)
    step_s = frame_s / per_frame
    settling = math.ceil(SETTLING_S / frame_s) * per_frame
    shape = settling + config.frames * per_frame, len(network.names)
    states = command_states(random(_COMMAND), shape[0], config.forward_s, config.reverse_s, step_s)
    drive = coloured_noise(random(_NOISE), shape, config.noise_sd, config.noise_tau_s, step_s)
    drive += coloured_noise(random(_SLOW), shape, config.slow_sd, config.slow_tau_s, step_s)
    # Forward is the animal's usual state: less far from rest than reverse.
    command = low_passed(np.where(states == 1, 1.0, -0.5), config.switch_s, step_s)
    drive += config.command * command[:, None] * network.command
    v = integrate(network, drive, 0.5 * random(_START).standard_normal(shape[1]), step_s)
    calcium = low_passed(v, config.indicator_s, step_s)
    # A frame shows what is there when it ends.
    frames = settling - 1 + per_frame * np.arange(1, config.frames + 1)
    time_s = frame_s * np.arange(config.frames)
    clean, seen = _fluorescence(config, calcium[frames], time_s, random(_OPTICS))
    shuffled, names = _columns(network.names[: network.recorded], config.identified, random(_NAMES))
    source, worm = key_of(config, index)
    recording = Worm(
        source=source,
        worm=worm,
        time_s=time_s,
        traces=seen[:, shuffled],
        names=names,
        unit=DFF,
        where=f"worm {index}",
        file=NAME,
        indicator=GCAMP,
        normalization_method="none",
        smooth_method="none",
        interpolate_method="none",
        state=states[frames],
        states=STATES,
    ).recording()
    recording.truth["v"] = v[frames][:, shuffled].astype(np.float32)
    recording.truth["clean"] = clean[:, shuffled].astype(np.float32)
    recording.truth["neuron"] = shuffled
    return recording


def _fluorescence(
    config: CelegansConfig, calcium: Array, time_s: Array, random: np.random.Generator
) -> tuple[Array, Array]:
    """dF/F0 [time, neuron] without and with the noise of measurement; gain, baseline and bleaching by neuron."""
    neurons = calcium.shape[1]
    gain = config.gain * np.exp(config.gain_spread * random.standard_normal(neurons))
    baseline = _BASELINE_SD * random.standard_normal(neurons)
    bleaching = config.bleaching * random.uniform(0.5, 1.5, neurons)
    signal = gain * calcium
    clean = signal + baseline + bleaching * np.expm1(-time_s / _BLEACHING_S)[:, None]
    sd = config.measurement_noise * signal.std(axis=0) * np.exp(_NOISE_SPREAD * random.standard_normal(neurons))
    return clean, clean + sd * random.standard_normal(clean.shape)


def _columns(
    names: tuple[str, ...], identified: float, random: np.random.Generator
) -> tuple[NDArray[np.int64], list[str | None]]:
    """(neuron of each column, its name or None): in no order, as segmentation gives them. One at least has a name."""
    order = random.permutation(len(names)).astype(np.int64)
    known = random.random(len(names)) < identified
    known[int(random.integers(len(names)))] |= identified > 0
    return order, [names[neuron] if named else None for neuron, named in zip(order, known, strict=True)]
