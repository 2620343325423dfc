"""The ELM neuron against the published one, in the scripted form that its authors ship: `python tests/benchmarks/elm.py`.

One process, one thread, single precision; every form is warm before it is timed. Ratios are medians over rounds of ratios of CPU
time within a round. `--quick` takes fewer rounds, `--only NAME` one case, `--markdown` prints the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from clock import median_cpu

from neurocli_elm.data.events import InputEvents
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.options import ElmOptions

BRANCHED = {"num_branch": 45, "num_synapse_per_branch": 100, "input_to_synapse_routing": "neuronio"}
L5PC = {"num_input": 1278, "num_output": 2, "memory_tau_max": 150.0}
SHD = {"num_input": 700, "num_output": 20, "memory_tau_max": 500.0, "delta_t": 10.0}


@dataclass(frozen=True)
class Case:
    """A neuron and its input."""

    options: ElmOptions
    steps: int
    density: float


CASES = {
    "v2, 45 branches, 15 memory units": Case(ElmOptions(version=2, num_memory=15, **L5PC, **BRANCHED), 500, 0.011),
    "v1, 45 branches, 20": Case(ElmOptions(version=1, num_memory=20, **L5PC, **BRANCHED), 500, 0.011),
    "v1, no branches, 20": Case(ElmOptions(version=1, num_memory=20, **L5PC), 500, 0.011),
    "v1, 45 branches, 100": Case(ElmOptions(version=1, num_memory=100, **L5PC, **BRANCHED), 500, 0.011),
    "v1 on SHD, 700 inputs, 100": Case(ElmOptions(version=1, num_memory=100, **SHD), 100, 0.1),
}
SAMPLES = 8


@torch.jit.script
def scripted(
    x: torch.Tensor,
    w_s: torch.Tensor,
    k_trace: torch.Tensor,
    k: torch.Tensor,
    gain: torch.Tensor,
    layers: list[tuple[torch.Tensor, torch.Tensor]],
    readout: tuple[torch.Tensor, torch.Tensor],
    branches: int,
    by_branch: bool,
) -> torch.Tensor:
    """Trace, perceptron, memory and readout step by step, of routed input [sample, time, synapse]."""
    samples = x.size(0)
    trace = torch.zeros(samples, k_trace.size(0))
    m = torch.zeros(samples, k.size(0))
    outputs: list[torch.Tensor] = []
    for t in range(x.size(1)):
        if by_branch:
            trace = k_trace * trace + (w_s * x[:, t]).view(samples, branches, -1).sum(-1)
            h = torch.cat([trace, k * m], -1)
        else:
            trace = k_trace * trace + w_s * x[:, t]
            h = torch.cat([trace.view(samples, branches, -1).sum(-1), k * m], -1)
        for n in range(len(layers)):
            h = torch.nn.functional.linear(h, layers[n][0], layers[n][1])
            if n + 1 < len(layers):
                h = torch.relu(h)
        m = k * m + gain * (torch.tanh(h * 2 / 3) * 1.7159)
        outputs.append(torch.nn.functional.linear(m, readout[0], readout[1]))
    return torch.stack(outputs, -2)


def published_loop(neuron: ElmNeuron, x: torch.Tensor, *, script: bool = True) -> torch.Tensor:
    """The form that the authors ship: routing for all steps at once, then the scripted loop. script: False runs the loop in Python."""
    options = neuron.options
    indices, valid = neuron.input_to_synapse_indices, neuron.valid_indices_mask
    routed = torch.index_select(x, 2, indices) * valid if len(indices) else x
    k_trace = torch.exp(-options.delta_t / getattr(neuron, options.trace_name).clamp_min(1e-6))
    layers = [(layer.weight, layer.bias) for layer in neuron.mlp.linears]
    loop: Any = scripted if script else _in_python
    weights = torch.relu(neuron._proto_w_s), k_trace, *neuron.memory_decay(), layers
    return loop(routed, *weights, (neuron.w_y.weight, neuron.w_y.bias), options.branches, options.version == 2)


def _in_python(
    x: torch.Tensor,
    w_s: torch.Tensor,
    k_trace: torch.Tensor,
    k: torch.Tensor,
    gain: torch.Tensor,
    layers: list[tuple[torch.Tensor, torch.Tensor]],
    readout: tuple[torch.Tensor, torch.Tensor],
    branches: int,
    by_branch: bool,
) -> torch.Tensor:
    trace, m = torch.zeros(len(x), len(k_trace)), torch.zeros(len(x), len(k))
    outputs = []
    for row in x.unbind(1):
        current = w_s * row
        if by_branch:
            current = current.view(len(x), branches, -1).sum(-1)
        trace = k_trace * trace + current
        branch = trace if by_branch else trace.view(len(x), branches, -1).sum(-1)
        h = torch.cat((branch, k * m), -1)
        for weight, bias in layers[:-1]:
            h = torch.relu(torch.nn.functional.linear(h, weight, bias))
        m = k * m + gain * 1.7159 * torch.tanh(2 / 3 * torch.nn.functional.linear(h, *layers[-1]))
        outputs.append(torch.nn.functional.linear(m, *readout))
    return torch.stack(outputs, -2)


def made(case: Case, samples: int = SAMPLES, steps: int | None = None) -> tuple[ElmNeuron, torch.Tensor, InputEvents]:
    """A neuron with its own random start, input of the real density, and the same input as events."""
    torch.manual_seed(0)
    neuron = ElmNeuron(case.options)
    steps = steps or case.steps
    x = (torch.rand(samples, steps, case.options.num_input) < case.density).float()
    if case.options.num_output == 2:
        x[..., case.options.num_input // 2 :] *= -1
    sample, step, channel = x.nonzero(as_tuple=True)
    return neuron, x, InputEvents(step, channel, x[sample, step, channel], sample, steps, samples)


Run = Callable[[], torch.Tensor]
REFERENCE, PYTHON = "published, scripted", "the same loop in Python"
FORMS = (PYTHON, "torch", "torch, events", "compiled", "compiled, events")


def with_gradients(run: Run, neuron: ElmNeuron) -> list[torch.Tensor]:
    """Output, and the gradients of a fixed sum over it."""
    learned = [p for p in neuron.parameters() if p.requires_grad]
    y = run()
    aim = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return [y.detach(), *torch.autograd.grad((y * aim).sum(), learned)]


def cost(run: Run, neuron: ElmNeuron, repeats: int) -> tuple[float, float]:
    """Median CPU-s of forward, and of forward and backward."""

    def forward() -> None:
        with torch.no_grad():
            run()

    return median_cpu(forward, repeats), median_cpu(lambda: with_gradients(run, neuron), repeats)


def difference(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> str:
    """Largest difference of outputs, and of gradients relative to the largest entry."""
    gradients = (float((a - b).abs().max() / b.abs().max()) for a, b in zip(found[1:], wanted[1:], strict=True))
    return f"{float((found[0] - wanted[0]).abs().max()):.0e} | {max(gradients):.0e}"


def runs_of(neuron: ElmNeuron, x: torch.Tensor, events: InputEvents) -> dict[str, Run]:
    """Every form by name."""

    def own(compiled: bool, sparse: bool) -> Run:
        def run() -> torch.Tensor:
            neuron.compiled = compiled
            return neuron.forward_events(events) if sparse else neuron(x)

        return run

    return {
        REFERENCE: lambda: published_loop(neuron, x),
        PYTHON: lambda: published_loop(neuron, x, script=False),
        **{form: own("compiled" in form, "events" in form) for form in FORMS[1:]},
    }


def measured(case: Case, rounds: int) -> tuple[dict[str, list[tuple[float, float]]], dict[str, str]]:
    """(CPU-s of each form in each round, forward and with backward; how far outputs and gradients are from the reference's).

    In each round all forms take their turn, so that a busy machine meets them alike.
    """
    neuron, x, events = made(case)
    runs = runs_of(neuron, x, events)
    for run in runs.values():  # compiles, and lets the script be optimised, which takes it three calls
        for _ in range(3):
            cost(run, neuron, 1)
    wanted = with_gradients(runs[REFERENCE], neuron)
    apart = {form: difference(with_gradients(run, neuron), wanted) for form, run in runs.items()}
    costs: dict[str, list[tuple[float, float]]] = {form: [] for form in runs}
    for _ in range(rounds):
        for form, run in runs.items():
            slow = form in (REFERENCE, PYTHON)
            costs[form].append(cost(run, neuron, 1 if slow else 3))
    return costs, apart


def speed(names: list[str], rounds: int, markdown: bool) -> None:
    """Prints the table: medians over rounds, and of the ratios within each."""
    wide = "| neuron | form | forward, ms | with backward, ms | times the reference | outputs differ | gradients |"
    short = "| neuron | published, scripted [ms] | torch | compiled | compiled, input as events |"
    print(short if markdown else wide)
    print("|---" * ((short if markdown else wide).count("|") - 1) + "|")
    for name in names:
        costs, apart = measured(CASES[name], rounds)
        reference = costs[REFERENCE]

        def ratios(form: str, reference: Any = reference, costs: Any = costs) -> list[float]:
            return [statistics.median(r[i] / c[i] for r, c in zip(reference, costs[form], strict=True)) for i in (0, 1)]

        def ms(form: str, costs: Any = costs) -> list[float]:
            return [1e3 * statistics.median(column) for column in zip(*costs[form], strict=True)]

        if markdown:
            cells = [" / ".join(f"{r:.{1 if r < 9.95 else 0}f}" for r in ratios(f)) + " x" for f in MARKDOWN]
            print(f"| {name} | {' / '.join(f'{v:.0f}' for v in ms(REFERENCE))} | {' | '.join(cells)} |", flush=True)
            continue
        for form in costs:
            forward, both = ms(form)
            print(
                f"| {name} | {form} | {forward:.1f} | {both:.1f} | {' / '.join(f'{r:.2f}' for r in ratios(form))} | {apart[form]} |",
                flush=True,
            )


MARKDOWN = ("torch", "compiled", "compiled, events")


def growth(name: str, compiled: bool) -> None:
    """CPU-s and memory against the length and the number of windows, each in a process of its own."""
    print(
        "\n| windows | steps | form | forward and backward, ms | per window and step, us | memory above the input, MB | per window and step, kB |"
    )
    print("|---|---|---|---|---|---|---|")
    for samples, steps in ((8, 500), (8, 2000), (8, 8000), (2, 2000), (32, 2000)):
        command = [sys.executable, __file__, "--one", json.dumps([name, samples, steps, compiled])]
        ms, mb = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        each = samples * steps
        form = "compiled" if compiled else "torch"
        print(
            f"| {samples} | {steps} | {form} | {ms:.0f} | {1e3 * ms / each:.2f} | {mb:.0f} | {1e3 * mb / each:.2f} |",
            flush=True,
        )


def one(name: str, samples: int, steps: int, compiled: bool) -> None:
    """Milliseconds of forward and backward, and peak memory in MB beyond what was there before."""
    torch.set_num_threads(1)
    case = CASES[name]
    warm, x, events = made(case, 2, 70)
    warm.compiled = compiled
    warm.forward_events(events).sum().backward()
    del x
    neuron, x, events = made(case, samples, steps)
    del x
    neuron.compiled = compiled
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    filler = None
    if before > (now := resident_kb()):  # making the input took more than now: fill up to there, so that the peak tells
        filler = bytearray((before - now) * 1024)
    ms = 1e3 * median_cpu(lambda: neuron.forward_events(events).sum().backward(), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    del filler
    print(json.dumps([ms, (peak - before) / 1024]))


def resident_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=sorted(CASES))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    if given.one:
        one(*json.loads(given.one))
        return
    torch.set_num_threads(1)
    speed([given.only] if given.only else list(CASES), 3 if given.quick else 9, given.markdown)
    if not given.no_growth:
        for compiled in (False, True):
            growth(given.only or next(iter(CASES)), compiled)


if __name__ == "__main__":
    main()
