"""The diagnosis of a trained model: models with a known fault, and figures against independent ones."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neurocli.diagnosis import FAIL, PASS, WARN
from neurocli.evaluation.intervals import paired
from neurocli.plugin.family import TrainedModel
from neurocli_eirnn.config import V2Config
from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.data.dataset import SessionData, psth
from neurocli_eirnn.diagnosis.flow import state_gradients
from neurocli_eirnn.diagnosis.model import trained_findings
from neurocli_eirnn.diagnosis.rollout import Rollout, rollout
from neurocli_eirnn.diagnosis.untrained import gradient_findings
from neurocli_eirnn.diagnosis.weights import weight_findings
from neurocli_eirnn.evaluation.ceiling import bound
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.evaluation.targets import targets
from neurocli_eirnn.model import loss_v2
from neurocli_eirnn.model.v1 import build_v1
from neurocli_eirnn.model.v2 import build_v2
from neurocli_eirnn.model.versions import loss_of
from neurocli_eirnn.simulation.example import small_session


def configured(kind: type, **model: Any) -> Any:
    config = kind()
    return config.model_copy(update={"model": config.model.model_copy(update={"compiled": "off", **model})})


def built(kind: type, data: SessionData, config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return (build_v1 if kind is V1Config else build_v2)(config, data.spec)


def history(*losses: float) -> list[dict[str, float]]:
    return [{"epoch": n, "train_loss": loss, "validation_loss": loss} for n, loss in enumerate(losses)]


@pytest.fixture(scope="module")
def data() -> SessionData:
    return SessionData(small_session(0), configured(V2Config))


@pytest.fixture(scope="module")
def trained(data) -> TrainedModel:
    """Three epochs: far from good, but a model."""
    config = configured(V2Config)
    network = built(V2Config, data, config)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for epoch in range(3):
        for batch in data.batches("train", seed=0, epoch=epoch):
            optimizer.zero_grad()
            torch.stack(
                list(loss_v2.loss_terms(network(batch["inputs"]), batch, config.loss, 25.0).values())
            ).sum().backward()
            optimizer.step()
    return TrainedModel(network, config, data, 0, history(3.0, 1.0, 2.0))


def named(trained: TrainedModel) -> dict[tuple[str, str], Any]:
    return {(f.check, f.subject): f for f in trained_findings(trained)}


def test_a_trained_model_keeps_its_constraints(trained):
    found = named(trained)
    for check in ("unit-map", "dale", "spectral-radius", "ei-balance", "tenfold-input"):
        assert found[check, "model"].verdict == PASS
    assert found["dead-units", "units"].verdict == PASS
    assert found["best-epoch", "training"].value == "epoch 2 of 3"
    assert found["best-epoch", "training"].verdict == PASS


def test_a_diagnosis_leaves_the_model_as_it_was(trained):
    before = copy.deepcopy(trained.network.state_dict())
    trained.network.train()
    first = trained_findings(trained)
    assert trained.network.training
    assert all(torch.equal(value, before[name]) for name, value in trained.network.state_dict().items())
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in trained.network.parameters())
    assert [f.value for f in trained_findings(trained)] == [f.value for f in first]


def weighted_r(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> float:
    covariance = np.cov(first, second, aweights=weights)
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_figures_against_plain_numpy(trained, data):
    found = named(trained)
    weights = trained.network.weights.detach().numpy().astype(np.float64)
    assert found["spectral-radius", "model"].value == pytest.approx(abs(np.linalg.eigvals(weights)).max(), rel=1e-6)
    excitatory = trained.network.sign.numpy() > 0
    ratio = weights[:, excitatory].sum(axis=1) / -weights[:, ~excitatory].sum(axis=1)
    assert found["ei-balance", "model"].value == pytest.approx(np.median(ratio), rel=1e-6)

    with torch.no_grad():
        rates = trained.network(torch.from_numpy(data.inputs)).numpy().astype(np.float64)
        silent = trained.network(torch.zeros(1, *data.inputs.shape[1:])).numpy().astype(np.float64)
    change = np.abs(rates - silent).mean(axis=(0, 1)) / rates.mean(axis=(0, 1))
    assert found["input-modulation", "model"].value == pytest.approx(change.mean(), rel=1e-4)

    rows = data.rows(data.split.test)
    observed, model, true = (
        np.nanmean(np.where(np.isfinite(data.rates[rows]), x[rows], np.nan), 0)
        for x in (data.rates, rates, data.session.true_rates)
    )
    trials = np.isfinite(data.rates[rows]).all(axis=2).sum(axis=0)  # each bin counts by its number of trials
    there = trials > 0
    r, ceiling = (
        np.mean([weighted_r(a, b, trials[there]) for a, b in zip(observed[there].T, other[there].T, strict=True)])
        for other in (model, true)
    )
    assert found["r-over-ceiling", "test, unsmoothed"].value == pytest.approx(r / ceiling, abs=1e-3)
    unknown = copy.copy(data)
    unknown.session = dataclasses.replace(data.session, true_rates=None)
    found = named(dataclasses.replace(trained, dataset=unknown))
    noise_ceiling = bound(unknown, targets(unknown, trained.config, "test")[0], "all", 0.0)
    assert noise_ceiling is not None
    assert found["r-over-ceiling", "test, unsmoothed"].value == pytest.approx(r / noise_ceiling, abs=1e-3)

    expected = np.where(np.isfinite(data.rates), rates, np.nan)
    spread = np.sqrt(np.nanvar(expected, axis=(0, 1)) + np.nanmean(expected, axis=(0, 1)) * 40).mean()
    value = found["single-trial-sd", "mean of neurons"].value
    assert (
        value
        == f"data {np.nanstd(data.rates.astype(np.float64), axis=(0, 1)).mean():.1f}, Poisson spikes of the model's rates {spread:.1f} sp/s"
    )


def test_the_ablations_are_of_the_same_model(trained, data):
    network = trained.network
    inputs = torch.from_numpy(data.inputs[:4])
    with torch.no_grad():
        cut = network(inputs, torch.zeros_like(network.weights))
        plain = copy.deepcopy(network)
        plain.v.zero_()
        assert torch.equal(cut, plain(inputs))
        assert not torch.equal(cut, network(inputs))
    value = named(trained)["ablation", "test r, 50 ms"].value
    assert len({part.split()[-1] for part in value.split(", ")}) == 3


def test_the_gradient_of_the_first_state_is_that_of_autograd(trained, data):
    """What reaches the first bin must arrive at the learned start, which only enters there."""
    network, config = trained.network, trained.config
    batch = data.batch(data.rows(data.split.train)[:16])
    by_hand = state_gradients(network, batch, config)
    (start,) = torch.autograd.grad(loss_of(network, batch, config).total, network.start)
    first = by_hand[:, 0].sum(0)
    with torch.no_grad():
        expected = (1 - network.alpha) * first + torch.sigmoid(network.start) * (
            (network.alpha * first) @ network.weights
        )
    assert torch.allclose(start, expected, rtol=1e-3, atol=1e-6)


# -- models with a known fault ------------------------------------------------------------------------------------------


class Fixed(nn.Module):
    """Answers every trial with the same rates [time, neuron]; its units are what it answers, and a few more."""

    def __init__(self, rates: np.ndarray, neuron_type: np.ndarray) -> None:
        super().__init__()
        self.rates = torch.as_tensor(np.nan_to_num(rates), dtype=torch.float32)
        self.sign = torch.where(torch.as_tensor(neuron_type) == 1, 1.0, -1.0)
        self.unit_of_neuron = torch.arange(len(neuron_type))
        self.bin_ms = 25.0
        self.alpha = torch.full((len(neuron_type),), 0.5)
        self.weights = 0.2 * self.sign * (1 - torch.eye(len(neuron_type)))

    def states(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.log(torch.expm1(self.rates.clamp_min(1e-3).double())).float().expand(len(inputs), -1, -1)

    def forward(self, inputs: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        return self.rates.expand(len(inputs), -1, -1)


def fixed(data: SessionData, rates: np.ndarray, **changes: Any) -> dict[tuple[str, str], Any]:
    network = Fixed(rates, data.session.neuron_type)
    for name, value in changes.items():
        setattr(network, name, value)
    return named(TrainedModel(network, configured(V2Config), data, 0, history(2.0, 1.0)))


@pytest.fixture(scope="module")
def averages(data) -> np.ndarray:
    mean = psth.smoothed_mean(data.rates[data.fitted_rows()], 2.0)
    return psth.filled_forward(mean, np.isfinite(mean), axis=0)


def test_the_average_of_the_training_trials_is_the_oracle(data, averages):
    found = fixed(data, averages)
    for subject in ("test, unsmoothed", "test, 50 ms"):
        assert found["r-minus-oracle", subject].value == pytest.approx(0, abs=1e-6)
        assert found["r-over-ceiling", subject].verdict == PASS
    assert found["neuron-rates", "model"].verdict == PASS
    assert found["psth-sd-ratio", "model"].value == pytest.approx(1, abs=0.3)
    assert found["input-modulation", "model"].verdict == FAIL
    assert found["best-epoch", "training"].verdict == WARN
    # Its rates come out of no states, so that no gradient could flow through them.
    assert ("gradient-first-over-last", "model") not in found


def test_a_collapsed_model_fails(data, averages):
    course = averages.mean(axis=1, keepdims=True)
    flat = 1e-2 * (course - course.mean()) * np.ones(averages.shape[1]) + averages.mean(axis=0)
    found = fixed(data, flat)
    for check, subject in (("psth-sd-ratio", "model"), ("pc1-share", "units"), ("unit-correlation", "units")):
        assert found[check, subject].verdict == FAIL


def test_a_model_that_goes_the_other_way_fails(data, averages):
    found = fixed(data, 2 * averages.max(axis=0) - averages)
    assert found["r-over-ceiling", "test, unsmoothed"].verdict == FAIL
    assert found["r-minus-oracle", "test, unsmoothed"].verdict == WARN
    assert found["neuron-rates", "model"].verdict == WARN


def test_each_violation_of_the_constraints_is_counted(data, averages):
    sound = Fixed(averages, data.session.neuron_type)
    wrong = sound.weights.clone()
    wrong[0, 1], wrong[2, 2] = -2 * wrong[0, 1], 0.1 * sound.sign[2]
    found = fixed(data, averages, weights=wrong, alpha=torch.tensor([1.0, *[0.5] * 8]))["dale", "model"]
    assert (found.verdict, found.value) == (
        FAIL,
        "1 weights of the wrong sign, 1 self-connections, 1 alpha outside 0 to 1",
    )


@pytest.mark.parametrize(("radius", "verdict"), [(0.4, WARN), (1.0, PASS), (1.5, WARN), (2.5, FAIL)])
def test_the_spectral_radius_is_judged(radius, verdict, data, averages):
    """Before training nothing is known but the weights; after it, what rollouts do."""
    network = Fixed(averages, data.session.neuron_type)
    network.weights = network.weights * radius / float(torch.linalg.eigvals(network.weights).abs().max())
    alone = {f.check: f for f in weight_findings(network, "model")}["spectral-radius"]
    assert alone.verdict == verdict and alone.threshold == "0.5 to 1.2"
    runs_away = Rollout(step=1.5, peak=1.0, held=50.0)
    assert {f.check: f for f in weight_findings(network, "model", runs_away)}["spectral-radius"].verdict == verdict


@pytest.mark.parametrize("radius", [1.5, 2.5])
def test_a_large_radius_of_a_network_that_stays_bounded_passes(radius, data, averages):
    """Rates that nothing moves stay bounded whatever the weights are: nothing need be done, and nothing is asked for."""
    weights = Fixed(averages, data.session.neuron_type).weights
    weights = weights * radius / float(torch.linalg.eigvals(weights).abs().max())
    found = fixed(data, averages, weights=weights)
    assert found["rollouts", "model"].verdict == PASS
    judged = found["spectral-radius", "model"]
    assert (judged.verdict, judged.advice) == (PASS, "") and "bounded" in judged.threshold


def test_an_average_is_called_better_only_where_the_interval_says_so(data, averages):
    """A model a little below the average of few trials: within the interval, whatever its point estimate."""
    rng = np.random.default_rng(0)
    for spread in (2.0, 60.0):
        rates = averages + spread * rng.normal(size=averages.shape)
        found = fixed(data, rates)["r-minus-oracle", "test, unsmoothed"]
        target = targets(data, configured(V2Config), "test")[0]
        metric = PsthCorrelation(0.0, data.bin_ms)
        pair = [
            np.stack([metric.statistics(target.values[g], r[: len(target.values[g])]) for g in target.groups])
            for r in (rates, averages)
        ]
        difference = paired(metric, *pair)
        assert found.value == pytest.approx(difference.value, abs=5e-3)
        assert (found.verdict == WARN) == (difference.high < 0 and difference.value < -0.03 and difference.p <= 0.05)
        assert "0 within the interval" in found.threshold
    assert found.verdict == WARN


def test_rollouts_against_plain_torch(trained, data):
    network = copy.deepcopy(trained.network)
    rolled = rollout(network, data.inputs[:6])
    with torch.no_grad():
        states = network.states(torch.from_numpy(data.inputs[:6]))
        slope = torch.sigmoid(states.double()).mean((0, 1))
        alpha, weights = network.alpha.double(), network.weights.double()
        step = torch.diag(1 - alpha) + alpha[:, None] * weights * slope
    assert rolled.bounded and rolled.peak == pytest.approx(float(states.abs().max()), rel=1e-5)
    assert rolled.step == pytest.approx(float(torch.linalg.eigvals(step).abs().max()), rel=1e-5)
    with torch.no_grad():
        network.v[:, network.sign < 0] = 0
        network.v.mul_(3)
    away = rollout(network, data.inputs[:6])
    assert not away.bounded


def test_a_neuron_on_a_unit_of_the_other_type_fails(data, averages):
    found = fixed(data, averages, sign=torch.ones(9))["unit-map", "model"]
    assert (found.verdict, found.value) == (FAIL, "3 I on an E unit")


def test_a_dead_unit_is_named(data, averages):
    quiet = averages.copy()
    quiet[:, 4] = 0
    found = fixed(data, quiet)["dead-units", "units"]
    assert (found.verdict, found.value) == (WARN, "1 of 9, unit 4")


# -- gradients at the start ---------------------------------------------------------------------------------------------


def test_gradient_shares_against_plain_backward(data):
    config = configured(V2Config)
    network = built(V2Config, data, config)
    batch = data.batch(data.rows(data.split.train)[:16])
    terms = loss_of(network, batch, config).terms
    norms = {}
    for name in terms:
        network.zero_grad()
        loss_of(network, batch, config).terms[name].backward()
        norms[name] = float(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]).norm())
    share = next(f for f in gradient_findings(network, terms) if f.check == "gradient-share")
    total = sum(norms.values())
    weighted = {name: norm for name, norm in norms.items() if norm > 0}  # a term that is switched off has none
    assert share.value == ", ".join(f"{name} {norm / total:.1%}" for name, norm in weighted.items())


def test_opposed_and_drowned_terms_are_seen(data):
    config = configured(V2Config)
    network = built(V2Config, data, config)
    level = network.bias.sum()
    terms = {"up": -level, "down": 200 * level, "weights": 50 * network.v.sum()}
    found = {f.check: f for f in gradient_findings(network, terms)}
    assert found["gradient-share"].verdict == WARN
    assert found["gradient-cosine"].value == "lowest -1.00 (up, down)"
    assert found["gradient-cosine"].verdict == WARN
    assert found["regulariser-over-data"].verdict == WARN

    (failed,) = gradient_findings(network, {"up": level * float("nan")})
    assert failed.verdict == FAIL


# -- the published model ------------------------------------------------------------------------------------------------


def test_the_published_model_is_diagnosed_too():
    config = configured(V1Config)
    data = SessionData(small_session(0), config)
    network = built(V1Config, data, config)
    found = named(TrainedModel(network, config, data, 0, history(1.0)))
    assert found["unit-map", "model"].verdict == FAIL
    assert "I on an E unit" in found["unit-map", "model"].value
    assert found["dale", "model"].verdict == PASS
    assert ("gradient-first-over-last", "model") in found
    fast = built(V1Config, data, configured(V1Config, tau_ms=20.0))
    assert "alpha outside" in named(TrainedModel(fast, config, data, 0, []))["dale", "model"].value
    free = built(V1Config, data, configured(V1Config, bypass_dale=True))
    assert named(TrainedModel(free, config, data, 0, []))["dale", "model"].verdict == FAIL


def test_the_gradient_of_the_published_models_start_is_that_of_autograd():
    config = configured(V1Config, output_lag=False)
    data = SessionData(small_session(0), config)
    network = built(V1Config, data, config).eval()
    batch = data.batch(data.rows(data.split.train)[:16])

    first = state_gradients(network, batch, config)[:, 0].sum(0)
    (start,) = torch.autograd.grad(loss_of(network, batch, config).total, network.start)
    with torch.no_grad():
        expected = (1 - network.alpha) * first + torch.sigmoid(network.start) * (
            (network.alpha * first) @ network.weights
        )
    assert torch.allclose(start, expected, rtol=1e-3, atol=1e-6)
