"""Cost of the Brunel engines, compile excluded, and how it grows: `python tests/benchmarks/brunel.py [--quick]`.

`python tests/benchmarks/brunel.py --paths RUN`, with the folder of a trained cnn-lstm-v2: what a mean over so many sampled paths
loses of R2, and how much of the wiring the training runs show without any model.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from clock import median_cpu

from neurocli.plugin.registry import registry
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.reference_loop import draw_weights, simulate_reference
from neurocli_cnn_lstm.simulation.simulator import BrunelSimulator

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


def paths(run: Path) -> None:
    """Loss of R2 (in units of the targets' variance) by the number of paths and the horizon, from repeats; rival AUCs."""
    import numpy as np
    import torch

    from neurocli.runs.folder import RunFolder
    from neurocli.workflow.data.reopening import trained_of_run
    from neurocli.workflow.messages import Reporter
    from neurocli_cnn_lstm.evaluation.baselines import wiring
    from neurocli_cnn_lstm.evaluation.targets import local_origins, neuron_types
    from neurocli_cnn_lstm.interpretation import recovery
    from neurocli_cnn_lstm.model.paths import rollout

    family, trained = trained_of_run(RunFolder(run), None, "cpu", Reporter())
    data = trained.dataset
    targets = family.targets(data, trained.config)[1:]
    origins = local_origins(data, targets[0])
    batches = [data.contexts(g, o, trained.config.model.warmup + 20) for g, o in origins.items()]
    print("| paths | " + " | ".join(f"R² lost at {q.name}" for q in targets) + " |")
    print("|---" * (1 + len(targets)) + "|")
    for samples in (8, 16, 32, 64, 128):
        repeats = []
        for seed in range(4):
            generator = torch.Generator().manual_seed(seed)
            steps = targets[-1].horizon_steps
            said = [
                rollout(trained.network, v, f, steps, samples, generator).mean
                for b in batches
                for v, f in zip(b["v"].split(4), b["flag"].split(4), strict=True)
            ]
            repeats.append(torch.cat(said))
        variance = torch.stack(repeats).var(0).mean((0, 2)).numpy()
        observed = [np.concatenate([data.normalisation.z(t) for t in q.values.values()]).var() for q in targets]
        lost = (variance[q.horizon_steps - 1] / t for q, t in zip(targets, observed, strict=True))
        print(f"| {samples} | " + " | ".join(f"{value:.4f}" for value in lost) + " |")
    print("\n| without a model | runs | AUC E | AUC I |\n|---|---|---|---|")
    types, training = neuron_types(data), list(data.split.train)
    true = wiring(data, data.split.test[0], len(types))
    for measure in (recovery.triggered_change, recovery.spike_correlation):
        for groups in (training, training[:1]):
            found = recovery.scores(measure(data, groups), true, types == 1)
            print(f"| {measure.__name__} | {len(groups)} | {found['auc_E']:.3f} | {found['auc_I']:.3f} |")


if "--paths" in sys.argv:
    paths(Path(sys.argv[sys.argv.index("--paths") + 1]))
else:
    main()
