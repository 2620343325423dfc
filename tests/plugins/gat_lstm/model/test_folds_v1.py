"""gat-lstm-v1 over folds: its loss and its forecasts against the network called window by window."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.folds_v1 import loss_terms, rolled_out

PARAMETERS = 1_130_305  # of the published widths


@pytest.fixture(scope="module")
def trained(walks, make_trained):
    result = make_trained(
        walks(3, frames=90),
        {
            "loss.chunk": 12,
            "loss.burn_in": 4,
            "train.batch_size": 3,
            "evaluate.horizons": [1, 3],
            "evaluate.context": 12,
        },
        model="gat-lstm-v1",
    )
    with torch.no_grad():  # tame, so that rollouts stay in reach
        for parameter in result.network.parameters():
            parameter *= 0.3
    return result


def test_a_network_of_the_published_size_per_fold(trained):
    sizes = [sum(p.numel() for p in member.parameters()) for member in trained.network.members]
    assert sizes == [PARAMETERS] * 3
    assert trained.network.member(1) is trained.network.members[1]


@pytest.mark.parametrize("scored", ["every", "last"])
def test_loss_is_the_mean_squared_error_of_the_next_frames(trained, scored):
    data = trained.dataset
    loss = trained.config.loss.model_copy(update={"scored": scored})
    batch = list(data.batches("train", seed=0, epoch=0))[1]
    assert int(batch["member"]) == 1
    batch["known"][0, -1, 2] = batch["known"][2, -3, 0] = False
    network = trained.network.member(1)
    graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
    x = batch["x"]
    first = x.shape[1] - 13
    errors = []
    with torch.no_grad():
        for chunk in range(3):
            for end in range(4 + 1, 13) if scored == "every" else [12]:
                window = x[chunk : chunk + 1, first : first + end]
                forecast = network(window, graph, batch["present"][chunk : chunk + 1])[0]
                known = batch["known"][chunk, first + end]
                following = batch["next"][chunk, first + end - 1]  # in the units of the last frame that is seen
                errors += (forecast - following).square()[known].tolist()
    assert loss_terms(trained.network, batch, loss)["mse"].item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_forecasts_are_windows_one_by_one_each_fed_back(trained):
    data = trained.dataset
    worm = data.worms[data.split.test[0]]
    graph, network = data.graph_of(worm), trained.network.member(0)
    origins = np.array([11, 12, *range(30, 60)])  # more than one block of 16
    forecasts = rolled_out(network, worm.z, graph, origins, 12, [1, 3])
    everyone = torch.ones(1, len(worm.names), dtype=torch.bool)
    for row in (0, 1, 5, 31):
        window = torch.from_numpy(worm.z[origins[row] - 11 : origins[row] + 1])[None]
        with torch.no_grad():
            for step in (1, 2, 3):
                following = network(window, graph, everyone)
                if step in forecasts:
                    np.testing.assert_allclose(forecasts[step][row], following[0], atol=1e-5)
                window = torch.cat((window, following[:, None]), 1)


def test_every_worm_is_answered_by_the_network_that_has_not_seen_it(trained):
    from neurocli.plugin.registry import registry

    family, data = registry().family("gat-lstm-v1"), trained.dataset
    target = family.targets(data, trained.config)[0]
    prediction = family.predict(trained, target)
    for fold, group in enumerate(target.groups):
        worm = data.worms[group]
        at = target.origins[group]
        expected = rolled_out(trained.network.member(fold), worm.z, data.graph_of(worm), at, 12, [1])[1]
        np.testing.assert_allclose(prediction.values[group], worm.mean[at] + worm.sd[at] * expected, atol=1e-5)


def test_a_neuron_moves_only_neurons_at_most_three_edges_away(worms, make_trained):
    trained = make_trained(worms, model="gat-lstm-v1")
    data = trained.dataset
    worm = data.worms[data.split.test[0]]
    edges = data.graph_of(worm).edge_index.t().tolist()

    def forecasts(z):
        return rolled_out(trained.network.member(0), z, data.graph_of(worm), np.array([30]), 15, [1])[1][0]

    base, some_stay = forecasts(worm.z), False
    for pre in range(len(worm.names)):
        z = worm.z.copy()
        z[30, pre] += 2
        moved = set(np.flatnonzero(forecasts(z) != base))
        near = {pre}
        for _ in range(3):
            near |= {b for a, b in edges if a in near}
        assert pre in moved and moved <= near
        some_stay |= len(near) < len(worm.names)
    assert some_stay
