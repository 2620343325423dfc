"""elm-v2 on a simulated cell with NMDA dendrites, and on cells with seeds that nobody tuned on, beside networks of its own size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scores
from laboratory import Laboratory

from neurocli.evaluation.intervals import mean_interval

FAMILY = "elm"
CONFIRMATION = [201, 202, 203, 204, 205]
SEEDS = [0, *CONFIRMATION]
REAL_DATA = False
COLUMNS: list[scores.Column] = [("RMSE", "mV", "", scores.ALL), ("AUC", "", "", scores.ALL)]
NETWORKS = ("LSTM per input", "GRU per input", "causal TCN")
MODEL, EFFECT = "elm-v2", "effect on the soma"
RECOVERED = ["ranked by", "inputs", "r", "low", "high", "r given distance", "random r", "p", "CPU-s", "parameters"]
RESPONSE = "soma response"
RANKERS = (RESPONSE, "ridge per synapse", "event-triggered mean voltage", "nearness to the soma alone")
KINDS = ("excitatory", "inhibitory")


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    trained = lab.neuro("train", "elm")
    return {"demo": _scored(lab, trained["run"]), "cells": [_cell(lab, seed) for seed in CONFIRMATION]}


def _cell(lab: Laboratory, seed: int) -> dict[str, Any]:
    file = f"cell{seed}.h5"
    lab.neuro(
        "simulate", "dendrite", "--runs", 80, "--set", f"seed={seed}", "--set", f"cell_seed={seed}", "--out", file
    )
    run = lab.neuro("train", "elm", "--data", file, "--seed", seed)["run"]
    return {"seed": seed, **_scored(lab, run, "--set", "evaluate.rivals=full")}


def _scored(lab: Laboratory, run: str, *options: object) -> dict[str, Any]:
    found = lab.neuro("evaluate", run, *options)
    return {
        "scores": scores.keep_scores(found, COLUMNS),
        "skill": found["skill"],
        "simulations": len(found["protocol"]["test"]),
        "synapses": scores.of_exhibits(lab.neuro("interpret", run), "dendrite"),
    }


def show(kept: dict[str, Any]) -> dict[str, str]:
    demo, cells = kept["demo"], kept["cells"]
    skill = demo["skill"]
    verdict = skill["paired"].get("verdict")
    first = scores.against(MODEL, skill["best_baseline"], verdict, f"{demo['simulations']} simulations of one cell")
    table = scores.markdown(["soma RMSE (mV)", "AUC of output spikes"], demo["scores"], [".2f", ".3f"], costs=True)
    text = (
        f"{demo['simulations']} simulations of one cell held out, 95 % intervals over them. LSTM, GRU and TCN have the neuron's windows, its number of parameters and, in this quick form, 1.5 times its steps; their full form stands in docs/elm.md. RMSE against "
        f"{skill['best_baseline']}: {scores.difference(skill['paired'], unit='mV')}."
    )
    confirmed = _confirmed(cells)
    return {
        "elm-demo": f"{confirmed['sentence']} {first}\n\n{table}\n\n{text}",
        "elm-confirmation": f"{confirmed['sentence']}\n\n{confirmed['table']}\n\n{confirmed['text']}",
        "elm-synapses": _recovered(demo["synapses"]["table"]),
        "elm-synapses-cells": _recovered_of_cells(cells),
    }


def _confirmed(cells: list[dict[str, Any]]) -> dict[str, str]:
    """What may be said on new cells: the difference to each network, each cell one value."""
    names = [row["name"] for row in cells[0]["scores"] if row["kind"] in ("baseline", "model")]
    rows = [{row["name"]: row for row in cell["scores"]} for cell in cells]

    def of(name: str, column: int) -> Any:
        return np.array([row[name]["values"][column][0] for row in rows])

    lines = [
        "| | soma RMSE (mV) | elm-v2 less this (mV) | AUC of output spikes | elm-v2 less this | CPU-s | parameters |",
        "|---" * 7 + "|",
    ]
    verdicts: dict[str, str] = {}
    for name in names:
        cell = [f"{of(name, 0).mean():.3f}", "–", f"{of(name, 1).mean():.4f}", "–"]
        if name != MODEL:
            for column, form in ((0, ".3f"), (1, ".4f")):
                less = of(MODEL, column) - of(name, column)
                low, high = mean_interval(less)
                cell[2 * column + 1] = f"{less.mean():+{form}} [{low:+{form}}, {high:+{form}}]"
                if column == 0:
                    verdicts[name] = "better" if high < 0 else "worse" if low > 0 else "not told apart"
        seconds = [row[name]["cpu_s"] for row in rows]
        cell.append("–" if None in seconds else f"{np.mean(seconds):.0f}")
        size = rows[0][name]["parameters"]
        cell.append("–" if size is None else f"{size:,}")
        mark = "**" if name == MODEL else ""
        lines.append("| " + " | ".join(f"{mark}{c}{mark}" for c in (name, *cell)) + " |")
    kinds = {kind: [n for n in NETWORKS if verdicts[n] == kind] for kind in ("not told apart", "worse", "better")}
    of_cells = f"{len(cells)} cells whose seeds nobody tuned on"
    missed = [*kinds["worse"], *kinds["not told apart"]]
    sentence = f"{MODEL} is not better than {_listed(missed)} in RMSE ({of_cells})." if missed else ""
    if kinds["better"]:
        sentence += f" {MODEL} is better than {_listed(kinds['better'])} of its own size in RMSE ({of_cells})."
    text = (
        f"Cells {CONFIRMATION[0]} to {CONFIRMATION[-1]}, each with {cells[0]['simulations']} held-out simulations, scored once; means over cells, 95 % "
        "intervals of the difference over cells, each cell one value. Networks in their full form, on the same windows as the neuron."
    )
    return {"sentence": sentence.strip(), "table": "\n".join(lines), "text": text}


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _recovered(table: dict[str, Any]) -> str:
    """The rows of an exhibit that are held against the effect on the soma."""
    truth = table["columns"].index("truth")
    rows = [row for row in table["rows"] if row[truth] == EFFECT]
    return scores.exhibit_markdown({**table, "rows": rows}, RECOVERED)


def _recovered_of_cells(cells: list[dict[str, Any]]) -> str:
    """Rank correlations with the effect on the soma: means over cells, and the neuron less each ranker with its interval over cells."""
    claims = [cell["synapses"]["claims"] for cell in cells]
    lines = ["| | inputs | r | elm-v2 less this | r given distance |", "|---" * 5 + "|"]
    missed = []
    for ranker in RANKERS:
        for kind in KINDS:
            r = np.array([c[f"{ranker}, {kind}, {EFFECT}"] for c in claims])
            own = np.array([c[f"{RESPONSE}, {kind}, {EFFECT}"] for c in claims])
            less = "–"
            if ranker != RESPONSE:
                low, high = mean_interval(own - r)
                less = f"{(own - r).mean():+.3f} [{low:+.3f}, {high:+.3f}]"
                if low <= 0:
                    missed.append(f"{ranker} for {kind} inputs")
            given = [c.get(f"{ranker}, {kind}, {EFFECT}, given distance") for c in claims]
            left = "–" if None in given else f"{np.mean(given):.3f}"
            name = MODEL if ranker == RESPONSE else ranker
            lines.append(f"| {name} | {kind} | {r.mean():.3f} | {less} | {left} |")
    sentence = (
        f"elm-v2 does not rank synapses better than {_listed(missed)}."
        if missed
        else "elm-v2 ranks synapses better than distance, a ridge per synapse and event-triggered means."
    )
    table = "\n".join(lines)
    return f"{sentence}\n\n{table}\n\nRank correlation with the effect of single events on the soma, {len(cells)} cells, 95 % intervals over cells."
