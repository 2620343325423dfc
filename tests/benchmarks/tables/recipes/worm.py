"""gat-lstm-v2 on four worms of Kato et al. (2015), each forecast by what was fitted on the others; and on simulated worms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = "gat_lstm"
SEEDS = [0, 1, 2]
REAL_DATA = True
WORMS = (0, 1, 2, 4)
WIRING = {
    "real, two edges a frame": [],
    "shuffled, two edges a frame": ["--graph", "shuffled"],
    "real, one edge a frame": ["--hops", 1],
    "shuffled, one edge a frame": ["--graph", "shuffled", "--hops", 1],
}


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    files = [word for n in WORMS for word in ("--data", data / "worm" / f"Kato2015_worm{n}.mat")]

    def scored(seed: int, *options: object) -> dict[str, Any]:
        trained = lab.neuro("train", "gat-lstm", *files, "--seed", seed, *options)
        found = lab.neuro("evaluate", trained["run"])
        return {**scores.by_question(found), "skills": found["skills"], "notes": found["notes"]}

    causal = [scored(seed) for seed in SEEDS]
    return {
        "causal": causal,
        "leaky": scored(0, "--normalisation", "whole"),
        "wiring": {name: scored(0, *options) if options else causal[0] for name, options in WIRING.items()},
        "recovery": {name: _recovery(lab, name, options) for name, options in _WORLDS.items()},
    }


_WORLDS: dict[str, list[object]] = {"coupled": [], "uncoupled": ["--set", "coupling=0.001"]}


def _recovery(lab: Laboratory, name: str, options: list[object]) -> dict[str, Any]:
    file = f"{name}.h5"
    lab.neuro("simulate", "celegans", "--runs", 12, *options, "--out", file)
    trained = lab.neuro("train", "gat-lstm", "--data", file, "--preset", "quick")
    return scores.of_exhibits(lab.neuro("interpret", trained["run"]), "recovery")


def show(kept: dict[str, Any]) -> dict[str, str]:
    names = kept["causal"][0]["names"]
    headings = [name.replace("step", "frame") for name in names]
    rows = scores.mean_of_seeds([one["rows"] for one in kept["causal"]])
    leaky = kept["leaky"]["rows"]
    wiring = [
        {**row, "name": f"{row['name']}, {name}", "kind": "baseline"}
        for name, one in kept["wiring"].items()
        for row in one["rows"]
        if row["kind"] == "model" or "graph" in row["name"]
    ]
    recovery = "\n\n".join(
        f"{name}:\n\n{scores.exhibit_markdown(one['table'])}" for name, one in kept["recovery"].items()
    )
    return {
        "worm-kato": scores.markdown(headings, rows),
        "worm-readme": f"{scores.markdown(headings, rows)}\n\n{_verdicts(kept)}",
        "worm-leaky": scores.markdown(headings, leaky, intervals=False),
        "worm-wiring": scores.markdown(headings, wiring, intervals=False),
        "worm-recovery": recovery,
    }


def _verdicts(kept: dict[str, Any]) -> str:
    """The network against the best baseline of each horizon, seed by seed."""
    lines = []
    for k, name in enumerate(kept["causal"][0]["names"]):
        skills = [one["skills"][k] for one in kept["causal"]]
        best = skills[0]["best_baseline"]
        gains = ", ".join(f"{s['paired']['value']:+.3f}" for s in skills)
        verdicts = sorted({s["paired"]["verdict"] for s in skills})
        lines.append(f"{name.replace('step', 'frame')} against {best}: {gains} ({' or '.join(verdicts)})")
    return (
        f"95 % intervals over worms, the widest of the seeds. The network minus the best linear model, seeds {', '.join(map(str, SEEDS))}: "
        f"{'; '.join(lines)}."
    )
