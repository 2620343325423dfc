"""The simulator `brunel`: seeds and engines around the network; what it simulated, and its export as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording, Spikes
from neurocli.recordings.recordingset import RecordingSet
from neurocli.runs.atomic import write_text
from neurocli.simulation.simulator import Simulator, seed_of
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig

_NOISE, _NETWORK = 0, 1
_FALLBACK, _NUMPY = "fallback.txt", "numpy.txt"


class BrunelSimulator(Simulator):
    """One group is one run of the network; the engines are loaded when the first one starts."""

    Config = BrunelConfig
    Formats = {"dat": "the published text files: run_N_voltages.dat, run_N_spikes.dat and simulation_summary.txt"}

    def prepare(self, config: BrunelConfig, work: Path, say: Callable[[str], None]) -> None:
        """Compile the standalone program; where that cannot be, note in `work` that the runtime engine takes over."""
        from neurocli.simulation.program import EngineUnavailable
        from neurocli_cnn_lstm.simulation import brunel_network, engine_standalone

        brunel_network.check_rate(config)
        (work / _NUMPY).unlink(missing_ok=True)
        if config.engine == "runtime":
            self._prepare_runtime(config, work, say)
            return
        note = work / _FALLBACK
        try:
            program = engine_standalone.program_of(config, work)
            if not program.is_ready:
                say("compiling the simulation (once; the program is kept)")
            program.prepare()
            note.unlink(missing_ok=True)
        except EngineUnavailable as error:
            say(f"{error.message}; using the slower runtime engine")
            write_text(note, error.message + "\n")
            self._prepare_runtime(config, work, say)

    def _prepare_runtime(self, config: BrunelConfig, work: Path, say: Callable[[str], None]) -> None:
        """Compile Brian2's code for all workers at once; where that cannot be, note in `work` that numpy code takes over."""
        from neurocli_cnn_lstm.simulation import engine_runtime
        from neurocli_cnn_lstm.simulation.brunel_network import connectivity

        wiring = None if config.seeding == "published" else connectivity(config, seeds(config, 0)[1])
        reason = engine_runtime.why_not_compiled(config, wiring)
        if reason is not None:
            also = ": the spike times are not the published ones" if config.seeding == "published" else ""
            say(f"{reason}; using numpy code, {engine_runtime.SLOWER}{also}")
            write_text(work / _NUMPY, reason + "\n")

    def simulate(self, config: BrunelConfig, index: int, work: Path) -> Recording:
        from neurocli_cnn_lstm.data.readers.dat import channel_names
        from neurocli_cnn_lstm.simulation import engine_runtime, engine_standalone
        from neurocli_cnn_lstm.simulation.brunel_network import connectivity

        noise_seed, network_seed = seeds(config, index)
        wiring = None if config.seeding == "published" else connectivity(config, network_seed)
        engine = "runtime" if (work / _FALLBACK).exists() else config.engine
        if engine == "standalone":
            assert wiring is not None  # published seeding has the runtime engine
            outcome = engine_standalone.simulate(config, noise_seed, wiring, work)
        else:
            only_numpy = (work / _NUMPY).exists()
            outcome = engine_runtime.simulate(config, noise_seed, wiring, only_numpy=only_numpy)
        return Recording(
            group=self.group_name(config, index),
            # Microvolts, as the text files and the recording files keep them: memory and file hold the same numbers.
            signal=outcome.v_mv.round(3).astype(np.float32),
            dt_ms=config.record_ms,
            unit="mV",
            channels=channel_names(config.recorded, config.num_excitatory, config.neurons),
            spikes=Spikes(outcome.step, outcome.neuron, config.dt_ms),
            labels={
                "index": index,
                "noise_seed": noise_seed,
                "network_seed": network_seed,
                "engine": f"{engine}, numpy code" if outcome.code == "numpy" else engine,
                "neurons": config.neurons,
                "duration_ms": config.duration_ms,
            },
            truth=outcome.wiring.truth(config) if own_network(config) else {},
        )

    def truth(self, config: BrunelConfig) -> Mapping[str, NDArray[Any]]:
        """What all runs share: who is excitatory, and the network where it is fixed."""
        from neurocli_cnn_lstm.simulation.brunel_network import connectivity, neuron_types

        shared: dict[str, NDArray[Any]] = {"neuron_type": neuron_types(config)}
        if not own_network(config):
            shared |= connectivity(config, config.network_seed).truth(config)
        return shared

    def identity(self, config: BrunelConfig) -> dict[str, Any]:
        """All but what published seeding ignores. The engine stays: it decides the random stream."""
        ignored = {"network", "network_seed"} if config.seeding == "published" else set()
        return config.model_dump(mode="json", exclude=ignored)

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        from neurocli_cnn_lstm.simulation.summary import summarise

        return summarise(recordings, figures)

    def export(self, recordings: RecordingSet, format: str, folder: Path) -> list[Path]:
        from neurocli_cnn_lstm.data.readers import dat
        from neurocli_cnn_lstm.simulation import summary as simulation_summary

        if format != "dat":
            return super().export(recordings, format, folder)
        files: list[Path] = []
        runs = []
        for position, group in enumerate(recordings):
            recording = recordings[group]
            files += dat.write_run(folder, int(recording.labels.get("index", position)), recording)
            runs.append(simulation_summary.statistics_of(recording, recordings.truth))
        if runs:
            sizes = runs[0]["E"].neurons, runs[0]["I"].neurons
            rates, cvs = [run["all"].rate_hz for run in runs], [run["all"].cv_isi for run in runs]
            channels = recordings[recordings.groups[0]].channels or []
            recorded = [int(name[1:]) for name in channels] if len(channels) < sum(sizes) else None
            files.append(dat.write_summary(folder, *sizes, rates, cvs, recorded))
        return files


def own_network(config: BrunelConfig) -> bool:
    """Whether each run has a network of its own."""
    return config.network == "redraw" or config.seeding == "published"


def seeds(config: BrunelConfig, index: int) -> tuple[int, int]:
    """(noise seed, network seed) of a run."""
    if config.seeding == "published":
        return config.seed + index, config.seed + index
    network = seed_of(config.network_seed, index, _NETWORK) if config.network == "redraw" else config.network_seed
    return seed_of(config.seed, index, _NOISE), network
