"""gat-lstm-v1 on the connectome against a plain loop over windows and time steps with torch-geometric's own layers."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GATConv

from neurocli_gat_lstm.graph.connectome import load_connectome
from neurocli_gat_lstm.graph.graph import graph_among
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import SnapshotGATConv
from neurocli_gat_lstm.model.v1 import PlannedGatLstm

# Connected neurons of every class, one that is not in the connectome, and one without edges to the others.
NAMES = (
    "AVAL",
    "AVAR",
    "AVBL",
    "AVBR",
    "ASEL",
    "ASER",
    "AIYL",
    "AIYR",
    "AIBL",
    "RIML",
    "RMDDL",
    "VB2",
    "DB1",
    "a cell",
)


@pytest.fixture(scope="module")
def graph() -> GraphTensors:
    edges = graph_among(load_connectome("cook2019"), NAMES)
    assert edges.n_edges > 30
    return GraphTensors(torch.tensor(edges.edge_index), torch.tensor(edges.features))


def trained(seed: int = 0, **options: bool) -> PlannedGatLstm:
    """A model whose head does not answer zero, without dropout."""
    torch.manual_seed(seed)
    model = PlannedGatLstm(**options).eval()
    torch.nn.init.normal_(model.head[-1].weight, std=0.3)
    torch.nn.init.normal_(model.head[-1].bias)
    return model


def plain_layer(conv: SnapshotGATConv) -> GATConv:
    """torch-geometric's layer over the same parameters."""
    skips = conv.res is not None
    layer = GATConv(conv.in_channels, conv.out_channels, conv.heads, edge_dim=2, fill_value=0.0, residual=skips)
    for name in ("lin", "lin_edge", "res", "att_src", "att_dst", "att_edge", "bias"):
        setattr(layer, name, getattr(conv, name))
    return layer


def plain_loop(
    model: PlannedGatLstm, windows: torch.Tensor, graph: GraphTensors, present: torch.Tensor
) -> torch.Tensor:
    """The plan as it reads: window by window, time step by time step, every neuron's LSTM over all its steps.

    An absent neuron's outgoing edges are left out.
    """
    layers = [plain_layer(conv) for conv in model.convs]
    forecasts = []
    for window, here in zip(windows, present, strict=True):
        remaining = here[graph.edge_index[0]]
        embedded = []
        for snapshot in window:
            features = snapshot[:, None]
            for layer, norm in zip(layers, model.norms, strict=True):
                features = torch.relu(norm(layer(features, graph.edge_index[:, remaining], graph.edge_attr[remaining])))
            embedded.append(features)
        hidden, _ = model.lstm(torch.stack(embedded))
        forecasts.append((window[-1] + model.head(hidden[-1])[:, 0]) * here)
    return torch.stack(forecasts)


@pytest.mark.parametrize(
    ("options", "count"), [({}, 1_130_305), ({"edge_dim": 3}, 1_130_753), ({"learned_skips": True}, 1_171_329)]
)
def test_number_of_parameters(options: dict[str, int], count: int) -> None:
    assert sum(p.numel() for p in PlannedGatLstm(**options).parameters()) == count


def test_widths_and_heads_are_the_plans() -> None:
    model = PlannedGatLstm()
    layers = [(c.in_channels, c.heads, c.out_channels) for c in model.convs]
    assert layers == [(1, 4, 16), (64, 4, 32), (128, 2, 128)]


@pytest.mark.parametrize("learned_skips", [False, True])
def test_loop_batched_and_cached_agree(graph: GraphTensors, learned_skips: bool) -> None:
    model = trained(learned_skips=learned_skips)
    window, stride = 9, 4
    series = torch.randn(25, len(NAMES))
    present = torch.rand(len(NAMES), generator=torch.Generator().manual_seed(0)) > 0.2
    assert 0 < int(present.sum()) < len(NAMES)
    for here in (torch.ones(len(NAMES), dtype=torch.bool), present):
        windows = series.unfold(0, window, stride).transpose(1, 2)
        every = here.expand(len(windows), -1)
        with torch.no_grad():
            loop = plain_loop(model, windows, graph, every)
            batched = model(windows, graph, every)
            cached = model.forward_windows(series, graph, here, window=window, stride=stride)
        assert loop.shape == (5, len(NAMES))
        torch.testing.assert_close(batched, loop, atol=1e-5, rtol=0)
        torch.testing.assert_close(cached, loop, atol=1e-5, rtol=0)


def test_gradients_of_loop_batched_and_cached_agree(graph: GraphTensors) -> None:
    model = trained(learned_skips=True)
    series = torch.randn(11, len(NAMES))
    here = torch.ones(len(NAMES), dtype=torch.bool)
    here[2] = False
    windows = series.unfold(0, 7, 2).transpose(1, 2)
    every = here.expand(3, -1)
    aim = torch.randn(3, len(NAMES))

    def gradients(forecasts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad((forecasts * aim).sum(), list(model.parameters()))

    loop = gradients(plain_loop(model, windows, graph, every))
    batched = gradients(model(windows, graph, every))
    cached = gradients(model.forward_windows(series, graph, here, window=7, stride=2))
    for result in (batched, cached):
        for (name, _), a, b in zip(model.named_parameters(), result, loop, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5 * max(1.0, float(b.abs().max())), rtol=0, msg=name)


def test_forecasts_after_every_step_are_those_of_the_window_so_far(graph: GraphTensors) -> None:
    model = trained()
    x = torch.randn(2, 8, len(NAMES))
    present = torch.rand(2, len(NAMES)) > 0.3
    with torch.no_grad():
        every = model.forward_all(x, graph, present)
        assert every.shape == x.shape
        for t in range(8):
            torch.testing.assert_close(every[:, t], model(x[:, : t + 1], graph, present), atol=1e-5, rtol=0)


def test_nothing_depends_on_what_comes_later(graph: GraphTensors) -> None:
    model = trained()
    present = torch.ones(1, len(NAMES), dtype=torch.bool)
    x = torch.randn(1, 10, len(NAMES))
    changed = x.clone()
    changed[:, 6:] += 1
    with torch.no_grad():
        before, after = model.forward_all(x, graph, present), model.forward_all(changed, graph, present)
    torch.testing.assert_close(before[:, :6], after[:, :6], atol=1e-6, rtol=0)
    assert float((before[:, 6:] - after[:, 6:]).abs().min()) > 1e-3


def test_rollout_is_the_forecast_of_the_window_and_all_forecasts_so_far(graph: GraphTensors) -> None:
    model = trained()
    x = torch.randn(2, 6, len(NAMES))
    present = torch.rand(2, len(NAMES)) > 0.3
    with torch.no_grad():
        rolled = model.rollout(x, graph, present, 4)
        assert rolled.shape == (2, 4, len(NAMES))
        for k in range(4):
            so_far = torch.cat((x, rolled[:, :k]), 1)
            torch.testing.assert_close(rolled[:, k], model(so_far, graph, present), atol=1e-5, rtol=0)


def test_a_rollout_can_be_trained(graph: GraphTensors) -> None:
    model = trained()
    x = torch.randn(1, 5, len(NAMES), requires_grad=True)
    present = torch.ones(1, len(NAMES), dtype=torch.bool)
    model.rollout(x, graph, present, 3)[:, -1].sum().backward()
    assert x.grad is not None
    assert bool((x.grad.abs().sum((0, 2)) > 0).all())
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())


def test_untrained_it_is_persistence(graph: GraphTensors) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, len(NAMES))
    present = torch.ones(2, len(NAMES), dtype=torch.bool)
    torch.testing.assert_close(PlannedGatLstm().forward_all(x, graph, present), x, atol=0, rtol=0)


def test_a_window_does_not_depend_on_its_company(graph: GraphTensors) -> None:
    model = trained()
    x = torch.randn(4, 6, len(NAMES))
    present = torch.rand(4, len(NAMES)) > 0.3
    with torch.no_grad():
        together = model(x, graph, present)
        for k in range(4):
            alone = model(x[k : k + 1], graph, present[k : k + 1])
            torch.testing.assert_close(alone[0], together[k], atol=1e-5, rtol=0)


def test_what_an_absent_neuron_holds_changes_nothing(graph: GraphTensors) -> None:
    model = trained()
    x = torch.randn(2, 6, len(NAMES))
    present = torch.ones(2, len(NAMES), dtype=torch.bool)
    present[0, 0] = present[1, 3] = present[1, 12] = False
    other = x.clone()
    other[0, :, 0], other[1, :, 3], other[1, :, 12] = 7, torch.nan, torch.inf
    with torch.no_grad():
        before, after = model(x, graph, present), model(other, graph, present)
        assert torch.equal(before, after)
        assert bool((before[~present] == 0).all())
        nobody = torch.zeros(2, len(NAMES), dtype=torch.bool)
        assert bool((model(x, graph, nobody) == 0).all())


def test_a_perturbed_neuron_moves_its_out_neighbours_within_three_hops(graph: GraphTensors) -> None:
    model = trained()
    present = torch.ones(1, len(NAMES), dtype=torch.bool)
    x = torch.randn(1, 5, len(NAMES))
    sizes = []
    with torch.no_grad():
        before = model(x, graph, present)
        for node in range(len(NAMES)):
            expected = {node}
            for _ in model.convs:
                expected |= {b for a, b in graph.edge_index.t().tolist() if a in expected}
            moved = x.clone()
            moved[..., node] += 1
            changed = (model(moved, graph, present) != before)[0].nonzero()[:, 0].tolist()
            assert set(changed) == expected
            sizes.append(len(expected))
    assert min(sizes) == 1
    assert max(sizes) > 8


def test_permuting_the_neurons_permutes_the_forecasts(graph: GraphTensors) -> None:
    model = trained()
    x = torch.randn(2, 6, len(NAMES))
    present = torch.rand(2, len(NAMES)) > 0.2
    order = torch.randperm(len(NAMES))
    moved = GraphTensors(torch.argsort(order)[graph.edge_index], graph.edge_attr)
    with torch.no_grad():
        expected = model(x, graph, present)[:, order]
        torch.testing.assert_close(model(x[..., order], moved, present[:, order]), expected, atol=1e-5, rtol=0)


def test_the_edges_carry_what_it_learns() -> None:
    """A neuron that repeats what its neighbour did one step before can be forecast with the edge and not without."""
    torch.manual_seed(0)
    signals = torch.randn(8, 21, 2)
    signals[:, 1:, 1] = signals[:, :-1, 0]
    present = torch.ones(8, 2, dtype=torch.bool)
    edge, nothing = torch.tensor([[0], [1]]), torch.empty(2, 0, dtype=torch.int64)
    errors = {}
    for name, edges in (("edge", edge), ("none", nothing)):
        tensors = GraphTensors(edges, torch.ones(edges.shape[1], 2))
        torch.manual_seed(1)
        model = PlannedGatLstm()
        optimiser = torch.optim.Adam(model.parameters(), 1e-3)
        for _ in range(30):
            optimiser.zero_grad()
            change = model.forward_all(signals[:, :-1], tensors, present)[..., 1] - signals[:, 1:, 1]
            loss = change.square().mean()
            loss.backward()
            optimiser.step()
        errors[name] = float(loss.detach())
    assert errors["edge"] < 0.6 * errors["none"], errors
