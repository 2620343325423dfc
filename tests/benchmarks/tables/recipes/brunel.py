"""cnn-lstm-v2 on simulated Brunel networks: README's demo, and networks with seeds that nobody tuned on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scores
from laboratory import Laboratory

from neurocli.evaluation.intervals import mean_interval

FAMILY = "cnn_lstm"
CONFIRMATION = [101, 102, 103, 104, 105]
SEEDS = [0, *CONFIRMATION]
REAL_DATA = False
COLUMNS: list[scores.Column] = [("R2", "z", "", scores.ALL), ("RMSE", "mV", "", scores.ALL)]


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    lab.neuro("simulate", "brunel", "--runs", 20, "--out", "brunel.h5")
    trained = lab.neuro("train", "cnn-lstm", "--data", "brunel.h5", "--preset", "demo")
    found = lab.neuro("evaluate", trained["run"])
    interpreted = lab.neuro("interpret", trained["run"])
    return {
        "demo": scores.keep_scores(found, COLUMNS),
        "skill": found["skill"],
        "horizons": scores.by_question(found),
        "connectivity": scores.of_exhibits(interpreted, "connectivity"),
        "networks": [_network(lab, seed) for seed in CONFIRMATION],
    }


def _network(lab: Laboratory, seed: int) -> dict[str, Any]:
    file = f"network{seed}.h5"
    lab.neuro(
        "simulate", "brunel", "--runs", 20, "--set", f"seed={seed}", "--set", f"network_seed={seed}", "--out", file
    )
    trained = lab.neuro("train", "cnn-lstm", "--data", file, "--preset", "demo", "--seed", seed)
    found = lab.neuro("evaluate", trained["run"])
    return {"seed": seed, "scores": scores.keep_scores(found, COLUMNS), "skill": found["skill"]}


def show(kept: dict[str, Any]) -> dict[str, str]:
    skill = kept["skill"]
    demo = scores.markdown(["R² (z)", "RMSE (mV)"], kept["demo"], [".4f", ".2f"])
    closes = (
        f"The model closes {100 * skill['value']:.0f} % [{100 * skill['low']:.0f}, {100 * skill['high']:.0f}] of the gap between the best baseline "
        f"({skill['best_baseline']}) and the full-state oracle, an upper bound: it sees spikes to 0.1 ms and the weights."
        if skill["value"] is not None
        else f"No skill can be given: {skill['reason']}."
    )
    networks = [n["skill"] for n in kept["networks"]]
    gains = np.array([n["model"] - n["baseline"] for n in networks])
    low, high = mean_interval(gains)
    means = {key: float(np.mean([n[key] for n in networks])) for key in ("model", "baseline", "ceiling")}
    other = (
        f"On {len(networks)} further networks, whose seeds nobody tuned on ({kept['made']['seeds'][1]} to {kept['made']['seeds'][-1]}), "
        f"scored once: R² {means['model']:.4f}, best baseline {means['baseline']:.4f}, oracle {means['ceiling']:.4f}; the model is "
        f"{gains.mean():+.4f} [{low:.4f}, {high:.4f}] above the best baseline (95 % over networks)."
    )
    horizons = kept["horizons"]
    ahead = scores.markdown([f"R², {name}" for name in horizons["names"]], horizons["rows"], ".3f", intervals=False)
    wiring = scores.exhibit_markdown(kept["connectivity"]["table"])
    return {
        "brunel-demo": f"{demo}\n\n95 % intervals over the held-out runs of one network. {closes}\n\n{other}",
        "brunel-horizons": ahead,
        "brunel-wiring": wiring,
    }
