"""gat-lstm on four worms of Kato et al. (2015), each forecast by what was fitted on the others; and on simulated worms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scores
from laboratory import Laboratory

FAMILY = "gat_lstm"
SEEDS = [0, 1, 2]
REAL_DATA = True
WORMS = (0, 1, 2, 4)
_WORLDS: dict[str, list[object]] = {"coupled": [], "uncoupled": ["--set", "coupling=0.001"]}
_RECORDED: dict[str, list[object]] = {"coupled, every neuron recorded": ["--set", "hidden=0"]}
_SHOWN = ("score", "AUC", "low", "high", "p", "AUC, permuted weights", "sign right", "rho", "AUC added")


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    assert data is not None
    files = [word for n in WORMS for word in ("--data", data / "worm" / f"Kato2015_worm{n}.mat")]

    def trained(seed: int, *options: object) -> str:
        return str(lab.neuro("train", "gat-lstm", *files, "--seed", seed, *options)["run"])

    def scored(run: str, *options: object) -> dict[str, Any]:
        found = lab.neuro("evaluate", run, *options)
        kept = {**scores.by_target(found), "skills": found["skills"], "notes": found["notes"]}
        if "controls" in found:
            kept["controls"] = [row for row in found["controls"] if row["metric"] == "S"]
            kept["wiring"] = next(e for e in found["control_exhibits"] if e["name"] == "wiring")
        return kept

    runs = [trained(seed) for seed in SEEDS]
    return {
        "causal": [scored(run, *(["--controls"] if seed == 0 else [])) for seed, run in zip(SEEDS, runs, strict=True)],
        "leaky": scored(trained(0, "--preset", "quick", "--normalisation", "whole")),
        "recovery": {name: _recovery(lab, name, options) for name, options in (_WORLDS | _RECORDED).items()},
    }


def _recovery(lab: Laboratory, name: str, options: list[object]) -> dict[str, Any]:
    file = f"{name.replace(', ', '-').replace(' ', '-')}.h5"
    lab.neuro("simulate", "celegans", "--runs", 12, *options, "--out", file)
    trained = lab.neuro("train", "gat-lstm", "--data", file, "--preset", "quick")
    return scores.of_exhibits(lab.neuro("interpret", trained["run"]), "recovery")


def show(kept: dict[str, Any]) -> dict[str, str]:
    names = kept["causal"][0]["names"]
    headings = [name.replace("step", "frame") for name in names]
    rows = scores.mean_of_seeds([one["rows"] for one in kept["causal"]])
    recovery = "\n\n".join(
        f"{name}:\n\n{scores.exhibit_markdown(one['table'], _SHOWN)}" for name, one in kept["recovery"].items()
    )
    table = scores.markdown(headings, rows, costs=True)
    wiring = kept["causal"][0]["wiring"]
    return {
        "worm-answer": f"{wiring['claims']['verdict']}.",
        "worm-kato": f"{_first(kept)}\n\n{table}\n\n{_verdicts(kept)}",
        "worm-readme": f"{_first(kept)}\n\n{table}\n\n{_verdicts(kept)}",
        "worm-leaky": scores.markdown(headings, kept["leaky"]["rows"], intervals=False),
        "worm-wiring": scores.exhibit_markdown(wiring["table"]) + "\n\n" + wiring["table"]["note"] + ".",
        "worm-controls": _controls(kept["causal"][0]),
        "worm-recovery": recovery,
    }


def _first(kept: dict[str, Any]) -> str:
    """What may be said of the network beside the best baseline of each horizon, whatever the seed."""
    said: dict[str, list[str]] = {}
    for k, name in enumerate(kept["causal"][0]["names"]):
        skills = [one["skills"][k] for one in kept["causal"]]
        verdicts = {s["paired"]["verdict"] for s in skills}
        word = verdicts.pop() if len(verdicts) == 1 else "not told apart in every seed"
        said.setdefault(f"{word}, {skills[0]['best_baseline']}", []).append(name.split()[0])
    parts = []
    for what, horizons in said.items():
        word, baseline = what.rsplit(", ", 1)
        against = {"better": "better than", "worse": "worse than"}.get(word, "not better than")
        parts.append(f"{against} the best baseline, {baseline}, at {', '.join(horizons)} frames")
    return f"gat-lstm is {'; '.join(parts)} (95 % intervals over {len(WORMS)} worms, each of {len(SEEDS)} seeds)."


def _verdicts(kept: dict[str, Any]) -> str:
    """The network against the best baseline of each horizon, seed by seed."""
    lines = []
    for k, name in enumerate(kept["causal"][0]["names"]):
        skills = [one["skills"][k]["paired"] for one in kept["causal"]]
        gains = ", ".join(f"{s['value']:+.3f} [{s['low']:+.3f}, {s['high']:+.3f}]" for s in skills)
        verdicts = sorted({str(s["verdict"]) for s in skills})
        best = kept["causal"][0]["skills"][k]["best_baseline"]
        lines.append(f"{name.replace('step', 'frame')} against {best}: {gains} ({' or '.join(verdicts)})")
    return (
        f"95 % intervals over worms, the widest of the seeds. The network minus the best baseline, seeds {', '.join(map(str, SEEDS))}: "
        f"{'; '.join(lines)}."
    )


def _controls(causal: dict[str, Any]) -> str:
    """The same networks with other graphs for their attention: control minus model, paired by worm, seed 0."""
    names = causal["names"]
    lines = [f"| | {' | '.join(n.replace('step', 'frame') for n in names)} |", "|---" * (len(names) + 1) + "|"]
    for control in dict.fromkeys(row["control"] for row in causal["controls"]):
        of = {row["target"]: row for row in causal["controls"] if row["control"] == control}
        cells = (f"{of[n]['value']:+.3f} [{of[n]['low']:+.3f}, {of[n]['high']:+.3f}]" for n in names)
        lines.append(f"| {control} | {' | '.join(cells)} |")
    return "\n".join(lines)
