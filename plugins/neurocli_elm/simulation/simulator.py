"""The simulator `dendrite`: input and output of a cell of many compartments. One group is one simulation of the same cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit
from neurocli.recordings.recording import Recording, Spikes
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.simulator import Simulator, seed_of
from neurocli_elm.simulation.parameters import DendriteConfig

NAME = "dendrite"
DT_MS = 1.0


class DendriteSimulator(Simulator):
    """Simulations that share one cell and differ in their input, laid out as NeuronIO's files are read."""

    Config = DendriteConfig
    Formats = {"p": "NeuronIO files (pickles of protocol 2 with the published keys), eight simulations in a file"}

    def prepare(self, config: DendriteConfig, work: Path, say: Callable[[str], None]) -> None:
        """Compile once. Raises EngineUnavailable where Brian2's program cannot be compiled."""
        if config.engine == "brian2":
            from neurocli_elm.simulation import engine_brian2

            program = engine_brian2.program_of(config, work)
            if not program.is_ready:
                say("compiling the cell, once")
            program.prepare()
        else:  # the compiled loop is cached: the workers find it
            simulate_cell(config.model_copy(update={"duration_ms": 10}), 0, work)

    def simulate(self, config: DendriteConfig, index: int, work: Path) -> Recording:
        return simulate_cell(config, index, work)

    def truth(self, config: DendriteConfig) -> Mapping[str, NDArray[Any]]:
        return truth_of(config)

    def summary(self, recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
        from neurocli_elm.simulation.summary import summarise

        return summarise(recordings, figures)

    def export(self, recordings: RecordingSet, format: str, folder: Path) -> list[Path]:
        if format != "p":
            return super().export(recordings, format, folder)
        from neurocli_elm.simulation.export import write_files

        return write_files(recordings, folder)


def simulate_cell(config: DendriteConfig, index: int, work: Path | None = None) -> Recording:
    """Simulation number `index`, a pure function of (config, index); `work` is where Brian2's program is kept.

    Its truth: soma_high_res_mv and nexus_high_res_mv, float16 [step of integration], as published files have them, and, if
    asked for, dendritic_mv, float16 [ms, segment].
    """
    from neurocli_elm.data.spike_times import label_steps, redetected_ms
    from neurocli_elm.simulation import engine_brian2, engine_numba
    from neurocli_elm.simulation.compartments import cell_of
    from neurocli_elm.simulation.inputs import draw_events

    cell = cell_of(config)
    step, channel = draw_events(config, cell.morphology, np.random.default_rng(seed_of(config.seed, index)))
    if config.engine == "brian2":
        assert work is not None
        voltages = engine_brian2.simulate(config, cell, step, channel, work)
    else:
        voltages = engine_numba.simulate(config, cell, step, channel)
    output = redetected_ms(voltages.soma, config.duration_ms)
    assert output is not None  # the voltage is complete and sampled evenly
    labels = label_steps(output)
    truth = {
        "soma_high_res_mv": voltages.soma.astype(np.float16),
        "nexus_high_res_mv": voltages.nexus.astype(np.float16),
    }
    if voltages.segments is not None:
        truth["dendritic_mv"] = voltages.segments.astype(np.float16)
    return Recording(
        group=f"run-{index:04d}",
        # To the microvolt, as files of recordings keep them.
        signal=voltages.soma[:: config.steps_per_ms].round(3).astype(np.float32)[:, None],
        dt_ms=DT_MS,
        unit="mV",
        channels=["soma"],
        spikes=Spikes(step, channel, DT_MS),
        events={
            "output_spike_ms": output,
            "output_spikes": labels,
            # Found in the voltage at high resolution, under the names that the reader gives to such times.
            "output_spike_redetected_ms": output,
            "output_spikes_redetected": labels,
        },
        labels={
            "num_inputs": 2 * config.segments,
            "num_excitatory": config.segments,
            "file": NAME,
            "simulation": index,
            "engine": config.engine,
        },
        truth=truth,
    )


def truth_of(config: DendriteConfig) -> dict[str, NDArray[Any]]:
    """The cell. [segment]: is_basal, distance_um, branch, length_um, diameter_um; [compartment], with the soma first: parent
    (-1 for the soma), kind (0 soma, 1 basal, 2 apical); [input]: input_compartment, input_branch, input_distance_um, and
    input_weight_ns, the peak of AMPA's or GABA's conductance; nexus [1]: the compartment where the tuft begins.
    """
    from neurocli_elm.simulation.compartments import cell_of
    from neurocli_elm.simulation.morphology import BASAL, SOMA

    cell = cell_of(config)
    tree = cell.morphology
    compartment = np.arange(1, tree.segments + 1, dtype=np.int32)
    return {
        "is_basal": tree.kind == BASAL,
        "distance_um": tree.distance_um,
        "branch": tree.branch,
        "length_um": tree.length_um,
        "diameter_um": tree.diameter_um,
        "parent": np.concatenate([[-1], tree.parent]).astype(np.int32),
        "kind": np.concatenate([[SOMA], tree.kind]).astype(np.int8),
        "input_compartment": np.tile(compartment, 2),
        "input_branch": np.tile(tree.branch, 2),
        "input_distance_um": np.tile(tree.distance_um, 2),
        "input_weight_ns": np.concatenate([cell.ampa_ns, cell.gaba_ns]),
        "nexus": np.array([tree.nexus + 1], np.int32),
    }
