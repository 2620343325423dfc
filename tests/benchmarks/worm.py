"""The gat-lstm models against the published loop, one process, one thread: `python tests/benchmarks/worm.py`.

236 neurons, 4,085 random edges, windows of 50 steps. The published loop calls torch-geometric's GATConv for every time step of every
window and forecasts once per window.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from clock import median_cpu
from torch.nn import functional
from torch_geometric.nn import GATConv

from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import SnapshotGATConv
from neurocli_gat_lstm.model.loss_v2 import loss_terms
from neurocli_gat_lstm.model.v1 import PlannedGatLstm
from neurocli_gat_lstm.model.v2 import GatLstm

NODES, EDGES, WINDOW, STRIDE, BURN_IN = 236, 4_085, 50, 10, 10
GROWTH = (
    *((20_000, edges) for edges in (200_000, 500_000, 1_000_000, 2_000_000)),
    *((nodes, 500_000) for nodes in (1_000, 5_000)),
    (2_000, 200_000),
    (NODES, EDGES),
)
STATES, WIDTH, HEADS = 4, 16, 2


def random_graph(nodes: int, edges: int) -> GraphTensors:
    """Distinct random edges, sorted by target."""
    torch.manual_seed(0)
    keys = torch.randint(nodes * nodes, (int(1.5 * edges),)).unique()
    keys = keys[keys % nodes != keys // nodes]
    keys = keys[torch.randperm(len(keys))[:edges]].sort().values
    assert len(keys) == edges
    return GraphTensors(torch.stack((keys % nodes, keys // nodes)), torch.rand(edges, 2))


def published_forecasts(model: PlannedGatLstm, windows: torch.Tensor, graph: GraphTensors) -> torch.Tensor:
    """Forecasts [window, node] by the plan's words: GATConv for each time step of each window [window, time, node]."""
    embedded = []
    for window in windows:
        steps = []
        for snapshot in window:
            features = snapshot[:, None]
            for layer, norm in zip(model.convs, model.norms, strict=True):
                features = torch.relu(norm(layer(features, graph.edge_index, graph.edge_attr)))
            steps.append(features)
        embedded.append(torch.stack(steps))
    hidden, _ = model.lstm(torch.cat(embedded, 1))
    return windows[:, -1] + model.head(hidden[-1])[:, 0].view(len(windows), -1)


def published_model() -> PlannedGatLstm:
    """gat-lstm-v1 with torch-geometric's own layers."""
    model = PlannedGatLstm()
    for k, ours in enumerate(model.convs):
        assert isinstance(ours, SnapshotGATConv)
        theirs = GATConv(ours.in_channels, ours.out_channels, ours.heads, edge_dim=2, fill_value=0.0)
        theirs.load_state_dict(ours.state_dict())
        model.convs[k] = theirs
    return model


def windows_of(series: torch.Tensor) -> torch.Tensor:
    return series.unfold(0, WINDOW, STRIDE).transpose(1, 2)


def training_step(name: str, windows: int) -> tuple[Callable[[], None], int]:
    """A step of Adam at the plan's widths, and the forecasts per neuron that it is trained on.

    loop, cached: the step after each of some windows of one series. every: each step of the windows after the first few.
    """
    torch.manual_seed(0)
    model = published_model() if name == "loop" else PlannedGatLstm()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    graph, present = random_graph(NODES, EDGES), torch.ones(NODES, dtype=torch.bool)
    series = torch.randn(WINDOW + STRIDE * (windows - 1) + 1, NODES)
    given, following = windows_of(series[:-1]), windows_of(series[1:])

    def step() -> None:
        optimiser.zero_grad()
        if name == "loop":
            loss = functional.mse_loss(published_forecasts(model, given, graph), following[:, -1])
        elif name == "cached":
            forecasts = model.forward_windows(series[:-1], graph, present, window=WINDOW, stride=STRIDE)
            loss = functional.mse_loss(forecasts, following[:, -1])
        else:
            forecasts = model.forward_all(given, graph, present.expand(windows, -1))
            loss = functional.mse_loss(forecasts[:, BURN_IN:], following[:, BURN_IN:])
        loss.backward()
        optimiser.step()

    return step, windows * (WINDOW - BURN_IN if name == "every" else 1)


def v2_step(rollout: int) -> tuple[Callable[[], None], int]:
    """A step of gat-lstm-v2 with its own loss and widths, among all neurons."""
    config = V2Config()
    options, loss = config.model, config.loss.model_copy(update={"rollout": rollout})
    torch.manual_seed(0)
    network = GatLstm(NODES, 1, (1,), 2, options)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    graph, chunks = random_graph(NODES, EDGES), config.train.batch_size
    nodes, time = torch.arange(NODES), options.lags + loss.chunk + max(1, rollout)
    batch = {
        "x": torch.randn(chunks, time, NODES),
        "next": torch.randn(chunks, time, NODES),
        "weight": torch.ones(chunks, time, NODES),
        "ahead": torch.randn(chunks, max(1, rollout), NODES),
        "direct": torch.zeros(chunks, max(1, rollout), NODES),
        "known": torch.ones(chunks, time, NODES, dtype=torch.bool),
        "present": torch.ones(chunks, NODES, dtype=torch.bool),
        "nodes": nodes,
        "edge_index": graph.edge_index,
        "edge_attr": graph.edge_attr,
        "member": torch.tensor(0),
        "scale": torch.ones(max(1, rollout)),
        **network.linear_of(0, nodes),
    }

    def step() -> None:
        optimiser.zero_grad()
        torch.stack(list(loss_terms(network, batch, loss).values())).sum().backward()
        optimiser.step()

    return step, chunks * (loss.chunk - loss.burn_in + max(0, rollout - 1))


def attention_step(nodes: int, edges: int) -> Callable[[], None]:
    """One layer forward and backward over a few snapshots."""
    graph, layer = random_graph(nodes, edges), SnapshotGATConv(WIDTH, WIDTH // HEADS, HEADS, 2)
    x = torch.randn(STATES, nodes, WIDTH, requires_grad=True)

    def step() -> None:
        layer.zero_grad()
        layer(x, *graph, None, graph.incoming(nodes)).square().mean().backward()

    graph.incoming(nodes)
    return step


def made(words: list[str]) -> tuple[Callable[[], None], int]:
    """What a line of a table measures."""
    name, *numbers = words
    if name == "v2":
        return v2_step(int(numbers[0]))
    if name == "attention":
        return attention_step(int(numbers[0]), int(numbers[1])), int(numbers[1]) * STATES
    return training_step(name, int(numbers[0]))


def memory_mb(field: str) -> float:
    """VmRSS, what this process holds now, or VmHWM, the most since that was reset (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(field + ":")[1].split()[0]) * 1024 / 1e6


def measure(words: list[str]) -> None:
    """Print CPU-s of a step, its targets, and the MB that it takes at most beyond what was there before it."""
    torch.set_num_threads(1)
    attention_step(5, 8)()  # compiles
    step, targets = made(words)
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before = memory_mb("VmRSS")
    step()
    peak = memory_mb("VmHWM") - before
    print(median_cpu(step, repeats=3), targets, peak)


def measured(*words: object) -> tuple[float, int, float]:
    """`measure` in a process of its own, since memory once taken does not show again."""
    command = [sys.executable, __file__, "measure", *map(str, words)]
    seconds, targets, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), int(targets), float(peak)


def largest_difference() -> float:
    """Between the loop's forecasts and ours, all three ways."""
    published, ours = published_model().eval(), PlannedGatLstm().eval()
    for parameter in published.head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    ours.load_state_dict(published.state_dict())
    graph, present = random_graph(NODES, EDGES), torch.ones(NODES, dtype=torch.bool)
    series = torch.randn(WINDOW + STRIDE, NODES)
    windows = windows_of(series)
    every = present.expand(len(windows), -1)
    with torch.no_grad():
        expected = published_forecasts(published, windows, graph)
        found = (
            ours(windows, graph, every),
            ours.forward_windows(series, graph, present, window=WINDOW, stride=STRIDE),
            ours.forward_all(windows, graph, every)[:, -1],
        )
    return max(float((f - expected).abs().max()) for f in found)


def steps_table() -> Iterator[str]:
    yield "| training step | windows | CPU-s | ms per forecast of all neurons | CPU | memory [MB] | memory, same windows |"
    yield "|---|---|---|---|---|---|---|"
    loop = {windows: measured("loop", windows) for windows in (1, 3)}
    reference = loop[1][0]
    rows = [("published loop", windows, row) for windows, row in loop.items()]
    rows += [("v1, a forecast per window, steps embedded once", 3, measured("cached", 3))]
    rows += [("v1, a forecast after every step", windows, measured("every", windows)) for windows in (1, 3)]
    for name, windows, (seconds, targets, peak) in rows:
        share = f"1/{reference * targets / seconds:.1f} | {peak:.0f} | {peak / loop[windows][2]:.2f}"
        yield f"| {name} | {windows} | {seconds:.2f} | {1000 * seconds / targets:.1f} | {share} |"
    chunks = V2Config().train.batch_size
    for name, rollout in (("v2, after every step", 0), ("v2, and a rollout", V2Config().loss.rollout)):
        seconds, targets, peak = measured("v2", rollout)
        share = f"1/{reference * targets / seconds:.0f} | {peak:.0f} | |"
        yield f"| {name} | {chunks} | {seconds:.2f} | {1000 * seconds / targets:.2f} | {share}"


def growth_table() -> Iterator[str]:
    yield "| nodes | edges | CPU-s | ns per edge and snapshot | memory [MB] |"
    yield "|---|---|---|---|---|"
    for nodes, edges in sorted(GROWTH):
        seconds, count, peak = measured("attention", nodes, edges)
        yield f"| {nodes:,} | {edges:,} | {seconds:.3f} | {1e9 * seconds / count:.0f} | {peak:.0f} |"


def main() -> None:
    torch.set_num_threads(1)
    for line in steps_table():
        print(line, flush=True)
    print(f"\nlargest difference of forecasts between the loop and ours: {largest_difference():.0e}\n")
    for line in growth_table():
        print(line, flush=True)


if sys.argv[1:2] == ["measure"]:
    measure(sys.argv[2:])
else:
    main()
