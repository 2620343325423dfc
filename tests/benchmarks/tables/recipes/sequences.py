"""ELM neurons beside LSTM and GRU of equal size and equal CPU time, and beside simple baselines, on images and series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = ""
SEEDS = [0, 1, 2]
REAL_DATA = True
MODEL, RIVALS = "elm-v2", ("lstm", "gru")
ACCURACY: scores.Column = ("accuracy", "", "", scores.ALL)
TASKS: dict[str, tuple[str, Sequence[str], scores.Column, list[str]]] = {
    "digits": ("digits", (), ACCURACY, []),
    "MNIST by rows": ("mnist", ("vision/mnist",), ACCURACY, []),
    "JapaneseVowels": ("timeseries", ("timeseries/JapaneseVowels_{}.ts",), ACCURACY, []),
}


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    return {"tasks": {name: _task(lab, data, *task) for name, task in TASKS.items()}}


def _files(data: Path, places: Sequence[str]) -> list[object]:
    named = [place.format(part) for place in places for part in (("TRAIN", "TEST") if "{}" in place else ("",))]
    return [word for place in named for word in ("--data", data / place)]


def _task(
    lab: Laboratory, data: Path, task: str, places: Sequence[str], column: scores.Column, options: list[str]
) -> list[dict[str, Any]]:
    """Rows of every seed; rivals have as many epochs as the neuron's CPU time allows."""
    words = ["--task", task, *_files(data, places), *options]
    tables = []
    for seed in SEEDS:
        trained = lab.neuro("train", MODEL, *words, "--seed", seed)
        rows = scores.keep_scores(lab.neuro("evaluate", trained["run"]), [column])
        for rival in RIVALS:
            matched = [*words, "--seed", seed, "--set", f"model.match={MODEL}"]
            probe = lab.neuro("train", rival, *matched, "--set", "train.epochs=2")["metrics"]
            epochs = max(2, round(2 * trained["metrics"]["cpu_s"] / probe["cpu_s"]))
            run = lab.neuro("train", rival, *matched, "--set", f"train.epochs={epochs}")["run"]
            own = scores.keep_scores(lab.neuro("evaluate", run), [column])
            rows += [row for row in own if row["kind"] == "model"]
        tables.append(rows)
    return scores.mean_of_seeds(tables)


def show(kept: dict[str, Any]) -> dict[str, str]:
    lines = ["| | | accuracy | CPU-s | parameters |", "|---" * 5 + "|"]
    for name, rows in kept["tasks"].items():
        best = _best(rows)
        for row in rows:
            value, low, high = row["values"][0]
            cell = f"{value:.4f} [{low:.4f}, {high:.4f}]"
            mark = "**" if row["name"] == best else ""
            size = "–" if row["parameters"] is None else f"{row['parameters']:,}"
            seconds = "–" if row["cpu_s"] is None else f"{row['cpu_s']:.0f}"
            lines.append(f"| {name} | {mark}{row['name']}{mark} | {mark}{cell}{mark} | {seconds} | {size} |")
    text = (
        f"Published test sets (of digits, images held out), scored once for each of {len(SEEDS)} seeds: mean over seeds, and the widest of their 95 % intervals over test cases. "
        "LSTM and GRU have the neuron's number of parameters, and as many epochs as its CPU time allows by a probe of two epochs; where a training takes seconds, the probe's own start makes that fewer, as the "
        "column CPU-s shows. Bold: the best score of a task, whether or not it can be told from the next."
    )
    return {"sequences": "\n".join(lines) + f"\n\n{text}"}


def _best(rows: list[dict[str, Any]]) -> str:
    return str(max(rows, key=lambda row: row["values"][0][0])["name"])
