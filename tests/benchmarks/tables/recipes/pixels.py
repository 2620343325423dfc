"""MNIST pixel by pixel, in order and permuted: an ELM neuron beside LSTM and GRU of equal size and equal CPU time; one seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = ""
SEEDS = [0]
REAL_DATA = True
MODEL, RIVALS = "elm-v2", ("lstm", "gru")
ACCURACY: scores.Column = ("accuracy", "", "", scores.ALL)
ORDERS = {"pixel by pixel": "pixels", "permuted": "permuted"}
CPU_S, PROBE_STEPS, ROUNDS = 120.0, 20, 6


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    return {"orders": {name: _order(lab, data, order) for name, order in ORDERS.items()}}


def _order(lab: Laboratory, data: Path, order: str) -> list[dict[str, Any]]:
    """Every model has as many steps as the CPU time allows, in rounds of which the best is chosen on validation cases."""
    words = ["--task", "mnist", "--data", data / "vision/mnist", "--set", f"task.order={order}"]
    words += ["--set", "evaluate.rivals=none"]
    rows: list[dict[str, Any]] = []
    for model in (MODEL, *RIVALS):
        own = [*words, *([] if model == MODEL else ["--set", f"model.match={MODEL}"])]
        few = ["--set", "train.epochs=1", "--set", f"train.max_steps={PROBE_STEPS}", "--set", "data.most=4000"]
        probe = lab.neuro("train", model, *own, *few)["metrics"]
        steps = round(PROBE_STEPS * CPU_S / probe["cpu_s"])
        rounds = ["--set", f"train.epochs={ROUNDS}", "--set", f"train.steps_per_epoch={max(1, steps // ROUNDS)}"]
        evaluated = lab.neuro("evaluate", lab.neuro("train", model, *own, *rounds)["run"])
        rows += [row for row in scores.keep_scores(evaluated, [ACCURACY]) if row["kind"] == "model"]
    return rows


def show(kept: dict[str, Any]) -> dict[str, str]:
    lines = ["| order | | accuracy | CPU-s | parameters |", "|---" * 5 + "|"]
    for name, rows in kept["orders"].items():
        for row in rows:
            value, low, high = row["values"][0]
            cells = [
                name,
                row["name"],
                f"{value:.3f} [{low:.3f}, {high:.3f}]",
                f"{row['cpu_s']:.0f}",
                f"{row['parameters']:,}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    text = (
        f"784 steps of one pixel. One seed, about {CPU_S:.0f} CPU-s each, which is far from convergence for all; scored once on the published test set, 95 % intervals over its "
        "10,000 images. LSTM and GRU have the neuron's number of parameters."
    )
    return {"pixels": "\n".join(lines) + f"\n\n{text}"}
