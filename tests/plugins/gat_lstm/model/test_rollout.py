"""Rollouts of a whole series, and the loss of a chunk, against the plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli_gat_lstm.model.loss_v2 import loss_terms
from neurocli_gat_lstm.model.rollout import BOUND, rolled_out

HORIZONS = [1, 2, 5, 25]


@pytest.fixture(scope="module")
def trained(worms, make_trained):
    return make_trained(worms, {"loss.chunk": 15, "loss.rollout": 4, "loss.burn_in": 6, "model.lags": 4})


@pytest.fixture(scope="module")
def on_worm(trained):
    """(network, linear path, worm, nodes, graph) as `evaluate` takes them for a worm."""
    data, network = trained.dataset, trained.network
    group = data.split.test[2]
    worm, fold = data.worms[group], data.folds_for(group)[0]
    assert fold == 2
    nodes = data.nodes_of(worm)
    return (
        network.members_of(fold)[0],
        network.linear_of(fold, torch.from_numpy(nodes)),
        worm,
        nodes,
        data.graph_of(worm),
    )


def test_the_series_embedded_once_is_the_plain_loop_over_windows(plain_v2, on_worm):
    network, linear, worm, nodes, graph = on_worm
    origins = np.array([30, 31, 200, worm.frames - 26])
    forecasts = rolled_out(network, linear, worm.z, nodes, graph, origins, 30, HORIZONS)
    assert list(forecasts) == HORIZONS
    for row, origin in enumerate(origins):
        plain = plain_v2(network, linear, torch.from_numpy(nodes), graph)
        _, ahead = plain.forecasts(worm.z[origin - 29 : origin + 1], 25)
        for horizon in HORIZONS:
            np.testing.assert_allclose(forecasts[horizon][row], ahead[horizon - 1], atol=1e-5)


def test_blocks_of_origins_and_pieces_of_the_series_are_of_no_matter(on_worm):
    network, linear, worm, nodes, graph = on_worm
    long = np.concatenate([worm.z, worm.z[::-1]])  # more than one piece of 512 frames
    assert len(long) > 512
    origins = np.arange(40, 700, 2)  # more than two blocks of 128 origins
    whole = rolled_out(network, linear, long, nodes, graph, origins, 30, [1, 3])
    for chosen in (slice(0, 1), slice(200, 260)):
        part = rolled_out(network, linear, long, nodes, graph, origins[chosen], 30, [1, 3])
        for horizon in (1, 3):
            np.testing.assert_allclose(whole[horizon][chosen], part[horizon], atol=1e-6)


def test_a_forecast_sees_its_context_and_nothing_else(on_worm):
    network, linear, worm, nodes, graph = on_worm
    origin, context = 100, 30
    arguments = (nodes, graph, np.array([origin]), context, HORIZONS)
    base = rolled_out(network, linear, worm.z, *arguments)
    outside = worm.z.copy()
    outside[origin + 1 :] = 9.0
    outside[: origin - context + 1] = -9.0
    other = rolled_out(network, linear, outside, *arguments)
    assert all((base[h] == other[h]).all() for h in HORIZONS)
    inside = worm.z.copy()
    inside[origin - context + 1] += 3.0  # the oldest frame is seen by the linear path of the first step at least
    inside[origin - context + network_lags(linear)] += 3.0
    assert (rolled_out(network, linear, inside, *arguments)[1] != base[1]).any()


def network_lags(linear):
    return linear["own"].shape[1]


def test_a_rollout_that_runs_away_stays_a_number(on_worm):
    network, linear, worm, nodes, graph = on_worm
    wild = {name: 40 * torch.ones_like(value) for name, value in linear.items()}
    forecasts = rolled_out(network, wild, worm.z, nodes, graph, np.array([60]), 30, [25])
    assert np.isfinite(forecasts[25]).all() and np.abs(forecasts[25]).max() <= BOUND


def test_predictions_average_the_networks_that_have_not_seen_the_worm(worms, make_trained):
    """Each is a rollout, and what the path of its horizon says beyond the rollout of the path of one frame."""
    from neurocli.plugin.registry import registry

    family = registry().family("gat-lstm-v2")
    trained = make_trained(worms, {"model.members": 2, "evaluate.stride": 50})
    data, network = trained.dataset, trained.network
    target = family.targets(data, trained.config)[1]
    prediction = family.predict(trained, target)
    names = sorted({n for w in data.worms.values() for n in w.names})
    for fold, group in enumerate(target.groups):
        worm, nodes, at = data.worms[group], data.nodes_of(data.worms[group]), target.origins[group]
        linear = network.linear_of(fold, torch.from_numpy(nodes))
        by_network = [
            rolled_out(m, linear, worm.z, nodes, data.graph_of(worm), at, 50, [5])[5]
            for m in (network.members[2 * fold], network.members[2 * fold + 1])
        ]
        paths = {h: path.among(worm.names) for h, path in data.linear(fold).paths.items()}
        z = worm.z.astype(np.float64)
        five = z[at] + sum(z[at - lag] * paths[5].own[:, lag] for lag in range(10))
        five = five + z[at] @ paths[5].level.T + (z[at] - z[at - 1]) @ paths[5].change.T
        beyond = five - paths[1].rolled_out(worm.z, at, [5])[5]
        forecast = worm.mean[at] + worm.sd[at] * (np.mean(by_network, 0) + beyond)
        np.testing.assert_allclose(
            prediction.values[group][:, [names.index(n) for n in worm.names]], forecast, atol=1e-4
        )
        absent = [k for k, n in enumerate(names) if n not in worm.names]
        assert np.isnan(prediction.values[group][:, absent]).all()


def test_loss_terms_are_errors_over_those_of_persistence(plain_v2, trained):
    data, network, loss = trained.dataset, trained.network, trained.config.loss
    batch = next(b for b in data.batches("train", seed=0, epoch=0) if not bool(b["present"].all()))
    batch["known"][1, 12, 3] = batch["known"][2, 15 + 4 + 2, 1] = False
    terms = loss_terms(network, batch, loss)
    member = int(batch["member"])
    linear = {name: batch[name] for name in ("own", "level", "change")}
    from neurocli_gat_lstm.graph.tensors import GraphTensors

    graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
    x, known = batch["x"].numpy().astype(np.float64), batch["known"].numpy()
    following, after_last, weight, direct = (
        batch[name].numpy().astype(np.float64) for name in ("next", "ahead", "weight", "direct")
    )
    one_step, rollout = [], [[] for _ in range(4)]
    for chunk in range(len(x)):
        plain = plain_v2(network.members[member], linear, batch["nodes"], graph, batch["present"][chunk].numpy())
        after, ahead = plain.forecasts(x[chunk, : 4 + 15], 4)
        for t in range(6, 15):
            at = 4 + t + 1
            one_step += [
                weight[chunk, at - 1, i] * (after[t, i] - following[chunk, at - 1, i]) ** 2
                for i in range(x.shape[2])
                if known[chunk, at, i]
            ]
        for step in range(4):
            at = 4 + 15 + step
            rollout[step] += [
                weight[chunk, 4 + 15 - 1, i]
                * (ahead[step, i] + direct[chunk, step, i] - after_last[chunk, step, i]) ** 2
                for i in range(x.shape[2])
                if known[chunk, at, i]
            ]
    scale = batch["scale"].numpy()
    assert terms["one_step"].item() == pytest.approx(np.mean(one_step) / scale[0], rel=1e-4)
    expected = loss.rollout_weight * np.mean([np.mean(rollout[s]) / scale[s] for s in (1, 2, 3)])
    assert terms["rollout"].item() == pytest.approx(expected, rel=1e-4)
    assert set(terms) == {"one_step", "rollout"}


@pytest.mark.parametrize("steps", [0, 1])
def test_without_a_rollout_there_is_one_term(worms, make_trained, steps):
    trained = make_trained(worms, {"loss.chunk": 15, "loss.rollout": steps})
    batch = next(iter(trained.dataset.batches("train", seed=0, epoch=0)))
    assert set(loss_terms(trained.network, batch, trained.config.loss)) == {"one_step"}


def test_every_parameter_of_the_fold_learns_and_no_other(trained):
    network = trained.network
    network.zero_grad()
    batch = next(iter(trained.dataset.batches("train", seed=0, epoch=0)))
    sum(loss_terms(network, batch, trained.config.loss).values()).backward()
    for number, member in enumerate(network.members):
        for name, parameter in member.named_parameters():
            moved = parameter.grad is not None and bool(parameter.grad.any())
            assert moved == (number == int(batch["member"])), (number, name)
