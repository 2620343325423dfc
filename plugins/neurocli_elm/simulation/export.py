"""Writing simulations as NeuronIO files: pickles of protocol 2 with the published keys and types."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.runs.atomic import replacing
from neurocli_elm.data.readers.neuronio import SIMULATIONS
from neurocli_elm.simulation.inputs import DIFFERENCE, INTERVALS_MS
from neurocli_elm.simulation.parameters import DendriteConfig, parameters_of

SIMULATIONS_PER_FILE = 8
"""Each event is an object of its own while a file is written: 128 simulations, as published, would take gigabytes."""
_SEED_STRIDE = 100_000
_KINDS = {True: "basal", False: "apical"}


def write_files(recordings: RecordingSet, folder: Path) -> list[Path]:
    """The simulations in the order of the set. Raises DataError where they are not those of our simulator."""
    config = parameters_of(recordings)
    if config is None:
        raise DataError(
            "only recordings of the simulator dendrite can be written as NeuronIO files",
            where=", ".join(recordings.sources) or "data",
            hint="other recordings lack the voltages at high resolution that these files hold",
        )
    files = []
    for first in range(0, len(recordings.groups), SIMULATIONS_PER_FILE):
        members = [recordings[group] for group in recordings.groups[first : first + SIMULATIONS_PER_FILE]]
        random_seed = config.seed * _SEED_STRIDE + int(members[0].labels["simulation"])
        content = {
            "Params": _params(config, recordings.truth, members, random_seed),
            "Results": {SIMULATIONS: [_simulation(member, config) for member in members]},
        }
        spikes = content["Params"]["totalNumOutputSpikes"]
        path = folder / (
            f"sim__saved_InputSpikes___{spikes}_outSpikes__{len(members)}_simulationRuns"
            f"__{content['Params']['totalSimDurationInSec']:g}_secDuration__randomSeed_{random_seed}.p"
        )
        # The module's name up to numpy 1: old and new versions know it.
        text = pickle.dumps(content, protocol=2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
        with replacing(path) as temporary:
            temporary.write_bytes(text)
        files.append(path)
    return files


def _simulation(recording: Recording, config: DendriteConfig) -> dict[str, Any]:
    """One simulation; low resolution is 1 per ms, high resolution every step of integration."""
    soma, nexus = recording.truth["soma_high_res_mv"], recording.truth["nexus_high_res_mv"]
    every = config.steps_per_ms
    content: dict[str, Any] = {
        "recordingTimeHighRes": (np.arange(len(soma)) / every).astype(np.float32),
        "somaVoltageHighRes": soma.astype(np.float16),
        "nexusVoltageHighRes": nexus.astype(np.float16),
        "recordingTimeLowRes": np.arange(recording.steps, dtype=np.float32),
        "somaVoltageLowRes": recording.signal[:, 0].astype(np.float16),
        "nexusVoltageLowRes": nexus[::every].astype(np.float16),
        "exInputSpikeTimes": _by_segment(recording, 0, config.segments),
        "inhInputSpikeTimes": _by_segment(recording, config.segments, config.segments),
        "outputSpikeTimes": recording.events["output_spike_ms"].astype(np.float16),
    }
    if "dendritic_mv" in recording.truth:
        content["dendriticVoltagesLowRes"] = recording.truth["dendritic_mv"].T.astype(np.float16)
    return content


def _by_segment(recording: Recording, first: int, segments: int) -> dict[Any, list[Any]]:
    """Times in ms of the events of each segment that has any; keys and times are numpy's int64, as published."""
    assert recording.spikes is not None
    order = np.argsort(recording.spikes.channel, kind="stable")
    channel, step = recording.spikes.channel[order], recording.spikes.step[order].astype(np.int64)
    bounds = np.searchsorted(channel, first + np.arange(segments + 1))
    spans = zip(np.arange(segments), bounds[:-1], bounds[1:], strict=True)
    return {segment: list(step[start:stop]) for segment, start, stop in spans if stop > start}


def _params(
    config: DendriteConfig, truth: Mapping[str, NDArray[Any]], members: Sequence[Recording], random_seed: int
) -> dict[str, Any]:
    seconds = config.duration_ms / 1000
    spike_times = [recording.events["output_spike_ms"] for recording in members]
    counts = [len(times) for times in spike_times]
    intervals = [float(gap) for times in spike_times for gap in np.diff(times)]
    total_s = seconds * len(members)
    return {
        "randomSeed": random_seed,
        "numSimulations": len(members),
        "totalSimDurationInSec": int(seconds) if seconds == int(seconds) else seconds,
        "collectAndSaveDVTs": config.record_dendrites,
        "numSamplesPerMS_HighRes": config.steps_per_ms,
        "excitatorySynapseType": "NMDA",
        "inhibitorySynapseType": "GABA_A",
        "useActiveDendrites": False,
        "Ih_vshift": 0,
        "inst_rate_sampling_time_interval_options_ms": list(INTERVALS_MS),
        **_ranges(config, truth),
        **_tree(truth),
        "ISICV": float(np.std(intervals) / np.mean(intervals)) if intervals else float("nan"),
        "listOfISIs": intervals,
        "numOutputSpikesPerSim": counts,
        "totalNumOutputSpikes": sum(counts),
        "totalNumSimulationSeconds": int(total_s) if total_s == int(total_s) else total_s,
        "averageOutputFrequency": sum(counts) / total_s,
        "entireExperimentDurationInMinutes": float("nan"),  # that would make each file another one
    }


def _ranges(config: DendriteConfig, truth: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Bounds of the common rates of a tree, in events per 100 ms; bursts come on top."""
    ranges: dict[str, Any] = {}
    for name, members in (("bas", truth["is_basal"]), ("apic", ~truth["is_basal"])):
        mean = config.excitatory_hz * int(members.sum()) * 0.1
        ranges[f"num_{name}_ex_spikes_per_100ms_range"] = [0, round(2 * mean)]
        ranges[f"num_{name}_ex_inh_spike_diff_per_100ms_range"] = [round(bound * mean) for bound in DIFFERENCE]
    return ranges


def _tree(truth: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Sections are branches; a section's distance is that of its beginning, a segment's that of its middle."""
    branch, length, distance = truth["branch"], truth["length_um"], truth["distance_um"]
    first = np.flatnonzero(np.diff(branch, prepend=-1))
    start = distance[first] - length[first] / 2
    return {
        "allSectionsType": [_KINDS[bool(kind)] for kind in truth["is_basal"][first]],
        "allSections_DistFromSoma": start.tolist(),
        "allSectionsLength": np.bincount(branch, length).tolist(),
        "allSegmentsType": [_KINDS[bool(kind)] for kind in truth["is_basal"]],
        "allSegmentsLength": length.tolist(),
        "allSegments_DistFromSoma": distance.tolist(),
        "allSegments_SectionDistFromSoma": start[branch].tolist(),
        "allSegments_SectionInd": branch.tolist(),
    }
