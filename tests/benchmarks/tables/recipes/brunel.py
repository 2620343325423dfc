"""cnn-lstm-v2 on simulated Brunel networks: README's demo, networks with seeds that nobody tuned on, and wirings that are hard to find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scores
from laboratory import Laboratory

from neurocli.evaluation.intervals import mean_interval

FAMILY = "cnn_lstm"
CONFIRMATION = [201, 202, 203, 204, 205]
SEEDS = [0, *CONFIRMATION]
REAL_DATA = False
MODEL, ORACLE = "cnn-lstm-v2", "full-state oracle"
COLUMNS: list[scores.Column] = [("R2", "z", "", scores.ALL), ("RMSE", "mV", "", scores.ALL)]
WIRINGS: dict[str, tuple[list[object], list[object]]] = {
    # name: options of the simulation, and of the training
    "1 run": (["--runs", 3], ["--preset", "demo"]),
    "20 of 100 neurons recorded": (["--runs", 20, "--set", "record_neurons=20"], ["--preset", "demo"]),
    "every run another network": (["--runs", 20, "--preset", "redrawn"], ["--preset", "redrawn"]),
}
FOUND = ["", "AUC E", "AUC I", "correlation", "CPU-s", "parameters"]


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    lab.neuro("simulate", "brunel", "--runs", 20, "--out", "brunel.h5")
    trained = lab.neuro("train", "cnn-lstm", "--data", "brunel.h5", "--preset", "demo")
    found = lab.neuro("evaluate", trained["run"])
    interpreted = lab.neuro("interpret", trained["run"])
    return {
        "demo": scores.keep_scores(found, COLUMNS),
        "skill": found["skill"],
        "horizons": scores.by_target(found),
        "connectivity": scores.of_exhibits(interpreted, "connectivity"),
        "wirings": {name: _wiring(lab, k, *options) for k, (name, options) in enumerate(WIRINGS.items())},
        "networks": [_network(lab, seed) for seed in CONFIRMATION],
    }


def _wiring(lab: Laboratory, number: int, simulation: list[object], training: list[object]) -> dict[str, Any]:
    file = f"wiring{number}.h5"
    lab.neuro("simulate", "brunel", *simulation, "--out", file)
    trained = lab.neuro("train", "cnn-lstm", "--data", file, *training)
    return scores.of_exhibits(lab.neuro("interpret", trained["run"]), "connectivity")


def _network(lab: Laboratory, seed: int) -> dict[str, Any]:
    file = f"network{seed}.h5"
    lab.neuro(
        "simulate", "brunel", "--runs", 20, "--set", f"seed={seed}", "--set", f"network_seed={seed}", "--out", file
    )
    trained = lab.neuro("train", "cnn-lstm", "--data", file, "--preset", "demo", "--seed", seed)
    full = ("--set", "evaluate.rivals=full", "--set", "evaluate.horizons_ms=[1, 2, 5]")
    found = lab.neuro("evaluate", trained["run"], *full)
    return {"seed": seed, "horizons": scores.by_target(found), "skill": found["skill"]}


def show(kept: dict[str, Any]) -> dict[str, str]:
    demo = scores.markdown(["R² (z)", "RMSE (mV)"], kept["demo"], [".4f", ".2f"], costs=True)
    skill = kept["skill"]
    here = f"On README's network: {scores.difference(skill['paired'], '.4f')} R² to {skill['best_baseline']}."
    confirmed = _confirmed(kept["networks"])
    note = "95 % intervals over the held-out runs of one network; trees and MLP in their quick form."
    horizons = kept["horizons"]
    return {
        "brunel-demo": f"{confirmed['sentence']}\n\n{demo}\n\n{note} {here} {confirmed['skill']}",
        "brunel-confirmation": f"{confirmed['sentence']}\n\n{confirmed['table']}\n\n{confirmed['text']}",
        "brunel-horizons": scores.markdown(
            [f"R², {name}" for name in horizons["names"]], horizons["rows"], ".3f", intervals=False
        ),
        "brunel-wiring": scores.exhibit_markdown(kept["connectivity"]["table"]),
        "brunel-wiring-hard": _wirings(kept["wirings"]),
    }


def _confirmed(networks: list[dict[str, Any]]) -> dict[str, str]:
    """What may be said of new networks: the model minus each row at each horizon, each network one value."""
    names = networks[0]["horizons"]["names"]
    rows = [{row["name"]: row for row in network["horizons"]["rows"]} for network in networks]
    r2 = {
        name: np.array([[v[0] for v in row[name]["values"]] for row in rows]) for name in rows[0]
    }  # [network, horizon]
    heads = [f"{what}, {name}" for name in names for what in ("R²", f"{MODEL} less this")]
    lines = [f"| | {' | '.join(heads)} | CPU-s | parameters |", "|---" * (len(heads) + 3) + "|"]
    less: dict[str, list[tuple[float, float, float]]] = {}
    for name, values in r2.items():
        cells = []
        for k in range(len(names)):
            cells.append(f"{values[:, k].mean():.4f}")
            if name == MODEL:
                cells.append("–")
                continue
            difference = r2[MODEL][:, k] - values[:, k]
            less.setdefault(name, []).append((float(difference.mean()), *mean_interval(difference)))
            cells.append("{:+.4f} [{:+.4f}, {:+.4f}]".format(*less[name][-1]))
        seconds, size = [row[name]["cpu_s"] for row in rows], rows[0][name]["parameters"]
        cells += ["–" if None in seconds else f"{np.mean(seconds):.0f}", "–" if size is None else f"{size:,}"]
        mark = "**" if name == MODEL else ""
        lines.append("| " + " | ".join(f"{mark}{cell}{mark}" for cell in (name, *cells)) + " |")
    kinds = {row["name"]: row["kind"] for row in networks[0]["horizons"]["rows"]}
    baselines = [name for name in less if kinds[name] == "baseline"]
    best = max(baselines, key=lambda name: r2[name][:, 0].mean())
    value, low, high = less[best][0]
    of = (
        f"{len(networks)} networks whose seeds nobody tuned on, {value:+.4f} [{low:+.4f}, {high:+.4f}] R² at {names[0]}"
    )
    verdict = "better" if low > 0 else "worse" if high < 0 else None
    gap = (r2[MODEL] - r2[best])[:, 0] / (r2[ORACLE] - r2[best])[:, 0]
    skill = "It closes {:.0f} % [{:.0f}, {:.0f}] of what {} leaves to the full-state oracle on the {} further networks.".format(
        100 * gap.mean(), *(100 * v for v in mean_interval(gap)), best, len(networks)
    )
    text = (
        f"Networks {CONFIRMATION[0]} to {CONFIRMATION[-1]}, scored once; means over networks, 95 % intervals of the difference over networks, "
        f"each one value. Trees and MLP in their full form; their cost is that of all horizons asked for, and of the ridge regression "
        f"they share. {skill}"
    )
    return {
        "sentence": scores.against(MODEL, best, verdict, of),
        "table": "\n".join(lines),
        "text": text,
        "skill": skill,
    }


def _wirings(wirings: dict[str, dict[str, Any]]) -> str:
    """The recovery tables of several data sets below one another."""
    heads = ["data", *FOUND]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, exhibit in wirings.items():
        if exhibit["table"] is None:  # nothing is known of this wiring
            lines.append(f"| {name} {'| – ' * len(FOUND)}|")
            continue
        for line in scores.exhibit_markdown(exhibit["table"], FOUND).splitlines()[2:]:
            lines.append(f"| {name} {line}")
    return "\n".join(lines)
