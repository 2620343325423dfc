"""The diagnosis of published simulations and of a published neuron."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Split
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.readers.reader import NeuronIoReader
from neurocli_elm.model.build import config_of
from neurocli_elm.model.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def folder() -> Path:
    if "NEUROCLI_REAL_DATA" not in os.environ:
        pytest.skip("NEUROCLI_REAL_DATA is not set")
    return Path(os.environ["NEUROCLI_REAL_DATA"]) / "elm"


@pytest.fixture(scope="module")
def recordings(folder):
    return NeuronIoReader().read(sorted(folder.glob("*.p")))


def test_published_files(recordings):
    every = registry().family("elm-v2").diagnose_data(recordings, ElmConfig())
    by = {(f.check, f.subject[-20:]): f for f in every}
    large, small = "randomSeed_100523.p", "randomSeed_1.p"

    def of(check, file):
        return next(f for (name, subject), f in by.items() if name == check and subject.endswith(file))

    assert of("output-rate", large).value == "0.81 Hz, 34 output spikes, 0 to 19 in a simulation"
    assert of("output-rate", small).value == "0.67 Hz, 4 output spikes, 4 in a simulation"
    assert of("moved-labels", large).value.startswith("11 of 34 moved")
    assert of("moved-labels", small).value.startswith("3 of 4 moved")
    assert "density 1.10%" in of("input-rate", large).value
    assert not [f.check for f in every if f.verdict == "FAIL"]


def test_published_neuron(folder, recordings):
    actual = read_checkpoint(folder / "checkpoints" / "num_memory_15" / "neuronio_best_model_state.pt", version=1)
    config = config_of(actual.options)
    data = SimulationData(recordings, config, Split((), (), tuple(recordings.groups), "given"))
    every = {
        f.check: f
        for f in registry().family("elm-v1").diagnose_model(TrainedModel(actual.neuron(), config, data, 0, []))
    }
    assert every["timescales"].value.startswith("15 fixed: 1, ")
    assert every["dead-branches"].value == "none"
    assert 0.0 < every["dead-synapses"].value < 0.3
    assert "loss-terms" not in every  # no training simulations
    assert not [f.check for f in every.values() if f.verdict == "FAIL"]
