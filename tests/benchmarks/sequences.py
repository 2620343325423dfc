"""What a training step of long sequences costs an ELM neuron, against torch's LSTM of equal parameter count: `python tests/benchmarks/sequences.py`.

One process, one thread, single precision, batches of 32; both are warm before they are timed. Time: medians over rounds of ratios of CPU
time within a round. Memory: what the largest step adds to the memory of a process of its own. `--quick`: fewer rounds, no growth with length.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import Any

import psutil
import torch
from clock import median_cpu

from neurocli.plugin.registry import load_implementation, registry
from neurocli.plugin.task import parameters_of
from neurocli_elm.config import BranchSequenceNeuronConfig
from neurocli_sequences.config import RecurrentOptions

SAMPLES, OUTPUTS = 32, 10
SIZES = {
    "1 input, 100 memory units": (1, 100),
    "3 inputs, 100": (3, 100),
    "64 inputs, 100": (64, 100),
    "28 inputs, 50": (28, 50),
}
LENGTHS = (1024, 2048, 4096, 8192, 16384)
GROWING = "3 inputs, 100"


def networks(inputs: int, memory: int, steps: int) -> dict[str, torch.nn.Module]:
    """The neuron, and the LSTM whose number of parameters comes nearest to the neuron's."""
    models = {
        name: load_implementation(card)(card) for name, card in ((n, registry().model(n)) for n in ("elm-v2", "lstm"))
    }
    torch.manual_seed(0)
    neuron = models["elm-v2"].build_sequence(
        BranchSequenceNeuronConfig(num_memory=memory), inputs, OUTPUTS, steps=steps
    )

    def lstm(hidden: int) -> torch.nn.Module:
        network: torch.nn.Module = models["lstm"].build_sequence(RecurrentOptions(hidden=hidden), inputs, OUTPUTS)
        return network

    wanted = parameters_of(neuron)
    size = min(range(8, 256), key=lambda hidden: abs(parameters_of(lstm(hidden)) - wanted))
    return {"elm-v2": neuron, "lstm": lstm(size)}


def step(network: torch.nn.Module, x: torch.Tensor) -> None:
    network.zero_grad()
    network(x)[:, -1].square().mean().backward()


def time_of(inputs: int, memory: int, steps: int, rounds: int) -> dict[str, float]:
    """CPU-s of a step of each, and the median ratio."""
    both, x = networks(inputs, memory, steps), torch.randn(SAMPLES, steps, inputs)
    for network in both.values():
        step(network, x)
    seconds = [
        {name: median_cpu(lambda n=network: step(n, x), 1) for name, network in both.items()} for _ in range(rounds)
    ]
    ratio = statistics.median(of["elm-v2"] / of["lstm"] for of in seconds)
    return {name: statistics.median(of[name] for of in seconds) for name in both} | {"ratio": ratio}


def memory_of(model: str, inputs: int, memory: int, steps: int) -> float:
    """MB that a step adds, in a process of its own."""
    command = [sys.executable, __file__, "--memory", json.dumps([model, inputs, memory, steps])]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def print_memory(model: str, inputs: int, memory: int, steps: int) -> None:
    import resource

    network = networks(inputs, memory, 64)[model]
    step(network, torch.randn(2, 64, inputs))  # what is compiled and loaded once
    x = torch.randn(SAMPLES, steps, inputs)
    before = psutil.Process().memory_info().rss
    step(network, x)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory:
        print_memory(*json.loads(given.memory))
        return
    rounds = 3 if given.quick else 9
    print("| steps | network | elm-v2 (s) | LSTM (s) | time, ratio | memory, ratio |")
    print("|---" * 6 + "|")
    for name, size in SIZES.items():
        print(row(name, *size, LENGTHS[0], rounds))
    for steps in () if given.quick else LENGTHS[1:]:
        print(row(GROWING, *SIZES[GROWING], steps, 3))


def row(name: str, inputs: int, memory: int, steps: int, rounds: int) -> str:
    cost: dict[str, Any] = time_of(inputs, memory, steps, rounds)
    added = [memory_of(model, inputs, memory, steps) for model in ("elm-v2", "lstm")]
    cells = [
        f"{steps:,}",
        name,
        f"{cost['elm-v2']:.2f}",
        f"{cost['lstm']:.2f}",
        f"{cost['ratio']:.2f}",
        f"{added[0] / added[1]:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
