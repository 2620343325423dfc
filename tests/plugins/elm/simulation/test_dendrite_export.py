"""Simulated cells as NeuronIO files: the published keys and types, and what the reader gets back."""

from __future__ import annotations

import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.plugin.cards import SimulatorCard
from neurocli.recordings.pickles.unpickle import load
from neurocli.recordings.recordingset import RecordingSet
from neurocli_elm.data.readers.neuronio import SIMULATIONS, read_cell, read_file
from neurocli_elm.simulation.example import small_cells
from neurocli_elm.simulation.export import SIMULATIONS_PER_FILE
from neurocli_elm.simulation.simulator import DendriteSimulator

SIMULATOR = DendriteSimulator(
    SimulatorCard(name="dendrite", summary="test", implementation="neurocli_elm.simulation.simulator:DendriteSimulator")
)


@pytest.fixture(scope="module")
def cells():
    return small_cells(2, simulations=SIMULATIONS_PER_FILE + 1, duration_ms=3000)


@pytest.fixture(scope="module")
def files(cells, tmp_path_factory):
    return SIMULATOR.export(cells, "p", tmp_path_factory.mktemp("neuronio"))


def test_the_reader_gets_back_what_was_simulated(cells, files):
    assert len(files) == 2
    from_files = [recording for path in files for recording in read_file(path)]
    assert len(from_files) == len(cells)
    spikes = 0
    for group, read in zip(cells, from_files, strict=True):
        simulated = cells[group]
        assert np.array_equal(read.spikes.step, simulated.spikes.step)
        assert np.array_equal(read.spikes.channel, simulated.spikes.channel)
        assert np.array_equal(read.signal, simulated.signal.astype(np.float16).astype(np.float32))
        times = simulated.events["output_spike_ms"]
        assert np.array_equal(read.events["output_spike_ms"], times.astype(np.float16).astype(np.float64))
        redetected = read.events["output_spike_redetected_ms"]
        assert len(redetected) == len(times) and np.abs(redetected - times).max(initial=0) <= 0.125
        assert (read.labels["num_inputs"], read.labels["num_excitatory"]) == (128, 64)
        spikes += len(times)
    assert spikes > 0
    truth = read_cell(files[0]).truth
    assert np.array_equal(truth["is_basal"], cells.truth["is_basal"])
    assert np.array_equal(truth["distance_um"], cells.truth["distance_um"])


def test_names_say_what_is_inside_and_differ(cells, files):
    counts = [len(cells[group].events["output_spike_ms"]) for group in cells]
    assert files[0].name == (
        f"sim__saved_InputSpikes___{sum(counts[:8])}_outSpikes__8_simulationRuns__3_secDuration__randomSeed_200000.p"
    )
    assert files[1].name.endswith("__1_simulationRuns__3_secDuration__randomSeed_200008.p")


def test_types_are_the_published_ones(cells, files):
    content = pickle.loads(files[1].read_bytes())  # our own
    (simulation,) = content["Results"][SIMULATIONS]
    simulated = cells[cells.groups[-1]]
    types = {name: (value.dtype, value.shape) for name, value in simulation.items() if isinstance(value, np.ndarray)}
    assert types == {
        "recordingTimeHighRes": (np.float32, (24_000,)),
        "somaVoltageHighRes": (np.float16, (24_000,)),
        "nexusVoltageHighRes": (np.float16, (24_000,)),
        "recordingTimeLowRes": (np.float32, (3000,)),
        "somaVoltageLowRes": (np.float16, (3000,)),
        "nexusVoltageLowRes": (np.float16, (3000,)),
        "outputSpikeTimes": (np.float16, (len(simulated.events["output_spike_ms"]),)),
    }
    excitatory = simulation["exInputSpikeTimes"]
    assert all(type(key) is np.int64 and 0 <= key < 64 for key in excitatory)
    assert all(type(times) is list and all(type(time) is np.int64 for time in times) for times in excitatory.values())
    assert sum(map(len, excitatory.values())) == (simulated.spikes.channel < 64).sum()
    params = content["Params"]
    assert params["totalNumOutputSpikes"] == len(simulated.events["output_spike_ms"])
    assert len(params["allSegmentsType"]) == 64 and set(params["allSectionsType"]) == {"basal", "apical"}
    first = np.flatnonzero(np.diff(params["allSegments_SectionInd"], prepend=-1))
    start = np.array(params["allSegments_DistFromSoma"])[first] - np.array(params["allSegmentsLength"])[first] / 2
    assert np.allclose(params["allSections_DistFromSoma"], start)
    assert sum(params["allSectionsLength"]) == pytest.approx(sum(params["allSegmentsLength"]))


def test_any_numpy_can_load_it(files):
    text = files[1].read_bytes()
    assert text[:2] == b"\x80\x02"
    names = {argument for code, argument, _ in pickletools.genops(text) if code.name == "GLOBAL"}
    assert names == {
        "numpy ndarray",
        "numpy dtype",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
        "_codecs encode",
    }


@pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set")
def test_the_keys_are_those_of_a_published_file(files):
    real = sorted((Path(os.environ["NEUROCLI_REAL_DATA"]) / "elm").glob("*randomSeed_1.p"))
    if not real:
        pytest.skip("no published file here")
    theirs, ours = load(real[0]), load(files[0])
    assert set(ours) == set(theirs) and set(ours["Params"]) == set(theirs["Params"])
    assert set(ours["Results"][SIMULATIONS][0]) == set(theirs["Results"][SIMULATIONS][0])
    for name, value in theirs["Params"].items():
        assert type(ours["Params"][name]) is type(value), name


def test_dendritic_voltages_go_along(tmp_path):
    from neurocli_elm.simulation.parameters import DendriteConfig
    from neurocli_elm.simulation.simulator import simulate_cell, truth_of

    config = DendriteConfig(duration_ms=1000, segments=64, record_dendrites=True)
    meta = {"simulator": "dendrite", "parameters": config.model_dump(mode="json")}
    cells = RecordingSet.of([simulate_cell(config, 0)], meta=meta, truth=truth_of(config))
    (path,) = SIMULATOR.export(cells, "p", tmp_path)
    content = pickle.loads(path.read_bytes())
    dendrites = content["Results"][SIMULATIONS][0]["dendriticVoltagesLowRes"]
    assert dendrites.dtype == np.float16 and content["Params"]["collectAndSaveDVTs"] is True
    assert np.array_equal(dendrites, cells["run-0000"].truth["dendritic_mv"].T)


def test_what_others_recorded_is_not_written(cells, tmp_path):
    other = RecordingSet.of([cells["run-0000"]], meta={"kind": "neuronio"})
    with pytest.raises(DataError, match="only recordings of the simulator dendrite"):
        SIMULATOR.export(other, "p", tmp_path)
    assert not list(tmp_path.iterdir())
