"""The simulator `sc-session`: a session of the saccade task with known rates. One group is one trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.simulator import Simulator, seed_of
from neurocli_eirnn.data.session import INPUT_NAMES, KIND, Session
from neurocli_eirnn.data.tasks import bin_centres, task_inputs, valid_bins
from neurocli_eirnn.simulation.parameters import ScSessionConfig
from neurocli_eirnn.simulation.teacher import drive_of, teacher_of
from neurocli_eirnn.simulation.trial_plan import EYE, SPIKES, eye_position, plan_trial, session_bins

_EYE = slice(INPUT_NAMES.index("eye_x"), INPUT_NAMES.index("eye_y") + 1)


class ScSessionSimulator(Simulator):
    """Trials of one session: a teacher network's rates, times a gain of the trial, give Poisson counts per bin."""

    Config = ScSessionConfig
    Formats = {"mat": "the published session export, MATLAB v7.3: rnn_export_NAME.mat"}

    def simulate(self, config: ScSessionConfig, index: int, work: Path) -> Recording:
        """Trial number `index`. Its truth: `rates` [time, neuron] in sp/s, gain included, and the `gain` [1]."""
        session = simulate_trial(config, index)
        recording = session.recording(0, self.group_name(config, index))
        recording.truth["gain"] = session.truth["gain"]
        return recording

    def truth(self, config: ScSessionConfig) -> Mapping[str, NDArray[Any]]:
        """What all trials share: types, time axis, and the teacher that the recorded neurons are units of."""
        teacher = teacher_of(config)
        return {
            "neuron_type": teacher.neuron_type,
            "time_ms": bin_centres(session_bins(config.bin_ms), config.bin_ms),
            "weights": teacher.weights,
            "unit_type": teacher.unit_type,
            "recorded_unit": teacher.recorded_unit,
        }

    def group_name(self, config: ScSessionConfig, index: int) -> str:
        return f"trial-{index:04d}"

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        from neurocli_eirnn.simulation.summary import summarise

        return summarise(Session.of(recordings), figures)

    def export(self, recordings: RecordingSet, format: str, folder: Path) -> list[Path]:
        """One file for the whole session, named by the seeds of network and trials."""
        if format != "mat":
            return super().export(recordings, format, folder)
        from neurocli_eirnn.data.writers.matfile import write_mat

        session = Session.of(recordings)
        parameters = recordings.meta.get("parameters") or {}
        seeds = [str(parameters[key]) for key in ("network_seed", "seed") if key in parameters]
        session.name = "_".join([KIND.replace("-", "_"), *seeds])
        session.brain_area = session.brain_area or ["SC"] * session.neurons
        return [write_mat(session, folder / f"rnn_export_{session.name}.mat")]


def simulate_trial(config: ScSessionConfig, index: int) -> Session:
    """A session of one trial; a pure function of (config, index)."""
    teacher, plan = teacher_of(config), plan_trial(config, index)
    time_ms = bin_centres(session_bins(config.bin_ms), config.bin_ms)
    # As the file will hold them: the counts are drawn from exactly the rates that are called true.
    true = (plan.gain * teacher.rates(drive_of(plan, time_ms))).astype(np.float32)
    random = np.random.default_rng(seed_of(config.seed, index, SPIKES))
    bin_s = config.bin_ms * 1e-3
    rates = (random.poisson(true.astype(np.float64) * bin_s) / bin_s).astype(np.float32)
    inputs = task_inputs(time_ms, config.bin_ms, plan.events)
    inputs[:, _EYE] = eye_position(plan, time_ms, config.bin_ms, seed_of(config.seed, index, EYE))
    end = valid_bins(plan.events.reward_ms, config.bin_ms)
    rates[end:] = true[end:] = np.nan
    return Session(
        name=KIND,
        rates=rates[None],
        inputs=inputs[None],
        neuron_type=teacher.neuron_type,
        neuron_ids=[str(number + 1) for number in range(config.neurons)],
        time_ms=time_ms,
        bin_ms=config.bin_ms,
        duration_ms=np.array([plan.events.reward_ms]),
        labels={name: np.array([value], np.int64) for name, value in plan.labels.items()},
        true_rates=true[None],
        truth={"gain": np.array([plan.gain])},
    )
