"""gat-lstm-v3: inputs, corrections and forecasts against plain loops; what it does not know; that it starts from linear paths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurocli.errors import ConfigError
from neurocli.evaluation.scoreboard import Scoreboard
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.data.history import inputs_of
from neurocli_gat_lstm.diagnosis.model import trained_findings
from neurocli_gat_lstm.evaluation.metrics import ErrorReduction
from neurocli_gat_lstm.model.forecasts_v3 import direct_forecasts, direct_linear
from neurocli_gat_lstm.model.loss_v3 import loss_terms
from neurocli_gat_lstm.model.v3 import FARTHEST
from neurocli_gat_lstm.model.view_v3 import direct_views

SMALL = {
    "evaluate": {"horizons": [1, 5], "context": 20},
    "loss": {"burn_in": 5, "chunk": 6},
    "model": {"look_back": [1, 2, 4], "lags": 3, "members": 2, "hidden": 5, "head": 6, "attention": [4]},
}


@pytest.fixture(scope="module")
def trained(worms) -> TrainedModel:
    """A prepared model with random weights."""
    family = registry().family("gat-lstm-v3")
    config = V3Config(**SMALL)
    data = family.adapt(worms, config)
    torch.manual_seed(0)
    network = family.build(config, data.spec)
    family.prepare(network, data, config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():  # no part answers zero
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return TrainedModel(network.eval(), config, data, 0, [])


def plain_inputs(data, worm, paths, t: int) -> np.ndarray:
    """[neuron, input] of a frame, one number after the other."""
    z, columns = worm.z.astype(np.float64), []
    for i in range(z.shape[1]):
        row = [z[t, i], *(z[t, i] - z[t - back, i] for back in data.look_back)]
        for h in data.horizons:
            path = paths[h].among(worm.names)
            change = sum(path.own[i, lag] * z[t - lag, i] for lag in range(path.own.shape[1]))
            change += sum(
                path.level[i, j] * z[t, j] + path.change[i, j] * (z[t, j] - z[t - 1, j]) for j in range(z.shape[1])
            )
            row.append(change)
        columns.append(row)
    return np.array(columns)


def test_inputs_are_those_of_a_plain_loop(trained):
    data = trained.dataset
    worm = data.worms[data.split.test[0]]
    paths = data.linear(0).paths
    inputs = inputs_of(paths, worm, data.horizons, data.look_back)
    for t in (60, 200):
        np.testing.assert_allclose(inputs[t], plain_inputs(data, worm, paths, t), rtol=1e-4, atol=1e-5)


def test_forecasts_are_those_of_a_plain_loop(trained):
    """Frame by frame through attention, LSTM and head of one member, for one origin."""
    data, network = trained.dataset, trained.network
    group = data.split.folds[1].test[0]
    worm, at = data.worms[group], np.array([150])
    forecasts = direct_forecasts(network, data, worm, 1, at)
    paths = network.paths_of(1, worm.names, torch.from_numpy(data.nodes_of(worm)))
    member, graph = network.members[network.members_of(1)[0]], data.graph_of(worm)
    state = None
    with torch.no_grad():
        for t in range(150 - data.burn_in, 151):
            inputs = torch.from_numpy(plain_inputs(data, worm, paths, t).astype(np.float32))
            inputs = (inputs / network.input_scale[1]).clamp(-FARTHEST, FARTHEST)
            features = member.embed(inputs[None, None], graph)[0, 0]
            hidden, state = member.lstm(features[:, None], state)
        correction = member.head(torch.cat((hidden[:, 0], features), -1)) * network.output_scale[1]
    linear = plain_inputs(data, worm, paths, 150)[:, -2:]
    for k, h in enumerate((1, 5)):
        expected = worm.z[150] + linear[:, k] + correction[:, k].numpy()
        np.testing.assert_allclose(forecasts[0][h][0], expected, rtol=1e-3, atol=1e-4)
    assert len(forecasts) == 2 and np.abs(forecasts[0][1] - forecasts[1][1]).max() > 1e-3


def test_untrained_it_is_the_linear_path(worms):
    family = registry().family("gat-lstm-v3")
    config = V3Config(**SMALL)
    data = family.adapt(worms, config)
    network = family.build(config, data.spec)
    family.prepare(network, data, config)
    group = data.split.test[0]
    at = data.worms[group].origins(20, 5, 5)
    (fold,) = data.folds_for(group)
    alone = direct_linear(network, data, group, at)
    for forecast in direct_forecasts(network.eval(), data, data.worms[group], fold, at):
        for h in (1, 5):
            np.testing.assert_allclose(forecast[h], alone[h], rtol=1e-5, atol=1e-6)


def test_nothing_after_the_origin_and_nothing_before_the_context_matters(trained):
    data, network = trained.dataset, trained.network
    worm = data.worms[data.split.folds[0].test[0]]
    base = direct_forecasts(network, data, worm, 0, np.array([200]))[0]
    for change, moves in ((slice(201, None), False), (slice(0, 200 - 20), False), (slice(199, 200), True)):
        z = worm.z.copy()
        z[change] += 1
        other = direct_forecasts(network, data, replace(worm, z=z), 0, np.array([200]))[0]
        assert any((other[h] != base[h]).any() for h in (1, 5)) == moves


def test_residuals_are_of_paths_that_have_not_seen_the_worm(trained):
    data = trained.dataset
    batch = next(iter(data.batches("train", seed=0, epoch=0)))
    fold = int(batch["member"]) // data.members
    names = {w.group: w for w in data.training_worms(fold)}
    matches = []
    for group, worm in names.items():
        for which, paths in (("without", data.linear(fold).without[group]), ("all", data.linear(fold).paths)):
            if batch["inputs"].shape[2] == len(worm.names):
                seen = inputs_of(paths, worm, data.horizons, data.look_back)
                rows = batch["inputs"][0, 0].numpy()
                matches += [which] if (np.abs(seen - rows).max((1, 2)) < 1e-6).any() else []
    assert matches == ["without"]
    assert batch["residual"].shape[1] == data.config.loss.chunk


def test_the_loss_counts_as_the_score_does(trained):
    data, network = trained.dataset, trained.network
    batch = data.chunks(0, data.training_worms(0)[0], data.linear(0).paths, np.array([120, 150]))
    batch["known"][1, 2, 3] = False
    with torch.no_grad():
        loss = float(loss_terms(network, batch)["error"])
        from neurocli_gat_lstm.graph.tensors import GraphTensors

        graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
        corrections = network.corrections(0, batch["inputs"], graph, data.burn_in).numpy()
    scale = network.output_scale[0].numpy()
    per_horizon = []
    for k in range(2):
        total = count = 0.0
        for c, t, i in np.ndindex(*batch["known"].shape[:3]):
            if batch["known"][c, t, i, k]:
                error = corrections[c, t, i, k] - float(batch["residual"][c, t, i, k]) / scale[k]
                total, count = total + float(batch["weight"][c, t, i]) * error**2, count + 1
        per_horizon.append(total / count)
    assert loss == pytest.approx(np.mean(per_horizon), rel=1e-4)


def test_derivatives_are_finite_differences(trained):
    data = trained.dataset
    view = direct_views(data, trained.network, [data.split.folds[0].test[0]])[0]
    one_step, followed, network = view.derivatives(5)
    x = view.windows(view.back + view.burn_in + 1, 24).double()

    def said(x: torch.Tensor) -> np.ndarray:
        x = x.float()
        with torch.no_grad():
            correction = view.direct(view.inputs(x), view.graph, view.burn_in)[:, 0]
            correction = correction * view.network.output_scale[view.fold]
            return (x[:, -1, :, None] + view.forecast_change(x)[:, -1] + correction).double().numpy()

    for neuron in (0, 3):
        step = torch.zeros_like(x)
        step[:, -1, neuron] = 3e-2
        slope = (said(x + step) - said(x - step)) / 6e-2
        np.testing.assert_allclose(one_step[:, neuron], slope[..., 0].mean(0), atol=5e-3)
        np.testing.assert_allclose(followed[:, neuron], slope.sum(-1).mean(0), atol=1e-2)
    assert np.abs(network).max() > 1e-3


def test_ablation_is_the_loss_without_the_edge(trained):
    view = direct_views(trained.dataset, trained.network, [trained.dataset.split.folds[0].test[0]])[0]
    added = view.ablated([np.array([0])])
    assert np.isfinite(added[0]) and added[0] != 0 and np.isnan(added[1:]).all()


def test_diagnosis_of_a_sound_model_and_of_one_that_looks_ahead(trained, monkeypatch):
    verdicts = {f.check: f.verdict for f in trained_findings(trained)}
    assert {"paths-agree", "causality", "locality", "gradients", "dead-units"} <= set(verdicts)
    assert all(verdicts[name] == "PASS" for name in ("paths-agree", "causality", "locality", "gradients"))
    import neurocli_gat_lstm.model.forecasts_v3 as module

    sound = module.inputs_of
    monkeypatch.setattr(module, "inputs_of", lambda *a: np.roll(sound(*a), -1, axis=0))
    verdicts = {f.check: f.verdict for f in trained_findings(trained)}
    assert verdicts["causality"] == "FAIL" and verdicts["paths-agree"] == "FAIL"


def test_look_back_needs_a_context(worms):
    with pytest.raises(ConfigError, match="need a context of 34"):
        registry().family("gat-lstm-v3").adapt(worms, V3Config(evaluate={"context": 20}))


@pytest.mark.slow
@pytest.mark.realdata
def test_on_real_worms_it_beats_every_baseline(kato):
    """One short training of one network for each fold; S at no horizon below the best linear model, and above it at 1 and 5 frames."""
    family = registry().family("gat-lstm-v3")
    config = V3Config(model={"members": 1}, evaluate={"rivals": "quick"})
    data = family.adapt(kato, config)
    torch.manual_seed(5)
    network = family.build(config, data.spec)
    family.prepare(network, data, config)
    steps = 6 * data.steps("train")
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps, pct_start=0.1)
    for epoch in range(6):
        for batch in data.batches("train", seed=5, epoch=epoch):
            optimizer.zero_grad()
            family.loss(network, batch, config).total.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    trained = TrainedModel(network.eval(), config, data, 5, [])
    board = Scoreboard([ErrorReduction()])
    for target in family.targets(data, config):
        board.add(target, "model", "model", family.predict(trained, target))
        for predictor in family.baselines(data, config):
            board.add(target, predictor.name, "baseline", predictor.predict(target))
        skill = board.skill(target, "model")
        assert skill["best_baseline"] == "ridge, all pairs"
        assert skill["paired"]["value"] > 0
        if target.horizon_steps in (1, 5):
            assert skill["paired"]["verdict"] == "better" and skill["paired"]["value"] > 0.02
