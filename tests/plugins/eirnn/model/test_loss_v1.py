"""The published losses against numpy, scipy and their limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import pearsonr

from neurocli_eirnn.config_v1 import V1Config, V1Loss
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.model import loss_v1
from neurocli_eirnn.model.loss_v1 import (
    conditions,
    correlation_loss,
    curriculum,
    euclidean_distances,
    loss_terms,
    poisson_distances,
    psth_loss,
    sinkhorn,
    targets,
    trial_mask,
    trial_term,
    validation,
)
from neurocli_eirnn.model.v1 import PublishedEiRnn, build_v1

BIN = 25.0


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def tensor(values) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float64))


@pytest.fixture
def pair(rng):
    """(model, data): rates [12 trials, 40 bins, 5 neurons]."""
    data = rng.poisson(0.3, (12, 40, 5)) * 40.0
    model = rng.gamma(2.0, 5.0, (12, 40, 5))
    return model, data


def batch_of(data, **more) -> dict[str, torch.Tensor]:
    return {"rates": tensor(data), "valid": torch.ones(data.shape, dtype=torch.float64), **more}


# -- PSTHs ------------------------------------------------------------------------------------------------------------


def test_correlation_loss_is_that_of_numpy(rng):
    model, data = rng.gamma(2.0, 5.0, (60, 7)), rng.gamma(2.0, 6.0, (60, 7))
    r = np.array([pearsonr(model[:, k], data[:, k]).statistic for k in range(7)])
    off_scale = (model.mean() - data.mean()) ** 2 / data.var(ddof=1)
    spread = data.var(axis=0, ddof=1).mean()
    off_spread = (model.var(axis=0, ddof=1).mean() - spread) ** 2 / spread**2
    expected = (1 - r).mean() + 0.1 * off_scale + 0.05 * off_spread
    assert float(correlation_loss(tensor(model), tensor(data), 0.1, 0.05)) == pytest.approx(expected, rel=1e-6)
    assert float(correlation_loss(tensor(data), tensor(data), 0.1, 0.05)) == pytest.approx(0, abs=1e-12)


def test_zscore_loss_is_twice_one_minus_r(pair):
    """The squared difference of two z-scores is 2 (1 - r), but for the n - 1 in the published variance."""
    model, data = pair
    mask = torch.ones(12, 40, dtype=torch.float64)
    found = psth_loss(tensor(model), tensor(data), mask, V1Loss(neuron="zscore"), BIN)
    r = [pearsonr(model.mean(0)[:, k], data.mean(0)[:, k]).statistic for k in range(5)]
    assert float(found) == pytest.approx(2 * (1 - np.mean(r)) * 39 / 40, rel=1e-6)


def test_poisson_loss_is_that_of_numpy(pair):
    model, data = pair
    mask = torch.ones(12, 40, dtype=torch.float64)
    found = psth_loss(tensor(model), tensor(data), mask, V1Loss(neuron="poisson"), BIN)
    m, d = model.mean(0), data.mean(0)
    assert float(found) == pytest.approx((m - d * np.log(m)).mean(), rel=1e-6)


def test_masks(pair, rng):
    model, data = pair
    duration = rng.integers(0, 45, 12)
    duration[3] = 0
    batch = batch_of(data, duration_bins=torch.from_numpy(duration))
    mask = trial_mask(batch, V1Loss())
    expected = np.arange(40) < duration[:, None]
    np.testing.assert_array_equal(mask.numpy(), expected)
    inside = np.where(expected[..., None], 1.0, 0.0)
    m, d = ((x * inside).mean(0) for x in (model, data))
    published = psth_loss(tensor(model), tensor(data), mask, V1Loss(scale=0.1, variance=0.05), BIN)
    assert float(published) == pytest.approx(float(correlation_loss(tensor(m), tensor(d), 0.1, 0.05)), rel=1e-9)
    # The first stage divided by the trials that count.
    per_bin = [np.divide((x * inside).sum(0), np.maximum(inside.sum(0), 1)) for x in (model, data)]
    m, d = ((x - x.mean(0)) / x.std(0, ddof=1) for x in per_bin)
    first = psth_loss(tensor(model), tensor(data), mask, V1Loss(neuron="zscore"), BIN)
    assert float(first) == pytest.approx(((m - d) ** 2).mean(), rel=1e-6)


def test_the_valid_mask_leaves_out_what_has_no_data(pair):
    model, data = pair
    batch = batch_of(data)
    batch["valid"][2, 30:] = 0
    batch["valid"][:, 38:] = 0
    loss = V1Loss(mask="valid")
    mask = trial_mask(batch, loss)
    found = psth_loss(tensor(model), tensor(data), mask, loss, BIN)
    known = np.where(batch["valid"].numpy() > 0, 1, np.nan)
    m, d = (np.nanmean((x * known)[:, :38], axis=0) for x in (model, data))
    assert float(found) == pytest.approx(float(correlation_loss(tensor(m), tensor(d), 0.1, 0.05)), rel=1e-9)


def test_eight_milliseconds_smooth_nothing_and_a_gaussian_does(pair):
    model, data = (tensor(x) for x in pair)
    mask = torch.ones(12, 40, dtype=torch.float64)
    plain = psth_loss(model, data, mask, V1Loss(neuron_smoothing_ms=0), BIN)
    assert float(psth_loss(model, data, mask, V1Loss(), BIN)) == float(plain)
    assert float(psth_loss(model, data, mask, V1Loss(neuron_smoothing_ms=100), BIN)) != float(plain)
    smooth = V1Loss(smoothing="gaussian", neuron_smoothing_ms=50)
    assert float(psth_loss(model, data, mask, smooth, BIN)) != float(plain)


def test_conditions_are_counted_and_averaged(pair, rng):
    model, data = pair
    labels = np.array([[1, 0, 0]] * 4 + [[1, 0, 1]] * 2 + [[2, 1, 2]] * 4 + [[2, 0, 2]] * 2)
    batch = batch_of(data, conditions=torch.from_numpy(labels), duration_bins=torch.full((12,), 40))
    assert len(conditions(batch, merged=False).unique()) == 4
    assert len(conditions(batch, merged=True).unique()) == 3  # without salience counts as high
    loss = V1Loss(conditions="published")
    mask = trial_mask(batch, loss)
    found = loss_v1.neuron_term(tensor(model), tensor(data), mask, batch, loss, BIN, 1.0)
    each = [
        float(correlation_loss(tensor(model[rows].mean(0)), tensor(data[rows].mean(0)), 0.1, 0.05))
        for rows in (slice(0, 6), slice(6, 10))  # the third has two trials only
    ]
    assert float(found) == pytest.approx(np.mean(each), rel=1e-9)


# -- single trials ----------------------------------------------------------------------------------------------------


def numpy_sinkhorn(distances, temperature, steps):
    kernel = -distances / temperature
    u, v = np.zeros(len(kernel)), np.zeros(kernel.shape[1])
    for _ in range(steps):
        u = -logsumexp(kernel + v[None], axis=1)
        v = -logsumexp(kernel + u[:, None], axis=0)
    return np.exp(kernel + u[:, None] + v[None])


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_sinkhorn_is_that_of_numpy(rng, temperature):
    distances = np.abs(rng.normal(3, 1, (20, 20)))
    expected = numpy_sinkhorn(distances, temperature, 20)
    np.testing.assert_allclose(sinkhorn(tensor(distances), temperature, 20).numpy(), expected, rtol=1e-10, atol=1e-14)
    single = sinkhorn(tensor(distances).float(), temperature, 20).numpy()
    np.testing.assert_allclose(single, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(single.sum(0), 1, rtol=1e-4)


def test_sinkhorn_ends_at_the_best_matching(rng):
    distances = rng.uniform(0, 1, (12, 12))
    rows, columns = linear_sum_assignment(distances)
    plan = sinkhorn(tensor(distances), 1e-3, 5000).numpy()
    assert (plan * distances).sum() == pytest.approx(distances[rows, columns].sum(), rel=1e-3)
    assert plan[rows, columns].min() > 0.9


def test_distances_are_those_of_numpy(rng):
    model, data = rng.gamma(2.0, 5.0, (9, 30)), rng.gamma(2.0, 5.0, (9, 30))
    za, zb = ((x - x.mean(0)) / x.std(0, ddof=1) for x in (model, data))
    expected = np.sqrt(((za[:, None] - zb[None]) ** 2).sum(-1))
    np.testing.assert_allclose(euclidean_distances(tensor(model), tensor(data)).numpy(), expected, rtol=1e-6)
    m, d = model[:, None], data[None]
    divergence = (d * np.log(d / m) - d + m).mean(-1)
    np.testing.assert_allclose(poisson_distances(tensor(model), tensor(data)).numpy(), divergence, rtol=1e-6)
    own = poisson_distances(tensor(data), tensor(data)).numpy()
    np.testing.assert_allclose(np.diag(own), 0, atol=1e-6)
    assert own.min() > -1e-6


def test_a_bin_that_is_the_same_in_all_trials_adds_no_distance(rng):
    """Its spread is rounding: divided by it, single precision would make distances out of nothing."""
    model = torch.from_numpy(rng.gamma(2.0, 5.0, (300, 20)).astype(np.float32)).requires_grad_()
    with torch.no_grad():
        model[:, 0] = 11.123457
    data = torch.from_numpy(rng.gamma(2.0, 5.0, (300, 20)).astype(np.float32))
    data[:, 0] = 3.3
    distances = euclidean_distances(model, data)
    torch.testing.assert_close(distances, euclidean_distances(model[:, 1:], data[:, 1:]), rtol=1e-3, atol=1e-3)
    distances.sum().backward()
    assert torch.isfinite(model.grad).all() and (model.grad[:, 0] == 0).all()


@pytest.mark.parametrize("matching", ["softmin", "sinkhorn"])
def test_the_single_trial_term_is_that_of_numpy(pair, rng, matching):
    model, data = pair
    mask = (np.arange(40) < rng.integers(20, 41, 12)[:, None]).astype(float)
    pa, pb = (x.mean(2) * mask for x in (model, data))

    def z(x):
        sd = x.std(0, ddof=1)
        return np.divide(x - x.mean(0), sd, out=np.zeros_like(x), where=sd > 0)

    distances = np.sqrt(((z(pa)[:, None] - z(pb)[None]) ** 2).sum(-1))
    if matching == "softmin":
        weights = np.exp(-(distances - distances.min(1, keepdims=True)) / 0.1)
        expected = (weights / weights.sum(1, keepdims=True) * distances).sum(1).mean()
    else:
        expected = (numpy_sinkhorn(distances, 0.1, 20) * distances).sum() / 12
    found = trial_term(tensor(model), tensor(data), tensor(mask), V1Loss(matching=matching), BIN)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_matched_trials_cost_less_than_shuffled_time(pair):
    _, data = pair
    mask = torch.ones(12, 40, dtype=torch.float64)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    same = trial_term(tensor(data)[order], tensor(data), mask, V1Loss(), BIN)
    other = trial_term(tensor(data[:, ::-1].copy()), tensor(data), mask, V1Loss(), BIN)
    assert float(same) == pytest.approx(0, abs=1e-4) and float(other) > 1


# -- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(simulated) -> SessionData:
    config = V1Config()
    config.train.batch_size = 40
    return SessionData(simulated, config)


def small(data: SessionData) -> PublishedEiRnn:
    torch.manual_seed(0)
    config = V1Config()
    config.model.noise = 0.0
    return build_v1(config, data.spec)


def a_batch(data: SessionData):
    return next(iter(data.batches("train", seed=0, epoch=0)))


def test_rates_are_clipped_at_the_percentile_of_the_training_trials(data):
    batch = a_batch(data)
    expected = np.nanpercentile(data.training_rates(), 99.5)
    assert float(batch["clip"]) == pytest.approx(expected)
    assert float(targets(batch).max()) <= expected < float(np.nanmax(data.training_rates()))
    assert torch.equal(targets({k: v for k, v in batch.items() if k != "clip"}), batch["rates"])


def test_running_means_move_in_training_only_and_from_one(data):
    network, batch = small(data), a_batch(data)
    raw = loss_terms(network.eval(), batch, V1Loss(normalise="none", trial=1.0))
    assert (network.running_loss == 1).all() and int(network.updates) == 0
    network.train()
    for step in range(1, 4):
        terms = loss_terms(network, batch, V1Loss(normalise="losses", trial=0.5))
        assert int(network.updates) == step
        for slot, name in enumerate(("neuron", "trial")):
            value = float(raw[name].detach())
            mean = 0.99**step + (1 - 0.99**step) * value
            assert float(network.running_loss[slot]) == pytest.approx(mean, rel=1e-5)
            weight = {"neuron": 1.0, "trial": 0.5}[name]
            assert float(terms[name].detach()) == pytest.approx(weight * value / mean, rel=1e-4)
        assert float(terms["weights"].detach()) == pytest.approx(float(raw["weights"].detach()), rel=1e-6)
    before = network.running_loss.clone()
    loss_terms(network.eval(), batch, V1Loss())
    assert torch.equal(network.running_loss, before) and int(network.updates) == 3
    assert {"running_loss", "updates"} <= set(network.state_dict())


def test_a_weight_cancels_where_terms_are_weighted_before_they_are_divided(data):
    batch = a_batch(data)
    found = []
    for weight in (0.1, 10.0):
        network = small(data).train()
        with torch.no_grad():
            network.running_loss[1] = 0  # long after the start, which is at 1
        found.append(float(loss_terms(network, batch, V1Loss(normalise="all", trial=weight))["trial"].detach()))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_the_curriculum_rises_after_psths_alone(data):
    loss = V1Loss(alone_steps=2, ramp_steps=4)
    assert [curriculum(n, loss) for n in range(8)] == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert curriculum(0, V1Loss()) == 1
    network, batch = small(data).train(), a_batch(data)
    loss = V1Loss(alone_steps=1, ramp_steps=2, normalise="none", trial=1.0)
    terms = [{k: float(v.detach()) for k, v in loss_terms(network, batch, loss).items()} for _ in range(4)]
    assert [set(t) for t in terms] == [{"neuron", "trial", "weights"}] * 4
    assert terms[0]["trial"] == terms[1]["trial"] == 0
    assert terms[2]["trial"] == pytest.approx(terms[3]["trial"] / 2, rel=1e-5)
    assert terms[0]["neuron"] > terms[3]["neuron"]  # the weights of scale and variance fall


def test_every_option_trains(data):
    """A finite loss whose gradient reaches all parameters but the eye's; those too where it has a weight."""
    batch = a_batch(data)
    choices = [
        {},
        {"neuron": "zscore", "matching": "softmin", "normalise": "all"},
        {"neuron": "poisson", "distance": "poisson", "temperature": 10.0},
        {"conditions": "all", "mask": "valid", "smoothing": "gaussian"},
        {"eye": 1.0, "trial": 0.0},
    ]
    for choice in choices:
        network = small(data).train()
        loss = V1Loss(**choice)
        total = torch.stack(list(loss_terms(network, batch, loss).values())).sum()
        total.backward()
        for name, parameter in network.named_parameters():
            reached = parameter.grad is not None and bool(torch.isfinite(parameter.grad).all())
            scaled = choice.get("neuron") == "zscore" and name in ("scale", "baseline")
            assert reached or (name.startswith("eye") and not loss.eye) or scaled, (choice, name)


@pytest.mark.parametrize("choose", ["correlation", "neuron", "total"])
def test_the_epoch_is_chosen_without_moving_anything(data, choose):
    network, batch = small(data).eval(), next(iter(data.batches("validation", seed=0, epoch=0)))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with torch.no_grad():
        found = float(validation(network, batch, V1Loss(choose=choose)))
        again = float(validation(network, batch, V1Loss(choose=choose)))
    assert found == again and np.isfinite(found)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    if choose == "correlation":
        valid = batch["valid"].numpy()
        there = valid[..., 0].any(0)
        psths = [
            (x * valid)[:, there].sum(0) / valid[:, there].sum(0)
            for x in (network(batch["inputs"]).detach().numpy(), targets(batch).numpy())
        ]
        r = [pearsonr(psths[0][:, k], psths[1][:, k]).statistic for k in range(valid.shape[2])]
        assert found == pytest.approx(1 - np.mean(r), abs=1e-4)
