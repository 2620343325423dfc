"""elm-v2 on a simulated cell with NMDA dendrites, and on cells with seeds that nobody tuned on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scores
from laboratory import Laboratory

from neurocli.evaluation.intervals import mean_interval

FAMILY = "elm"
CONFIRMATION = [101, 102, 103, 104, 105]
SEEDS = [0, *CONFIRMATION]
REAL_DATA = False
COLUMNS: list[scores.Column] = [("RMSE", "mV", "", scores.ALL), ("AUC", "", "", scores.ALL)]


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    trained = lab.neuro("train", "elm")
    return {"demo": _scored(lab, trained["run"]), "cells": [_cell(lab, seed) for seed in CONFIRMATION]}


def _cell(lab: Laboratory, seed: int) -> dict[str, Any]:
    file = f"cell{seed}.h5"
    lab.neuro(
        "simulate", "dendrite", "--runs", 80, "--set", f"seed={seed}", "--set", f"cell_seed={seed}", "--out", file
    )
    return {"seed": seed, **_scored(lab, lab.neuro("train", "elm", "--data", file, "--seed", seed)["run"])}


def _scored(lab: Laboratory, run: str) -> dict[str, Any]:
    found = lab.neuro("evaluate", run)
    return {
        "scores": scores.keep_scores(found, COLUMNS),
        "skill": found["skill"],
        "simulations": len(found["protocol"]["test"]),
        "synapses": scores.of_exhibits(lab.neuro("interpret", run), "dendrite"),
    }


def show(kept: dict[str, Any]) -> dict[str, str]:
    demo = kept["demo"]
    paired = demo["skill"]["paired"]
    table = scores.markdown(["soma RMSE (mV)", "AUC of output spikes"], demo["scores"], [".2f", ".3f"])
    gains = np.array([cell["skill"]["model"] - cell["skill"]["baseline"] for cell in kept["cells"]])
    low, high = mean_interval(gains)
    best = sorted({cell["skill"]["best_baseline"] for cell in kept["cells"]})
    model, baseline = (float(np.mean([cell["skill"][k] for cell in kept["cells"]])) for k in ("model", "baseline"))
    text = (
        f"{demo['simulations']} simulations of one cell held out, 95 % intervals over them. RMSE against {demo['skill']['best_baseline']}: "
        f"{scores.difference(paired, unit='mV')}. On {len(kept['cells'])} further cells, whose seeds nobody tuned on ({CONFIRMATION[0]} to "
        f"{CONFIRMATION[-1]}), scored once: RMSE {model:.2f} mV, best baseline ({' or '.join(best)}) {baseline:.2f} mV, difference "
        f"{gains.mean():+.2f} [{low:.2f}, {high:.2f}] mV (95 % over cells)."
    )
    return {"elm-demo": f"{table}\n\n{text}", "elm-synapses": scores.exhibit_markdown(demo["synapses"]["table"])}
