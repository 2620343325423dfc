"""Cost of the Brunel engines, compile excluded, and how it grows: `python tests/benchmarks/brunel.py [--quick]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from clock import median_cpu

from neurocli.plugin.registry import registry
from neurocli_cnn_lstm.parameters import BrunelConfig
from neurocli_cnn_lstm.reference_loop import draw_weights, simulate_reference
from neurocli_cnn_lstm.simulator import BrunelSimulator

QUICK = "--quick" in sys.argv
DURATION_MS = 2_000.0 if QUICK else 10_000.0
SIZES = (100, 1_000) if QUICK else (100, 1_000, 10_000)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs = {engine: engine_cost(engine, Path(folder)) for engine in ("runtime", "standalone")}
        config = BrunelConfig(duration_ms=DURATION_MS)
        weights = draw_weights(config, 1)
        simulate_reference(config.model_copy(update={"duration_ms": 100.0}), weights, 1)  # compiles
        costs["plain numba loop (the floor)"] = median_cpu(lambda: simulate_reference(config, weights, 1))
        print(f"| engine | CPU-s per {DURATION_MS / 1000:g}-s run | runtime costs |\n|---|---|---|")
        for engine, cost in costs.items():
            print(f"| {engine} | {cost:.2f} | {costs['runtime'] / cost:.1f} x |")
        print("\n| neurons (10 inputs each) | CPU-s per simulated second |\n|---|---|")
        for neurons in SIZES:
            print(f"| {neurons:,} | {growth(neurons, Path(folder)):.2f} |")


def engine_cost(engine: str, folder: Path) -> float:
    """CPU-s of one run of the default network."""
    config = BrunelConfig.model_validate({"engine": engine, "duration_ms": DURATION_MS})
    return _cost(config, folder / engine)


def growth(neurons: int, folder: Path) -> float:
    """CPU-s of one simulated second; each neuron keeps 10 inputs, so that the regime stays."""
    sized = {"neurons": neurons, "probability": 10 / neurons, "duration_ms": 1_000.0, "record_neurons": 100}
    return _cost(BrunelConfig.model_validate(sized), folder / f"size{neurons}")


def _cost(config: BrunelConfig, work: Path) -> float:
    simulator = BrunelSimulator(registry().simulator("brunel"))
    work.mkdir()
    simulator.prepare(config, work, lambda line: None)
    simulator.simulate(config, 0, work)  # the runtime engine compiles at its first run
    return median_cpu(lambda: simulator.simulate(config, 1, work), repeats=3)


main()
