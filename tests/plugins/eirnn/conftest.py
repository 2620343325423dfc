"""A small simulated session, and the folder of real ones."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import torch

from neurocli.plugin.cards import SimulatorCard
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings.recordingset import RecordingSet
from neurocli_eirnn.data.session import Session
from neurocli_eirnn.data.writers.matfile import write_mat, write_mat5
from neurocli_eirnn.simulation.parameters import ScSessionConfig
from neurocli_eirnn.simulation.simulator import ScSessionSimulator

CARD = SimulatorCard(
    name="sc-session", summary="test", implementation="neurocli_eirnn.simulation.simulator:ScSessionSimulator"
)


@pytest.fixture(scope="session")
def simulator() -> ScSessionSimulator:
    return ScSessionSimulator(CARD)


@pytest.fixture(scope="session")
def simulated(simulator, tmp_path_factory) -> RecordingSet:
    """240 trials, as `neuro simulate` would leave them in a file."""
    config = ScSessionConfig()
    meta = {"simulator": CARD.name, "parameters": config.model_dump(), "simulation": {"first": 0, "runs": 240}}
    made = []
    for index in range(240):
        recording = simulator.simulate(config, index, Path())
        recording.group = simulator.group_name(config, index)
        made.append(recording)
    path = tmp_path_factory.mktemp("simulated") / "session.h5"
    RecordingSet.of(made, meta=meta, truth=simulator.truth(config)).save(path)
    return RecordingSet.open(path)


@pytest.fixture(scope="session")
def session(simulated) -> Session:
    """The first 30 of these trials; tests must not change it."""
    return Session.of(simulated.subset(simulated.groups[:30]))


@pytest.fixture(scope="session")
def v73(session, tmp_path_factory) -> Path:
    """These 30 trials as a .mat file of version 7.3."""
    named = dataclasses.replace(session, brain_area=["SC"] * session.neurons, name="Monkey_01")
    return write_mat(named, tmp_path_factory.mktemp("v73") / "rnn_export_Monkey_01.mat")


@pytest.fixture(scope="session")
def v5(session, tmp_path_factory) -> Path:
    """The same as version 5."""
    named = dataclasses.replace(session, brain_area=["SC"] * session.neurons, name="Monkey_01")
    return write_mat5(named, tmp_path_factory.mktemp("v5") / "rnn_export_Monkey_01.mat")


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real sessions."""
    folder = os.environ.get("NEUROCLI_REAL_DATA")
    if not folder:
        pytest.skip("NEUROCLI_REAL_DATA is not set")
    return Path(folder) / "eirnn"


@pytest.fixture(scope="session")
def make_trained():
    """`make_trained(recordings, model, steps, ...)` → TrainedModel."""

    def make(recordings: RecordingSet, model: str = "eirnn-v2", steps: int = 0, **options) -> TrainedModel:
        """A model after a few plain steps; `options` change fields of its section `model`."""
        family = registry().family(model)
        config = family.Config()
        for name, value in {"compiled": "off", **options}.items():  # compiling takes longer than these few steps
            setattr(config.model, name, value)
        config.evaluate.rivals = "none"  # a test that wants them says so: they take longer than all the rest
        data = family.adapt(recordings, config)
        torch.manual_seed(0)
        network = family.build(config, data.spec)
        optimiser = torch.optim.Adam(network.parameters(), 2e-2)
        for epoch in range(steps):
            for batch in data.batches("train", seed=0, epoch=epoch):
                optimiser.zero_grad()
                family.loss(network, batch, config).total.backward()
                optimiser.step()
        return TrainedModel(network.eval(), config, data, 0, [], None, family)

    return make
