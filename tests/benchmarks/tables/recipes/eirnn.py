"""eirnn-v2 on a session of the superior colliculus, and on sessions of known rates, beside all baselines in their full form."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from statistics import fmean
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = "eirnn"
SEEDS = [0, 1, 2]
REAL_DATA = True
SESSION = "rnn_export_Newton_08_13_2025_SC.mat"
COLUMNS: list[scores.Column] = [
    ("r", "unsmoothed", "", scores.ALL),
    ("r", "50 ms", "", scores.ALL),
    ("r", "100 ms", "", scores.ALL),
    ("r", "50 ms", "", "mean of locations"),
]
HEADINGS = ["r, unsmoothed", "r, 50 ms", "r, 100 ms", "r, 50 ms, by location"]
SIZES = [100, 300, 800]
DEVELOPED, CONFIRMED, LAWLESS = 21, [201, 202], [11]
"""Seeds of simulated sessions, network and trials: for the three sizes, kept for confirmation, and to bypass Dale's law on."""
MODEL, WHOLE = "model", "correlation, fixation-aligned"
NETWORK, PARTS = "network alone", ["linear path alone", "network alone"]
"""Rows of what the model's rates are the mean of."""


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    session = data / "eirnn" / SESSION

    def scored(seed: int, part: str) -> dict[str, Any]:
        trained = lab.neuro("train", "eirnn", "--data", session, "--seed", seed, "--set", f"data.part={part}")
        found = lab.neuro("evaluate", trained["run"], "--set", "evaluate.rivals=full")
        return {
            "scores": scores.keep_scores(found, COLUMNS),
            "skill": found["skill"],
            "differences": found["differences"],
            "trials": len(found["protocol"]["test"]),
        }

    return {
        "development": [scored(seed, "development") for seed in SEEDS[:1]],
        "confirmation": [scored(seed, "confirmation") for seed in SEEDS],
        "truth": [_truth(lab, _session(lab, DEVELOPED, size)) for size in SIZES],
        "truth_confirmation": [_truth(lab, _session(lab, seed, 300)) for seed in CONFIRMED],
        "dale": [_with_and_without(lab, _session(lab, seed, 150)) for seed in LAWLESS],
    }


def _session(lab: Laboratory, seed: int, trials: int) -> str:
    """The file of a simulated session."""
    file = f"session_{seed}_{trials}.h5"
    seeds = ("--set", f"seed={seed}", "--set", f"network_seed={seed}")
    lab.neuro("simulate", "sc-session", "--runs", trials, *seeds, "--out", file)
    return file


def _truth(lab: Laboratory, file: str, *options: str) -> dict[str, Any]:
    """The exhibit of true rates of a simulated session."""
    chosen = [word for option in options for word in ("--set", option)]
    trained = lab.neuro("train", "eirnn", "--data", file, *chosen)
    return scores.of_exhibits(lab.neuro("interpret", trained["run"]), "true-rates")


def _with_and_without(lab: Laboratory, file: str) -> list[dict[str, Any]]:
    """The same under Dale's law, and with weights of any sign."""
    return [_truth(lab, file, f"model.bypass_dale={off}", "evaluate.rivals=none") for off in ("false", "true")]


def show(kept: dict[str, Any]) -> dict[str, str]:
    parts = {}
    for part in ("development", "confirmation"):
        rows = scores.mean_of_seeds([one["scores"] for one in kept[part]])
        table = scores.markdown(HEADINGS, rows, costs=True)
        parts[part] = f"{_verdict(kept[part], rows)}\n\n{table}\n\n{_differences(kept[part])}"
    return {
        "eirnn-development": parts["development"],
        "eirnn-confirmation": parts["confirmation"],
        "eirnn-truth": _recovered(kept["truth"], [f"{size} trials" for size in SIZES], f"seed {DEVELOPED}"),
        "eirnn-truth-confirmation": _recovered(
            kept["truth_confirmation"], [f"seed {seed}" for seed in CONFIRMED], "300 trials each"
        ),
        "eirnn-dale": _dale(kept["dale"]),
    }


# -- a session whose rates nobody knows -------------------------------------------------------------------------------


def _verdict(runs: list[dict[str, Any]], rows: list[dict[str, Any]]) -> str:
    """What may be said of the model: against the baseline of the highest unsmoothed r, and where any baseline is above it."""
    model = next(row for row in rows if row["kind"] == "model")
    others = [row for row in rows if row["kind"] == "baseline"]
    best = max(others, key=lambda row: row["values"][0][0])["name"]
    verdicts = {d["verdict"] for one in runs for d in one["differences"] if d["baseline"] == best}
    verdict = verdicts.pop() if len(verdicts) == 1 else None
    trials = f"unsmoothed r, {runs[0]['trials']} trials of one session, {_seeds(runs)}"
    said = [scores.against(model["name"], best, verdict, trials)]
    above = [
        f"{row['name']} ({' and '.join(h.removeprefix('r, ') for h, a, b in zip(HEADINGS, row['values'], model['values'], strict=True) if a[0] > b[0])})"
        for row in others
        if any(a[0] > b[0] for a, b in zip(row["values"], model["values"], strict=True))
    ]
    said.append(
        f"Above it in value, by little or by much: {'; '.join(above)}."
        if above
        else "No baseline is above it in any column."
    )
    return " ".join(said)


def _seeds(runs: list[Any]) -> str:
    """Of which networks the values are the mean."""
    if len(runs) == 1:
        return f"seed {SEEDS[0]}"
    return f"mean over seeds {', '.join(map(str, SEEDS[: len(runs)]))} with the widest interval"


def _differences(runs: list[dict[str, Any]]) -> str:
    """The model against every baseline, unsmoothed r: mean over seeds, the widest interval."""
    lines = []
    for k, first in enumerate(runs[0]["differences"]):
        each = [one["differences"][k] for one in runs]
        lows, highs = ([d[end] for d in each if d[end] is not None] for end in ("low", "high"))
        interval = f" [{min(lows):+.3f}, {max(highs):+.3f}]" if lows and highs else ""
        lines.append(f"{first['baseline']} {fmean(d['value'] for d in each):+.3f}{interval}")
    return (
        f"{runs[0]['trials']} test trials of one session; {_seeds(runs)}, 95 % intervals "
        f"over trials. The model minus each baseline, unsmoothed r: {'; '.join(lines)}. Averages per location and condition know a trial's "
        "location from its first bin on; the other rows only from when the target is on."
    )


# -- sessions of known rates ------------------------------------------------------------------------------------------


def _columns(exhibit: dict[str, Any]) -> dict[str, tuple[float, float, Any, Any]]:
    """Row → (correlation of whole trials, mean correlation around events, CPU-s, parameters) of an exhibit of true rates."""
    columns = exhibit["table"]["columns"]
    around = [k for k, name in enumerate(columns) if name.startswith("correlation, ") and name != WHOLE]
    return {
        row[0]: (row[columns.index(WHOLE)], fmean(row[k] for k in around), *row[-2:])
        for row in exhibit["table"]["rows"]
    }


def _recovered(exhibits: list[dict[str, Any]], names: list[str], about: str) -> str:
    each = [_columns(exhibit) for exhibit in exhibits]
    heads = [f"{name}, {what}" for name in names for what in ("whole trial", "around events")]
    lines = [f"| | {' | '.join(heads)} | CPU-s | parameters |", "|---" * (len(heads) + 3) + "|"]
    for name in [*_rivals(each[0]), *(part for part in PARTS if part in each[0]), MODEL]:
        seconds = "–" if each[-1][name][2] is None else f"{each[-1][name][2]:.1f}"
        cells = [name, *(f"{value:.3f}" for one in each for value in one[name][:2]), seconds, f"{each[-1][name][3]:,}"]
        cells = [f"**{cell}**" for cell in cells] if name == MODEL else cells
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            _ahead(each, names),
            "",
            *lines,
            "",
            f"Correlation with the true rates over conditions and time on held-out trials, {about}, one network each (seed 0), baselines in their quick form; "
            "CPU-s and parameters in the last column's session.",
        ]
    )


def _ahead(each: list[dict[str, tuple[float, float, Any, Any]]], names: list[str]) -> str:
    """Where the model is above all baselines, and who is above it elsewhere."""
    said = []
    for k, what in enumerate(("whole trials", "windows around events")):
        better = [
            (place, max(_rivals(one), key=lambda name: one[name][k])) for place, one in zip(names, each, strict=True)
        ]
        lost = [(place, best) for (place, best), one in zip(better, each, strict=True) if one[best][k] > one[MODEL][k]]
        if not lost:
            said.append(f"In {what} eirnn-v2 is above every baseline.")
        else:
            said.append(
                f"In {what} eirnn-v2 is not better than {'; '.join(f'{best} ({place})' for place, best in lost)}."
            )
    return " ".join(said)


def _rivals(rows: Collection[str]) -> list[str]:
    """Names of the baselines among rows of the table."""
    return [name for name in rows if name != MODEL and name not in PARTS]


def _dale(pairs: list[list[dict[str, Any]]]) -> str:
    lines = ["| | whole trial, Dale's law | bypassed | around events, Dale's law | bypassed |", "|---" * 5 + "|"]
    costs: list[list[float]] = [[], []]
    for seed, (lawful, lawless) in zip(LAWLESS, pairs, strict=True):
        one, other = _columns(lawful)[NETWORK], _columns(lawless)[NETWORK]
        lines.append(f"| seed {seed} | {one[0]:.3f} | {other[0]:.3f} | {one[1]:.3f} | {other[1]:.3f} |")
        for k, cost in enumerate(costs):
            cost.append(other[k] - one[k])
    found = [" and ".join(f"{value:+.3f}" for value in cost) for cost in costs]
    sessions = "one session" if len(LAWLESS) == 1 else f"each of {len(LAWLESS)} sessions"
    return "\n".join(
        [
            f"Without Dale's law the correlation of the network's own rates with the true rates changes by {found[0]} in whole trials and by {found[1]} around events, on {sessions}, one network each: differences of about .01 are as large as those between seeds.",
            "",
            *lines,
        ]
    )
