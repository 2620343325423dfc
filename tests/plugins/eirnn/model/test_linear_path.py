"""The linear path of eirnn-v2, and what is left when it, or Dale's law, is off."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neurocli.errors import DataError
from neurocli.plugin.registry import registry
from neurocli.training import load
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.evaluation import baselines
from neurocli_eirnn.evaluation.rates import test_rows as rows_tested
from neurocli_eirnn.interpretation import ablation, recovery
from neurocli_eirnn.model.ridge import ridge_rates
from neurocli_eirnn.model.v2 import build_v2
from neurocli_eirnn.simulation.example import small_session


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def recordings():
    return small_session(0, trials=60)


def prepared(recordings, **options):
    """(module after `prepare`, data, config)."""
    family = registry().family("eirnn-v2")
    config = family.Config()
    for name, value in {"compiled": "off", **options}.items():
        setattr(config.model, name, value)
    data = family.adapt(recordings, config)
    assert isinstance(data, SessionData)
    torch.manual_seed(0)
    network = family.build(config, data.spec)
    family.prepare(network, data, config)
    return network, data, config


def of_tests(data) -> torch.Tensor:
    return torch.from_numpy(data.inputs[rows_tested(data)])


@torch.no_grad()
def test_rates_are_the_mean_of_network_and_ridge(recordings):
    module, data, _ = prepared(recordings, linear_weight=0.25)
    inputs = of_tests(data)
    fitted = baselines.event_time_fit(data).values
    ridge = ridge_rates(baselines._event_time(data), fitted, inputs.numpy())
    assert module.linear_rates(inputs).numpy() == pytest.approx(ridge, rel=1e-3, abs=2e-3)
    network = module.readout(module.states(inputs)).numpy()
    assert module(inputs).numpy() == pytest.approx(0.75 * network + 0.25 * ridge, rel=1e-3, abs=2e-3)
    assert np.abs(network - ridge).mean() > 0.1


@torch.no_grad()
def test_before_it_is_fitted_and_without_it_the_network_is_the_model(recordings):
    network, data, config = prepared(recordings)
    torch.manual_seed(0)
    unfitted = build_v2(config, data.spec)
    without, _, _ = prepared(recordings, linear_weight=0.0)
    inputs = of_tests(data)
    assert torch.equal(unfitted(inputs), network.network_rates(inputs))
    assert torch.equal(without(inputs), network.network_rates(inputs))
    assert not any(name.startswith("linear") for name in without.state_dict())
    assert (network(inputs) - without(inputs)).abs().mean() > 0.1


def test_the_network_learns_by_itself_and_the_linear_path_stays(recordings):
    network, data, config = prepared(recordings)
    without, _, bare = prepared(recordings, linear_weight=0.0)
    family = registry().family("eirnn-v2")
    before = {name: value.clone() for name, value in network.named_buffers()}
    for one, own in ((network, config), (without, bare)):
        optimiser = torch.optim.Adam(one.parameters(), 1e-2)
        for batch in data.batches("train", seed=0, epoch=0):
            optimiser.zero_grad()
            family.loss(one, batch, own).total.backward()
            optimiser.step()
    for name, value in network.named_buffers():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is not None for p in network.parameters())
    for (name, value), other in zip(network.named_parameters(), without.parameters(), strict=True):
        assert torch.equal(value, other), name
    batch = data.batch(rows_tested(data))
    assert family.validation_loss(network, batch, config) == family.validation_loss(without, batch, bare)
    weights = network.weights.detach()
    assert ((weights >= 0).all(0) | (weights <= 0).all(0)).all()


@pytest.fixture(scope="module")
def fitted(recordings, make_trained):
    trained = make_trained(recordings)
    registry().family("eirnn-v2").prepare(trained.network, trained.dataset, trained.config)
    return trained


def test_ablation_switches_off_a_part_of_the_mean(fitted, tmp_path):
    whole, data = fitted.network, fitted.dataset
    rates = {name: rates for _, name, rates in ablation.ablated_rates(fitted, rows_tested(data))}
    inputs, known = of_tests(data), np.isfinite(rates["nothing"])
    weight = fitted.config.model.linear_weight
    with torch.no_grad():
        linear = whole.linear_rates(inputs).numpy()
        network = whole.network_rates(inputs).numpy()
        cut = whole.readout(whole.states(inputs, weights=torch.zeros_like(whole.weights))).numpy()
    expected = {
        "linear path (network alone)": network,
        "network (linear path alone)": linear,
        "all recurrence": (1 - weight) * cut + weight * linear,
        "nothing": (1 - weight) * network + weight * linear,
    }
    for name, value in expected.items():
        assert rates[name][known] == pytest.approx(value[known], rel=1e-4, abs=1e-4), name
    claims = ablation.ablation_exhibit(fitted, tmp_path).claims
    assert claims["change_without_linear path (network alone)"] is not None


def test_both_parts_stand_beside_the_true_rates_and_are_no_baselines(fitted, tmp_path):
    exhibit = recovery.rate_recovery(fitted, tmp_path)
    rows = {row[0]: row for row in exhibit.table.rows}
    parts = [rows[name] for name in ("network alone", "linear path alone")]
    assert list(rows)[:3] == ["model", "network alone", "linear path alone"]
    assert sum(row[-1] for row in parts) == rows["model"][-1]
    assert exhibit.claims["best_baseline"] in {"train PSTH", "location PSTH", "condition PSTH", "ridge, lagged inputs"}
    # An untrained network has none of the signal, the regression has: each row is of its own part.
    assert parts[1][1] > parts[0][1]


def test_runs_of_the_path_that_drove_units_are_refused_in_words(recordings, tmp_path):
    family = registry().family("eirnn-v2")
    with pytest.raises(DataError, match=r"does not fit this version: model\.linear_share"):
        load.config_of(family, SimpleNamespace(read_config=lambda: {"model": {"linear_share": 0.7}}, config=tmp_path))
    network, _, _ = prepared(recordings)
    old = dict(network.state_dict())
    old["linear_gain"] = old.pop("linear_weight")
    with pytest.raises(DataError, match="weights do not fit the model: linear_gain, linear_weight") as refused:
        load.load_weights(network, old, where="best")
    assert "train a new run" in str(refused.value.hint)


def test_dales_law_can_be_bypassed(recordings):
    network, data, _ = prepared(recordings, bypass_dale=True)
    lawful, _, _ = prepared(recordings)
    assert torch.equal(network.weights, lawful.weights)  # they start alike
    loss = (network(torch.from_numpy(data.inputs[:4])) - 20).square().mean()
    loss.backward()
    with torch.no_grad():
        network.v -= 0.5 * network.v.grad.sign()
    weights = network.weights.detach()
    assert not ((weights >= 0).all(0) | (weights <= 0).all(0)).all()
