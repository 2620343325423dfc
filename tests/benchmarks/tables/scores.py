"""From the JSON of `neuro evaluate` to rows of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

Column = tuple[str, str, str, str]
"""Metric, unit, target (empty is the main one), subset."""
ALL = "all"


def keep_scores(evaluation: dict[str, Any], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The scores in `columns`, as rows: name, kind, cpu_s, parameters, and values [column] of (value, low, high)."""
    main = evaluation["targets"][0]["name"]
    rows: dict[str, dict[str, Any]] = {}
    for score in evaluation["scores"]:
        for n, (metric, unit, target, subset) in enumerate(columns):
            wanted = (metric, unit, target or main, subset)
            if (score["metric"], score["unit"], score["target"], score["subset"]) == wanted:
                row = rows.setdefault(score["name"], {k: score.get(k) for k in ("name", "kind", "cpu_s", "parameters")})
                row.setdefault("values", [None] * len(columns))[n] = [score["value"], score["low"], score["high"]]
    for n, column in enumerate(columns):
        if not any(row["values"][n] for row in rows.values()):
            raise KeyError(f"no score of {column}")
    return list(rows.values())


def by_target(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The main metric on every target: `names` of the targets, and `rows`."""
    metric = evaluation["metrics"][0]
    names = [q["name"] for q in evaluation["targets"]]
    return {"names": names, "rows": keep_scores(evaluation, [(metric["name"], metric["unit"], n, ALL) for n in names])}


def of_exhibits(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Table and claims of the exhibit `name` in what `neuro interpret` or `evaluate` gave."""
    found = next(e for e in data["exhibits"] if e["name"] == name)
    return {"table": found["table"], "claims": found["claims"]}


def exhibit_markdown(table: dict[str, Any], columns: Sequence[str] | None = None, form: str = ".3f") -> str:
    """An exhibit's table, or some of its columns."""
    everything = range(len(table["columns"]))  # names may repeat: a low and a high for each of two scores
    chosen = everything if columns is None else [table["columns"].index(c) for c in columns]
    lines = [f"| {' | '.join(table['columns'][k] for k in chosen)} |", "|---" * len(chosen) + "|"]
    for row in table["rows"]:
        cells = (
            "–" if row[k] is None else format(row[k], form) if isinstance(row[k], float) else str(row[k])
            for k in chosen
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_of_seeds(tables: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of several seeds on the same test groups as one: mean value, widest interval."""
    merged = []
    for rows in zip(*tables, strict=True):
        values = []
        for cells in zip(*(row["values"] for row in rows), strict=True):
            if any(cell is None or cell[0] is None for cell in cells):
                values.append(None)
                continue
            lows, highs = ([cell[k] for cell in cells] for k in (1, 2))
            known = all(v is not None for v in (*lows, *highs))
            values.append([fmean(c[0] for c in cells), min(lows) if known else None, max(highs) if known else None])
        merged.append({**rows[0], "values": values})
    return merged


def markdown(
    headings: Sequence[str],
    rows: Sequence[dict[str, Any]],
    form: str | Sequence[str] = ".3f",
    *,
    intervals: bool = True,
    costs: bool = False,
    named: Callable[[dict[str, Any]], str] = lambda row: row["name"],
) -> str:
    """A table of rows as `keep_scores` gives them, the model in bold, the ceiling last; `costs`: what each took to fit."""
    order = {"baseline": 0, "model": 1, "control": 2, "ceiling": 3}
    heads = [*headings, *(["CPU-s", "parameters"] if costs else [])]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    forms = [form] * len(headings) if isinstance(form, str) else form
    for row in sorted(rows, key=lambda row: order[row["kind"]]):
        cells = [named(row), *(cell(v, f, intervals=intervals) for v, f in zip(row["values"], forms, strict=True))]
        if costs:
            seconds, parameters = row.get("cpu_s"), row.get("parameters")
            cells.append("–" if seconds is None else f"{seconds:.1f}" if seconds < 10 else f"{seconds:,.0f}")
            cells.append("–" if parameters is None else f"{parameters:,}")
        if row["kind"] == "model":
            cells = [f"**{c}**" for c in cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(value: Sequence[float | None] | None, form: str, *, intervals: bool = True) -> str:
    """`0.782 [0.780, 0.784]`; a dash where there is no score."""
    if value is None or value[0] is None:
        return "–"
    text = format(value[0], form)
    low, high = value[1:]
    return f"{text} [{low:{form}}, {high:{form}}]" if intervals and low is not None and high is not None else text


def difference(paired: dict[str, Any], form: str = ".3f", unit: str = "") -> str:
    """`+0.004 [0.001, 0.007] mV, p = .01`; without a p where there is none."""
    text = format(paired["value"], f"+{form}")
    if paired["low"] is not None:
        text += f" [{paired['low']:{form}}, {paired['high']:{form}}]"
    text += f" {unit}" if unit else ""
    return text + (f", p = {paired['p']:.2g}" if paired["p"] is not None else "")


def against(model: str, baseline: str, verdict: str | None, of: str) -> str:
    """The sentence that a table begins with: what may be said of a model beside its best baseline, and on what `of`."""
    if verdict == "better":
        return f"{model} is better than the best baseline, {baseline} ({of})."
    if verdict == "worse":
        return f"{model} is worse than the best baseline, {baseline} ({of})."
    return f"{model} is not better than the best baseline, {baseline} ({of})."
