"""gat-lstm-v2 on four worms of Kato et al. (2015), with what it may know and what it may not, and on simulated worms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = "gat_lstm"
SEEDS = [0, 1, 2]
REAL_DATA = True
WORMS = (0, 1, 2, 4)
COLUMNS: list[scores.Column] = [
    ("S", "1 - MSE/MSE of persistence", name) for name in ("1 step", "5 steps", "10 steps", "25 steps")
]
HEADINGS = ["1 frame", "5 frames", "10 frames", "25 frames"]
VARIANTS = {
    "causal": [],
    "leaky": ["--normalisation", "whole"],
    "shuffled": ["--graph", "shuffled"],
    "one-edge": ["--hops", 1],
    "one-edge-shuffled": ["--hops", 1, "--graph", "shuffled"],
}
WORLDS = {"coupled": [], "uncoupled": ["--set", "coupling=0.001"]}


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    files = [word for k in WORMS for word in ("--data", data / "worm" / f"Kato2015_worm{k}.mat")]
    kept: dict[str, Any] = {}
    for name, options in VARIANTS.items():
        each = []
        for seed in SEEDS:
            trained = lab.neuro("train", "gat-lstm", *files, "--seed", seed, *options)
            found = lab.neuro("evaluate", trained["run"])
            each.append(scores.keep_scores(found, COLUMNS))
        kept[name] = {
            "scores": scores.mean_of_seeds(each),
            "leaky": found["protocol"]["leaky"],
            "notes": found["notes"],
        }
    for world, options in WORLDS.items():
        lab.neuro("simulate", "celegans", "--runs", 20, *options, "--out", f"{world}.h5")
        for graph in ("real", "shuffled", "full"):
            trained = lab.neuro("train", "gat-lstm", "--data", f"{world}.h5", "--graph", graph, "--seed", 0)
            exhibits = {e["name"]: e for e in lab.neuro("interpret", trained["run"])["exhibits"]}
            kept[f"{world}-{graph}"] = exhibits["recovery"]["claims"]
    return kept


def show(kept: dict[str, Any]) -> dict[str, str]:
    wiring = []
    for name in ("causal", "shuffled", "one-edge", "one-edge-shuffled"):
        (row,) = [r for r in kept[name]["scores"] if r["kind"] == "model"]
        edges = "one edge" if name.startswith("one-edge") else "two edges"
        graph = "shuffled" if name.endswith("shuffled") else "real"
        wiring.append({**row, "kind": "baseline", "name": f"{graph} graph, {edges} a frame"})
    return {
        "worm-kato": scores.markdown(HEADINGS, kept["causal"]["scores"], intervals=False),
        "worm-leaky": scores.markdown(HEADINGS, kept["leaky"]["scores"], intervals=False),
        "worm-wiring": scores.markdown(HEADINGS, wiring, intervals=False),
        "worm-recovery": _recovery(kept),
    }


def _recovery(kept: dict[str, Any]) -> str:
    keys = ["auc_linear", "auc_network", "auc", "auc_random_network", "auc_nameless", "auc_correlation of traces", "p"]
    heads = ["linear path", "network", "both", "random network", "without names", "correlation", "p of both"]
    lines = [f"| worms, graph | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for world in WORLDS:
        for graph in ("real", "shuffled", "full"):
            claims = kept[f"{world}-{graph}"]
            cells = ["–" if claims.get(key) is None else f"{claims[key]:.2f}" for key in keys[:-1]]
            lines.append(f"| {world}, {graph} | {' | '.join(cells)} | {claims['p']:.3f} |")
    return "\n".join(lines)
