"""The ELM neuron against the plain per-step loop of its published form: `python tests/benchmarks/elm.py`.

One process, one thread, single precision. Ratios are of CPU time, medians; `--quick` takes fewer rounds, `--only NAME` one case.
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

import torch
from clock import median_cpu

from neurocli_elm.events import InputEvents
from neurocli_elm.model import ElmNeuron
from neurocli_elm.options import ElmOptions

BRANCHED = {"num_branch": 45, "num_synapse_per_branch": 100, "input_to_synapse_routing": "neuronio"}
L5PC = {"num_input": 1278, "num_output": 2, "memory_tau_max": 150.0}
SHD = {"num_input": 700, "num_output": 20, "memory_tau_max": 500.0, "delta_t": 10.0}


@dataclass(frozen=True)
class Case:
    """A neuron, its input, and the ratios demanded: pure torch and compiled, forward and with backward."""

    options: ElmOptions
    steps: int
    density: float
    demanded: tuple[str, str]


CASES = {
    "v2 branched d15": Case(
        ElmOptions(version=2, num_memory=15, **L5PC, **BRANCHED), 500, 0.011, ("15 / 10", "50 / 30")
    ),
    "v1 branched d20": Case(
        ElmOptions(version=1, num_memory=20, **L5PC, **BRANCHED), 500, 0.011, ("15 / 10", "50 / 30")
    ),
    "v1 unbranched d20": Case(ElmOptions(version=1, num_memory=20, **L5PC), 500, 0.011, ("3 / 5", "8 / 15")),
    "v1 branched d100": Case(ElmOptions(version=1, num_memory=100, **L5PC, **BRANCHED), 500, 0.011, ("10 / 7", "")),
    "SHD v1 d100": Case(ElmOptions(version=1, num_memory=100, **SHD), 100, 0.1, ("3 / 4", "")),
}
SAMPLES = 8


def published_loop(neuron: ElmNeuron, x: torch.Tensor) -> torch.Tensor:
    """Routing for all steps, then trace, perceptron, memory and readout step by step: as published."""
    options = neuron.options
    indices, valid = neuron.input_to_synapse_indices, neuron.valid_indices_mask
    routed = torch.index_select(x, 2, indices) * valid if len(indices) else x
    w_s = torch.relu(neuron._proto_w_s)
    k_trace = torch.exp(-options.delta_t / getattr(neuron, options.trace_name).clamp_min(1e-6))
    k, gain = neuron.memory_decay()
    branches = options.branches
    traces = branches if options.version == 2 else options.synapses
    trace, m = x.new_zeros(len(x), traces), x.new_zeros(len(x), options.num_memory)
    outputs = []
    for t in range(x.shape[1]):
        current = w_s * routed[:, t]
        if options.version == 2:
            trace = k_trace * trace + current.view(len(x), branches, -1).sum(-1)
            branch = trace
        else:
            trace = k_trace * trace + current
            branch = trace.view(len(x), branches, -1).sum(-1)
        update = 1.7159 * torch.tanh(2 / 3 * neuron.mlp(torch.cat((branch, k * m), -1)))
        m = k * m + gain * update
        outputs.append(neuron.w_y(m))
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
FORMS = ("torch", "torch, events", "compiled", "compiled, events")


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


def speed(names: list[str], rounds: int) -> None:
    """In each round all forms take their turn, so that a busy machine meets them alike; medians over rounds."""
    print("| neuron | form | forward, ms | with backward, ms | ratio | demanded | outputs differ | gradients |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        case = CASES[name]
        neuron, x, events = made(case)

        def loop(neuron: ElmNeuron = neuron, x: torch.Tensor = x) -> torch.Tensor:
            return published_loop(neuron, x)

        def dense(neuron: ElmNeuron = neuron, x: torch.Tensor = x) -> torch.Tensor:
            return neuron(x)

        def sparse(neuron: ElmNeuron = neuron, events: InputEvents = events) -> torch.Tensor:
            return neuron.forward_events(events)

        wanted = with_gradients(loop, neuron)
        apart, costs = {}, {form: [] for form in ("published loop", *FORMS)}  # type: ignore[var-annotated]
        for turn in range(rounds):
            costs["published loop"].append(cost(loop, neuron, 1))
            for form in FORMS:
                neuron.compiled = "compiled" in form
                run = sparse if "events" in form else dense
                if turn == 0:  # compiles, too
                    apart[form] = difference(with_gradients(run, neuron), wanted)
                costs[form].append(cost(run, neuron, 3))
        slow = costs["published loop"]
        for form, taken in costs.items():
            forward, both = (1e3 * statistics.median(part) for part in zip(*taken, strict=True))
            ratios = [statistics.median(s[i] / t[i] for s, t in zip(slow, taken, strict=True)) for i in (0, 1)]
            ratio = "" if form == "published loop" else f"{ratios[0]:.1f} / {ratios[1]:.1f}"
            demanded = case.demanded["compiled" in form] if ratio else ""
            print(
                f"| {name} | {form} | {forward:.1f} | {both:.1f} | {ratio} | {demanded} | {apart.get(form, ' | ')} |",
                flush=True,
            )


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
    given = parser.parse_args()
    if given.one:
        one(*json.loads(given.one))
        return
    torch.set_num_threads(1)
    speed([given.only] if given.only else list(CASES), 3 if given.quick else 9)
    if not given.no_growth:
        for compiled in (False, True):
            growth(given.only or "v2 branched d15", compiled)


if __name__ == "__main__":
    main()
