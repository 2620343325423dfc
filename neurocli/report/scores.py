"""The tables and lines that say what an evaluation found, from its plain values as evaluation.json keeps them.

A terminal and the report show the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from neurocli.evaluation.wording import in_words, why_no_p
from neurocli.report.words import format_value, with_interval

HINDSIGHT = "these targets are selected by what happened after the forecast (hindsight): never quote these scores alone"
_ORDER = {"model": 0, "baseline": 1, "control": 2, "ceiling": 3}


@dataclass(frozen=True)
class Sheet:
    """A table with its title; how its values are printed is decided by whoever prints them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str | None = None


def scoreboard(evaluation: dict[str, Any], name: str) -> Sheet:
    """Every predictor by every metric on the main target; `name` is that of the run."""
    main = evaluation["targets"][0]
    n, group = len(main["groups"]), evaluation["protocol"]["group"]
    subject = name if name.startswith(evaluation["model"]) else f"{evaluation['model']}, {name}"
    title = f"{subject}: {target_in_words(main)}, {n} test {group}{'s' if n != 1 else ''}"
    keys = [(m["name"], m["unit"]) for m in evaluation["metrics"]]
    scores = _selected(evaluation, target=main["name"])
    cells = _cells(scores, lambda s: (s["metric"], s["unit"]))
    columns = ["", "kind", *(heading(m) for m in evaluation["metrics"])]
    rows = _rows(cells, keys)
    costs = {s["name"]: (s.get("cpu_s"), s.get("parameters")) for s in scores}
    if any(value is not None for cost in costs.values() for value in cost):
        columns += ["CPU-s", "parameters"]
        rows = [[*row, *_cost(*costs[row[0]])] for row in rows]
    return Sheet(title, columns, rows, _about_intervals(evaluation, main["name"]))


def _cost(cpu_s: float | None, parameters: int | None) -> tuple[str, str]:
    """What a predictor took to fit, for people."""
    seconds = "–" if cpu_s is None else f"{cpu_s:.2g}" if cpu_s < 10 else f"{cpu_s:,.0f}"
    return seconds, "–" if parameters is None else f"{parameters:,}"


def _about_intervals(evaluation: dict[str, Any], target: str) -> str:
    """What the intervals are, what they hold for, and why scores have none."""
    scores = _selected(evaluation, target=target)
    scope = evaluation["protocol"].get("scope")
    intervals = (
        f"95 % jackknife intervals over {evaluation['protocol']['group']}s"
        if any(_has_interval(s) for s in scores)
        else ""
    )
    lines = [f"{intervals}; {scope}" if intervals and scope else intervals or scope or ""]
    reasons: dict[str, list[str]] = {}
    for s in scores:
        if s.get("no_interval"):
            reasons.setdefault(s["no_interval"], []).append(heading({"name": s["metric"], "unit": s["unit"]}))
    for reason, metrics in reasons.items():
        metric_names = list(dict.fromkeys(metrics))
        of_metrics = f" of {', '.join(metric_names)}" if len(metric_names) < len(evaluation["metrics"]) else ""
        lines.append(f"no interval{of_metrics}: {reason}")
    return "; ".join(line for line in lines if line)


def _has_interval(score: dict[str, Any]) -> bool:
    return score["low"] is not None and score["high"] is not None


def score_line(evaluation: dict[str, Any]) -> str:
    """The main score beside its two references."""
    ordered, skill = main_scores(evaluation), evaluation["skill"]

    def score_of(predictor: str, kind: str) -> str:
        for s in ordered:
            if (s["name"], s["kind"]) == (predictor, kind) or (kind == "ceiling" == s["kind"]):
                return f"{s['name']} {with_interval(s['value'], s['low'], s['high'])}"
        return "unknown"

    heading_text = f"{heading(evaluation['metrics'][0])}, {target_in_words(evaluation['targets'][0])}"
    best = score_of(skill["best_baseline"], "baseline")
    return f"{heading_text}: {score_of(evaluation['model'], 'model')}; best baseline: {best}; ceiling: {score_of('', 'ceiling')}"


def skill_lines(evaluation: dict[str, Any]) -> list[str]:
    """The skill in words, and the difference to the best baseline where there is one."""
    skill = evaluation["skill"]
    lines = []
    if skill["value"] is not None:
        value = with_interval(skill["value"], skill.get("low"), skill.get("high"))
        lines.append(f"skill {value} (0: equal to {skill['best_baseline']}, 1: at the ceiling)")
    else:
        reason = evaluation["ceiling_reason"] if skill["ceiling"] is None else None
        lines.append(f"no skill: {reason or skill.get('reason') or 'there is no baseline or no ceiling'}")
    test = skill["paired"]
    if test:
        difference = with_interval(test["value"], test["low"], test["high"])
        groups = f"{test['n_groups']} test group{'s' if test['n_groups'] != 1 else ''}"
        lines.append(
            f"{skill['metric']} minus that of {skill['best_baseline']} on the same {groups}: {difference}, "
            f"{p_in_words(test)}"
        )
    return lines


def p_in_words(test: dict[str, Any]) -> str:
    """`p = .012`, or why there is none."""
    return no_p(test) if test["p"] is None else f"p = {format_value(test['p'])}"


def no_p(test: dict[str, Any]) -> str:
    """Why a difference has no p."""
    return test.get("reason") or why_no_p(test["n_groups"])


def differences(evaluation: dict[str, Any]) -> Sheet | None:
    """The model minus each baseline; None where there is none."""
    rows = [
        [d["baseline"], with_interval(d["value"], d["low"], d["high"]), d["p"], d["verdict"] or "no interval"]
        for d in evaluation["differences"]
    ]
    if not rows:
        return None
    title = f"{evaluation['model']} minus each baseline: {heading(evaluation['metrics'][0])} on the same groups"
    note = None if any(d["p"] is not None for d in evaluation["differences"]) else no_p(evaluation["differences"][0])
    return Sheet(title, ["baseline", "difference", "p", "the model is"], rows, note)


def horizons(evaluation: dict[str, Any]) -> Sheet | None:
    """The main metric target by target, with the skill; None where there is one target."""
    if len(evaluation["targets"]) < 2:
        return None
    metric = evaluation["metrics"][0]
    names = [q["name"] for q in evaluation["targets"]]
    rows = _rows(_cells(_selected(evaluation, metric), lambda s: s["target"]), names)
    rows.append(["skill", "", *(in_words(s) for s in evaluation["skills"])])
    quantity = "horizon" if evaluation["targets"][0]["horizon_ms"] is not None else "alignment"
    return Sheet(f"{heading(metric)} by {quantity}", ["", "kind", *names], rows)


def subsets(evaluation: dict[str, Any]) -> list[Sheet]:
    """Scores of parts of the targets; those chosen by what came after are apart."""
    main, hindsight = evaluation["targets"][0], evaluation["hindsight"]
    names = main["subsets"]
    # Targets chosen by what they are vary little among themselves: errors in the data's unit still mean something.
    own_unit = [m for m in evaluation["metrics"] if m["unit"] == main["unit"]] or evaluation["metrics"]
    sheets = []
    for title, shown_subsets, metric, note in (
        ("by subset", [n for n in names if n not in hindsight], evaluation["metrics"][0], None),
        ("of targets selected in hindsight", [n for n in names if n in hindsight], own_unit[0], HINDSIGHT),
    ):
        if shown_subsets:
            scores = [
                s for s in _selected(evaluation, metric, main["name"], subset=None) if s["subset"] in shown_subsets
            ]
            rows = _rows(_cells(scores, lambda s: s["subset"]), shown_subsets)
            sheets.append(Sheet(f"{heading(metric)} {title}", ["", "kind", *shown_subsets], rows, note))
    return sheets


def main_scores(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores of the main target by the main metric: the model first, then baselines, controls and the ceiling."""
    scores = _selected(evaluation, evaluation["metrics"][0], evaluation["targets"][0]["name"])
    return sorted(scores, key=lambda s: _ORDER.get(s["kind"], 2))


def target_in_words(target: dict[str, Any]) -> str:
    """What a target asks for, in words."""
    if target["horizon_ms"] is None:
        return str(target["name"])
    return f"{format_value(target['horizon_ms'])} ms ahead"


def heading(metric: dict[str, Any]) -> str:
    """`RMSE (mV)`"""
    return f"{metric['name']} ({metric['unit']})" if metric["unit"] else str(metric["name"])


def _selected(
    evaluation: dict[str, Any],
    metric: dict[str, Any] | None = None,
    target: str | None = None,
    subset: str | None = "all",
) -> list[dict[str, Any]]:
    """Scores by a metric, on a target, of a subset of its targets; None is any."""
    return [
        s
        for s in evaluation["scores"]
        if (metric is None or (s["metric"], s["unit"]) == (metric["name"], metric["unit"]))
        and (target is None or s["target"] == target)
        and (subset is None or s["subset"] == subset)
    ]


def _cells(
    scores: Sequence[dict[str, Any]], column: Callable[[dict[str, Any]], Any]
) -> dict[tuple[str, str], dict[Any, str]]:
    """(predictor, kind) → column → a score with its interval."""
    cells: dict[tuple[str, str], dict[Any, str]] = {}
    for s in scores:
        cells.setdefault((s["name"], s["kind"]), {})[column(s)] = with_interval(s["value"], s["low"], s["high"])
    return cells


def _rows(cells: dict[tuple[str, str], dict[Any, str]], columns: Sequence[Any]) -> list[list[str]]:
    """One row per predictor: the model first, then baselines, controls and the ceiling."""
    ordered = sorted(cells.items(), key=lambda item: _ORDER.get(item[0][1], 2))
    return [[predictor, kind, *(values.get(c, "–") for c in columns)] for (predictor, kind), values in ordered]
