"""eirnn-v2 on a session of the superior colliculus, and on sessions of known rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = "eirnn"
SEEDS = [0, 1, 2]
REAL_DATA = True
SESSION = "rnn_export_Newton_08_13_2025_SC.mat"
COLUMNS: list[scores.Column] = [
    ("r", "raw", "", scores.ALL),
    ("r", "50 ms", "", scores.ALL),
    ("r", "100 ms", "", scores.ALL),
    ("r", "50 ms", "", "mean of locations"),
]
HEADINGS = ["r, raw", "r, 50 ms", "r, 100 ms", "r, 50 ms, by location"]


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    session = data / "eirnn" / SESSION

    def scored(seed: int, part: str) -> dict[str, Any]:
        trained = lab.neuro("train", "eirnn", "--data", session, "--seed", seed, "--set", f"data.part={part}")
        found = lab.neuro("evaluate", trained["run"])
        return {
            "scores": scores.keep_scores(found, COLUMNS),
            "skill": found["skill"],
            "differences": found["differences"],
            "trials": len(found["protocol"]["test"]),
        }

    lab.neuro("simulate", "sc-session", "--runs", 300, "--out", "session.h5")
    return {
        "development": [scored(seed, "development") for seed in SEEDS],
        "confirmation": [scored(seed, "confirmation") for seed in SEEDS],
        "truth": [_truth(lab, seed) for seed in SEEDS],
    }


def _truth(lab: Laboratory, seed: int) -> dict[str, Any]:
    trained = lab.neuro("train", "eirnn", "--data", "session.h5", "--seed", seed, "--set", "data.part=all")
    return scores.of_exhibits(lab.neuro("interpret", trained["run"]), "true-rates")


def show(kept: dict[str, Any]) -> dict[str, str]:
    parts = {}
    for part in ("development", "confirmation"):
        rows = scores.mean_of_seeds([one["scores"] for one in kept[part]])
        parts[part] = f"{scores.markdown(HEADINGS, rows)}\n\n{_verdicts(kept[part])}"
    truth = "\n\n".join(
        f"seed {s}:\n\n{scores.exhibit_markdown(t['table'])}" for s, t in zip(SEEDS, kept["truth"], strict=True)
    )
    return {
        "eirnn-development": parts["development"],
        "eirnn-confirmation": parts["confirmation"],
        "eirnn-truth": truth,
    }


def _verdicts(runs: list[dict[str, Any]]) -> str:
    """The model against every baseline, raw r, seed by seed."""
    lines = []
    for k, first in enumerate(runs[0]["differences"]):
        each = [one["differences"][k] for one in runs]
        values = ", ".join(f"{d['value']:+.3f}" for d in each)
        verdicts = " or ".join(sorted({d["verdict"] or "no interval" for d in each}))
        lines.append(f"{first['baseline']} {values} ({verdicts})")
    return (
        f"{runs[0]['trials']} test trials of one session; mean over seeds {', '.join(map(str, SEEDS))}, the widest of their 95 % intervals "
        f"over trials. The model minus each baseline, raw r, seed by seed: {'; '.join(lines)}."
    )
