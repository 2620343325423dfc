"""What needs no model stands beside it wherever wiring is recovered, with what it took; also where some neurons are not recorded."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neurocli.config import resolve
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.evaluation.baselines import wiring_of_recorded
from neurocli_cnn_lstm.interpretation.connectivity import connectivity_exhibit
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.reference_loop import draw_weights, simulate_reference

NEURONS, RECORDED = 40, 20


@pytest.fixture
def partly_recorded() -> RecordingSet:
    """Every second neuron of one network of forty."""
    from neurocli.recordings import Recording

    config = BrunelConfig(seed=3, duration_ms=4000.0, neurons=NEURONS, record_neurons=RECORDED)
    weights = draw_weights(config, 3)
    post, pre = np.nonzero(weights)
    names = [f"{'E' if k < config.num_excitatory else 'I'}{k:03d}" for k in config.recorded]
    recordings = []
    for run in range(6):
        voltage, _, _ = simulate_reference(config, weights, run)
        signal = voltage[:, config.recorded]
        recordings.append(Recording(group=f"run-{run:04d}", signal=signal, dt_ms=1.0, unit="mV", channels=names))
    meta = {"simulator": "brunel", "parameters": config.model_dump(mode="json")}
    truth = {"pre": pre, "post": post, "weight_mv": weights[post, pre]}
    return RecordingSet.of(recordings, meta=meta, truth=truth)


@pytest.mark.slow
def test_some_neurons_of_a_network_are_scored_against_the_wiring_between_them(
    partly_recorded: RecordingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path))
    family = registry().family("cnn-lstm-v2")
    config = resolve(family.Config, sets=("data.burn_in_ms=200",)).config
    data = family.adapt(partly_recorded, config)
    assert isinstance(data, VoltageData)
    every_second = np.arange(0, NEURONS, 2)
    full = draw_weights(BrunelConfig(neurons=NEURONS), 3)
    np.testing.assert_array_equal(wiring_of_recorded(data, "run-0000"), full[np.ix_(every_second, every_second)])
    torch.manual_seed(0)
    network = family.build(config, data.spec)
    family.prepare(network, data, config)
    exhibit = connectivity_exhibit(TrainedModel(network.eval(), config, data, 0, [], 12.0), tmp_path)
    assert exhibit.table is not None
    cost = exhibit.table.columns.index("CPU-s")
    rows = {row[0]: row for row in exhibit.table.rows}
    assert rows["model"][cost] >= 12.0
    for name in ("ridge of resets", "spike-triggered change", "spike correlation"):
        assert rows[name][cost] > 0 and rows[name][cost + 1] >= 2 * RECORDED**2
        key = name.replace(" ", "_").replace("-", "_")
        assert exhibit.claims[f"auc_I_{key}"] > 0.6
    assert exhibit.claims["auc_I_ridge_of_resets"] > 0.95
    # The synapses begin where the regression ends.
    assert exhibit.claims["auc_I_model"] > 0.95
    zero = resolve(family.Config, sets=("data.burn_in_ms=200", "model.start=zero")).config
    untouched = family.build(zero, data.spec)
    family.prepare(untouched, data, zero)
    assert untouched.synapse.raw_weight.abs().max() == 0
