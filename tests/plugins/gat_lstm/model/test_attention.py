"""Attention over snapshots against torch-geometric's GATConv on each of them, and what may depend on what."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GATConv

from neurocli.errors import DataError
from neurocli_gat_lstm.graph.tensors import GraphTensors, Incoming
from neurocli_gat_lstm.model.attention import SnapshotGATConv

both_forms = pytest.mark.parametrize("compiled", [False, True], ids=["messages", "compiled"])


def random_graph(nodes: int, edges: int, edge_dim: int = 2, seed: int = 0, shuffled: bool = True) -> GraphTensors:
    """Distinct edges without self-loops, in random order or sorted by target."""
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.tensor([(a, b) for b in range(nodes) for a in range(nodes) if a != b]).reshape(-1, 2)
    chosen = torch.randperm(len(pairs), generator=generator)[:edges]
    chosen = chosen if shuffled else chosen.sort().values
    return GraphTensors(pairs[chosen].t().contiguous(), torch.rand(len(chosen), edge_dim, generator=generator))


def layer_of(reference: GATConv, compiled: bool) -> SnapshotGATConv:
    """Our layer with the weights of a GATConv."""
    edge_dim = reference.edge_dim or 0
    residual = reference.res is not None
    ours = SnapshotGATConv(reference.in_channels, reference.out_channels, reference.heads, edge_dim, residual=residual)
    ours.load_state_dict(reference.state_dict())
    ours.compiled = compiled
    return ours


def gradients(output: torch.Tensor, aim: torch.Tensor, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
    return list(torch.autograd.grad((output * aim).sum(), leaves))


@both_forms
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    ("channels", "width", "heads", "edge_dim", "nodes", "edges"),
    [(1, 16, 4, 2, 30, 200), (5, 8, 2, 3, 12, 132), (4, 3, 1, 2, 7, 1), (6, 5, 2, 2, 9, 0)],
)
@pytest.mark.parametrize("residual", [False, True])
def test_equals_gatconv_snapshot_by_snapshot(
    compiled: bool,
    shuffled: bool,
    channels: int,
    width: int,
    heads: int,
    edge_dim: int,
    nodes: int,
    edges: int,
    residual: bool,
) -> None:
    torch.manual_seed(1)
    graph = random_graph(nodes, edges, edge_dim, shuffled=shuffled)
    edge_attr = graph.edge_attr.clone().requires_grad_()
    reference = GATConv(channels, width, heads, edge_dim=edge_dim, fill_value=0.0, residual=residual)
    torch.nn.init.normal_(reference.bias)
    ours = layer_of(reference, compiled)
    x = torch.randn(6, nodes, channels, requires_grad=True)
    aim = torch.randn(6, nodes, width * heads)

    expected = torch.stack([reference(snapshot, graph.edge_index, edge_attr) for snapshot in x])
    output = ours(x, graph.edge_index, edge_attr, None, graph.incoming(nodes))
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(ours(x, graph.edge_index, edge_attr), output, atol=0, rtol=0)

    names = [name for name, _ in reference.named_parameters()]
    assert names == [name for name, _ in ours.named_parameters()]
    if not edges:  # GATConv leaves the edges' weights out of the graph altogether
        names = [name for name in names if "edge" not in name]
    wanted = gradients(expected, aim, [x, *([edge_attr] if edges else []), *map(reference.get_parameter, names)])
    got = gradients(output, aim, [x, *([edge_attr] if edges else []), *map(ours.get_parameter, names)])
    for name, a, b in zip(["x", *(["edge_attr"] if edges else []), *names], got, wanted, strict=True):
        scale = b.abs().max().clamp(min=1)
        torch.testing.assert_close(a / scale, b / scale, atol=2e-6, rtol=0, msg=lambda m, name=name: f"{name}: {m}")


def test_messages_in_double_precision_pass_a_numerical_check_of_gradients() -> None:
    torch.manual_seed(0)
    graph = random_graph(5, 9)
    layer = SnapshotGATConv(3, 2, 2, 2).double()
    edge_attr = graph.edge_attr.double().requires_grad_()
    present = torch.tensor([[True, True, False, True, True], [True] * 5])
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: layer(a, graph.edge_index, b, present), (x, edge_attr))


@both_forms
def test_without_edge_features(compiled: bool) -> None:
    torch.manual_seed(0)
    graph = random_graph(11, 40, edge_dim=0)
    reference = GATConv(3, 4, 2)
    ours = layer_of(reference, compiled)
    x = torch.randn(3, 11, 3)
    expected = torch.stack([reference(snapshot, graph.edge_index) for snapshot in x])
    torch.testing.assert_close(ours(x, *graph), expected, atol=1e-6, rtol=1e-6)


@both_forms
def test_an_absent_neuron_is_as_one_without_outgoing_edges(compiled: bool) -> None:
    torch.manual_seed(2)
    nodes = 14
    graph = random_graph(nodes, 80)
    reference = GATConv(3, 4, 2, edge_dim=2, fill_value=0.0)
    ours = layer_of(reference, compiled)
    x = torch.randn(5, nodes, 3, requires_grad=True)
    present = torch.rand(5, nodes) > 0.4
    expected = []
    for snapshot, here in zip(x, present, strict=True):
        remaining = here[graph.edge_index[0]]
        expected.append(reference(snapshot, graph.edge_index[:, remaining], graph.edge_attr[remaining]))
    output = ours(x, *graph, present)
    torch.testing.assert_close(output, torch.stack(expected), atol=1e-6, rtol=1e-6)

    aim = torch.randn_like(output)
    for a, b in zip(
        gradients(output, aim, [x, *ours.parameters()]),
        gradients(torch.stack(expected), aim, [x, *reference.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=1e-5)
    # One mask for all snapshots, and one that is broadcast over two leading dimensions.
    for_all = ours(x, *graph, present[:1])
    torch.testing.assert_close(for_all, ours(x, *graph, present[:1].expand(5, -1)), atol=0, rtol=0)
    deep = x.detach().expand(3, 5, nodes, 3)
    torch.testing.assert_close(ours(deep, *graph, present), output.detach().expand(3, 5, nodes, -1), atol=1e-6, rtol=0)


@both_forms
def test_all_absent_leaves_each_neuron_to_itself(compiled: bool) -> None:
    layer = SnapshotGATConv(3, 4, 2, 2)
    layer.compiled = compiled
    graph = random_graph(6, 20)
    x = torch.randn(2, 6, 3)
    torch.testing.assert_close(layer(x, *graph, torch.zeros(1, 6, dtype=torch.bool)), layer.lin(x) + layer.bias)


@both_forms
def test_a_snapshot_does_not_depend_on_its_company(compiled: bool) -> None:
    torch.manual_seed(3)
    graph = random_graph(20, 120)
    layer = SnapshotGATConv(2, 8, 2, 2)
    layer.compiled = compiled
    x = torch.randn(9, 20, 2)
    together = layer(x, *graph)
    assert layer(x[:0], *graph).shape == (0, 20, 16)
    for k in (0, 4, 8):
        torch.testing.assert_close(layer(x[k : k + 1], *graph)[0], together[k], atol=1e-6, rtol=0)


@both_forms
def test_permuting_the_neurons_permutes_the_answer(compiled: bool) -> None:
    torch.manual_seed(4)
    graph = random_graph(20, 120)
    layer = SnapshotGATConv(2, 8, 2, 2)
    layer.compiled = compiled
    x = torch.randn(3, 20, 2)
    order = torch.randperm(20)
    place = torch.argsort(order)
    moved = layer(x[:, order], place[graph.edge_index], graph.edge_attr)
    torch.testing.assert_close(moved, layer(x, *graph)[:, order], atol=1e-6, rtol=0)


def reached(graph: GraphTensors, node: int, hops: int) -> set[int]:
    """Nodes within `hops` steps along the edges, the node itself included."""
    visited = {node}
    for _ in range(hops):
        visited |= {int(b) for a, b in graph.edge_index.t().tolist() if a in visited}
    return visited


@both_forms
@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_perturbation_reaches_its_out_neighbours_and_nothing_else(compiled: bool, hops: int) -> None:
    torch.manual_seed(5)
    nodes = 30
    graph = random_graph(nodes, 45)
    layers = [SnapshotGATConv(4, 2, 2, 2) for _ in range(hops)]

    def through(x: torch.Tensor) -> torch.Tensor:
        for layer in layers:
            layer.compiled = compiled
            x = layer(x, *graph)
        return x

    x = torch.randn(1, nodes, 4)
    before = through(x)
    sizes = set()
    for node in range(nodes):
        moved = x.clone()
        moved[0, node] += 1
        changed = set((through(moved) != before).any(-1)[0].nonzero()[:, 0].tolist())
        expected = reached(graph, node, hops)
        assert changed == expected
        sizes.add(len(expected))
    assert len(sizes) > 2  # the graph has something to tell


def test_attention_sums_to_one_and_gives_the_answer() -> None:
    torch.manual_seed(6)
    graph = random_graph(15, 70)
    layer = SnapshotGATConv(3, 4, 2, 2)
    reference = GATConv(3, 4, 2, edge_dim=2, fill_value=0.0)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(4, 15, 3)
    values, attention, edges = layer.attend(x, *graph)
    assert torch.equal(edges[:, :70], graph.edge_index)
    assert torch.equal(edges[:, 70:], torch.arange(15).expand(2, 15))
    total = torch.zeros(4, 15, 2).index_add(1, edges[1], attention)
    torch.testing.assert_close(total, torch.ones_like(total))
    weighted = torch.zeros(4, 15, 2, 4).index_add(1, edges[1], attention[..., None] * values[:, edges[0]])
    torch.testing.assert_close(weighted.flatten(2) + layer.bias, layer(x, *graph), atol=1e-6, rtol=0)
    _, (reference_edges, weights) = reference(x[0], *graph, return_attention_weights=True)
    assert torch.equal(reference_edges, edges)
    torch.testing.assert_close(weights, attention[0], atol=1e-6, rtol=0)


@both_forms
def test_not_a_number_spreads_to_out_neighbours_only(compiled: bool) -> None:
    graph = random_graph(12, 20)
    layer = SnapshotGATConv(1, 2, 2, 2)
    layer.compiled = compiled
    x = torch.randn(1, 12, 1)
    x[0, 3] = torch.nan
    bad = layer(x, *graph).isnan().any(-1)[0].nonzero()[:, 0].tolist()
    assert set(bad) == reached(graph, 3, 1)


@both_forms
def test_large_scores_do_not_overflow(compiled: bool) -> None:
    graph = random_graph(12, 60)
    layer = SnapshotGATConv(1, 2, 2, 2)
    layer.compiled = compiled
    x = (torch.randn(2, 12, 1) * 1e4).requires_grad_()
    layer(x, *graph).sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


def test_edges_to_nodes_that_are_not_there_are_refused() -> None:
    layer = SnapshotGATConv(1, 2, 1, 2)
    for bad in (torch.tensor([[0], [9]]), torch.tensor([[9], [0]]), torch.tensor([[-1], [0]])):
        graph = GraphTensors(bad, torch.zeros(1, 2))
        with pytest.raises(DataError, match="outside of 0 to 4"):
            layer(torch.zeros(1, 5, 1), *graph)
    whole = GraphTensors(torch.tensor([[0], [4]]), torch.zeros(1, 2))
    with pytest.raises(DataError, match="do not fit"):
        layer(torch.zeros(1, 4, 1), *whole, None, whole.incoming(5))


def test_graph_tensors_refuse_what_does_not_fit() -> None:
    edge = torch.tensor([[0], [1]])
    with pytest.raises(DataError, match="cannot have features"):
        GraphTensors(edge, torch.zeros(2, 2))
    with pytest.raises(DataError, match="int64"):
        GraphTensors(edge.float(), torch.zeros(1, 2))
    with pytest.raises(DataError, match="join a node to itself"):
        GraphTensors(torch.tensor([[0, 2], [1, 2]]), torch.zeros(2, 2))


def test_incoming_edges_are_sorted_once() -> None:
    graph = random_graph(9, 30)
    incoming = graph.incoming(9)
    assert graph.incoming(9) is incoming
    source, target = graph.edge_index
    for node in range(9):
        senders = incoming.source[incoming.start[node] : incoming.start[node + 1]]
        assert torch.equal(senders, source[target == node])
    assert incoming.widest == int(torch.bincount(target).max())
    assert Incoming.of(random_graph(9, 30, shuffled=False).edge_index, 9).order is None
