"""The linear path of eirnn-v2, and what is left when it, or Dale's law, is off."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli.plugin.registry import registry
from neurocli_eirnn import ablation, baselines
from neurocli_eirnn.data import SessionData
from neurocli_eirnn.example import small_session
from neurocli_eirnn.model_v2 import build_v2
from neurocli_eirnn.rates import test_rows as rows_tested
from neurocli_eirnn.ridge import ridge_rates


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
    module = family.build(config, data.spec)
    family.prepare(module, data, config)
    return module, data, config


def silence(module) -> None:
    """The network without any drive of its own."""
    with torch.no_grad():
        for name in ("v", "input_weights", "return_weights", "bias", "start"):
            getattr(module, name).zero_()
        module.baseline_raw.fill_(-30.0)


def test_alone_and_in_full_the_linear_path_says_what_the_ridge_says(recordings):
    module, data, _ = prepared(recordings, linear_share=1.0)
    silence(module)
    inputs = data.inputs[rows_tested(data)]
    fitted = baselines.event_time_fit(data).values
    expected = ridge_rates(baselines._event_time(data), fitted, inputs)
    lowest = 0.031 * module.linear_gain.numpy()
    with torch.no_grad():
        rates = module(torch.from_numpy(inputs)).numpy()
        alone = module.linear_rates(torch.from_numpy(inputs)).numpy()
    assert rates == pytest.approx(alone, rel=2e-3, abs=2e-3)
    busy = (expected > lowest).all(axis=(0, 1))
    assert busy.any()
    assert alone[..., busy] == pytest.approx(expected[..., busy], rel=1e-3, abs=1e-3)


def test_before_it_is_fitted_it_says_nothing(recordings):
    module, data, config = prepared(recordings)
    torch.manual_seed(0)
    unfitted = build_v2(config, data.spec)
    config.model.linear_share = 0.0
    torch.manual_seed(0)
    without = build_v2(config, data.spec)
    inputs = torch.from_numpy(data.inputs[:8])
    torch.testing.assert_close(unfitted(inputs), without(inputs), rtol=1e-4, atol=1e-4)
    assert (module(inputs) - without(inputs)).abs().mean() > 0.1


def test_it_stays_as_it_was_fitted_while_the_network_learns(recordings, make_trained):
    module, data, config = prepared(recordings)
    family = registry().family("eirnn-v2")
    before = {name: value.clone() for name, value in module.named_buffers()}
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    batch = next(iter(data.batches("train", seed=0, epoch=0)))
    for _ in range(3):
        optimiser.zero_grad()
        family.loss(module, batch, config).total.backward()
        optimiser.step()
    for name, value in module.named_buffers():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is not None for p in module.parameters())
    weights = module.weights.detach()
    assert ((weights >= 0).all(0) | (weights <= 0).all(0)).all()


def test_ablation_names_the_linear_path_and_the_network(recordings, make_trained, tmp_path):
    trained = make_trained(recordings)
    registry().family("eirnn-v2").prepare(trained.module, trained.data, trained.config)
    rates = {name: rates for _, name, rates in ablation.ablated_rates(trained, rows_tested(trained.data))}
    assert {"linear path", "network (linear path alone)"} <= set(rates)
    assert trained.module.linear_path
    assert np.nanmax(np.abs(rates["linear path"] - rates["nothing"])) > 0.1
    claims = ablation.ablation_exhibit(trained, tmp_path).claims
    assert claims["change_without_linear path"] is not None


def test_dales_law_can_be_bypassed(recordings):
    module, data, _ = prepared(recordings, bypass_dale=True)
    lawful, _, _ = prepared(recordings)
    assert torch.equal(module.weights, lawful.weights)  # they start alike
    loss = (module(torch.from_numpy(data.inputs[:4])) - 20).square().mean()
    loss.backward()
    with torch.no_grad():
        module.v -= 0.5 * module.v.grad.sign()
    weights = module.weights.detach()
    assert not ((weights >= 0).all(0) | (weights <= 0).all(0)).all()
