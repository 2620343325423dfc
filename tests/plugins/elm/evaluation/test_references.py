"""Checkpoints that are scored beside a model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from neurocli.errors import DataError
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli_elm.model.build import options_of
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.simulation.example import small_cells


@pytest.fixture(scope="module")
def cells():
    return small_cells(0, simulations=4, duration_ms=1500)


def asked(cells, *checkpoints):
    """(family, config, data, main target) of a test of two simulations."""
    family = registry().family("elm-v2")
    config = family.Config()
    config.evaluate.rivals = "none"
    config.evaluate.checkpoints = checkpoints
    data = family.adapt(cells, config, Split(tuple(cells.groups[:2]), (), tuple(cells.groups[2:]), "given"))
    return family, config, data, family.targets(data, config)[0]


def saved(folder, config, inputs):
    """(neuron of version 1 with random weights, its checkpoint)."""
    folder.mkdir()
    torch.manual_seed(3)
    neuron = ElmNeuron(options_of(registry().family("elm-v1").Config().model, inputs, 1)).eval()
    torch.save(neuron.state_dict(), folder / "weights.pt")
    known = {"mlp_activation": "relu", "lambda_value": 5.0, "delta_t": 1.0}
    (folder / "model_config.json").write_text(json.dumps(known))
    return neuron, folder / "weights.pt"


def test_a_checkpoint_answers_as_its_neuron_does(cells, tmp_path):
    family, config, data, _ = asked(cells)
    neuron, path = saved(tmp_path / "elsewhere", config, data.channels)
    family, config, data, target = asked(cells, path)
    [reference] = [p for p in family.baselines(data, config) if p.kind == "control"]
    assert reference.name == "elsewhere"
    expected = family.predict(TrainedModel(neuron, config, data, 0, []), target)
    actual = reference.predict(target)
    for group in target.groups:
        np.testing.assert_allclose(actual.values[group], expected.values[group], atol=1e-6)


def test_one_that_is_gone_is_said_and_left_out(cells, tmp_path):
    family, config, data, _ = asked(cells, tmp_path / "gone.pt")
    assert {p.kind for p in family.baselines(data, config)} == {"baseline"}
    assert any("gone.pt not found" in line for line in family.notes(data, config))


def test_one_of_another_cell_is_refused(cells, tmp_path):
    _, path = saved(tmp_path / "other", asked(cells)[1], 300)
    family, config, data, _ = asked(cells, path)
    with pytest.raises(DataError, match="channel 299 of 128"):
        family.baselines(data, config)


def test_a_neuron_for_other_inputs_is_not_scored(cells, tmp_path):
    family, config, data, target = asked(cells)
    neuron, _ = saved(tmp_path / "other", config, 300)
    with pytest.raises(DataError, match="for 300 inputs, but the data have 128"):
        family.predict(TrainedModel(neuron, config, data, 0, []), target)


def test_a_reference_that_does_not_fit_is_said_before_the_training(cells, tmp_path):
    _, path = saved(tmp_path / "other", asked(cells)[1], 300)
    family = registry().family("elm-v2")
    config = family.Config()
    config.evaluate.checkpoints = (path,)
    with pytest.raises(DataError, match="channel 299 of 128"):
        family.adapt(cells, config)


def test_mixed_lengths_are_refused_but_new_data_may_be_of_another(cells):
    other = small_cells(1, simulations=2, duration_ms=1700)
    both = RecordingSet(
        {**{g: lambda g=g: cells[g] for g in cells.groups}, **{f"o{g}": lambda g=g: other[g] for g in other.groups}}
    )
    family = registry().family("elm-v2")
    with pytest.raises(DataError, match=r"mixed lengths: 1,500 ms in .* 1,700 ms"):
        family.adapt(both, family.Config())
    split = Split(tuple(cells.groups[:3]), (cells.groups[3],), tuple(f"o{g}" for g in other.groups), "new data")
    assert family.adapt(both, family.Config(), split).lengths[f"o{other.groups[0]}"] == 1700
