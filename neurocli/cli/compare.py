"""`neuro compare RUN RUN...`: trained models side by side on the same test groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from neurocli.cli.options import RUNS, Device, Json, RunsDir
from neurocli.cli.output import Output, format_value, with_interval
from neurocli.cli.progress import Progress

if TYPE_CHECKING:
    from neurocli.evaluation.compare import Comparison


def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs; the others are compared with the first.")],
    device: Device = None,
    runs_dir: RunsDir = RUNS,
    json: Json = False,
) -> None:
    """Compare runs on the same test groups: scores, and paired differences with intervals."""
    with Output("compare", json=json) as output:
        from neurocli.config.differing import in_words
        from neurocli.workflow.compare import compare as compare_runs

        run_comparison = compare_runs(*runs, device=device, runs_dir=runs_dir, progress=Progress(output))
        output.data.update(
            runs=run_comparison.names,
            scores=run_comparison.scores,
            differences=run_comparison.differences,
            protocol=run_comparison.protocol,
            best_baselines=run_comparison.comparison.best_baselines,
            notes=run_comparison.notes,
            options=run_comparison.differing,
        )
        for target in run_comparison.comparison.targets:
            _show(output, run_comparison.comparison, target.name, run_comparison.names, run_comparison.leaky)
        for letter, name in _letters(run_comparison.names).items():
            changed = run_comparison.differing.get(name)  # against the first
            output.text(f"{letter}: {name}" + (f" ({in_words(changed)})" if changed else ""))
        for line in run_comparison.notes:
            output.text(f"note: {line}")


def _letters(names: list[str]) -> dict[str, str]:
    """A, B, ... for the runs: their names are too long for a table of differences."""
    return {chr(ord("A") + n) if n < 26 else f"run {n + 1}": name for n, name in enumerate(names)}


def _show(output: Output, comparison: Comparison, target: str, names: list[str], leaky: bool) -> None:
    """The runs, the best baseline and the ceiling; then what each run is better by than the first."""
    from neurocli.evaluation.intervals import FEWEST_FOR_P
    from neurocli.evaluation.wording import why_no_p

    scores = [s for s in comparison.scores if s.target == target]
    headings = list(dict.fromkeys((s.metric, s.unit) for s in scores if s.kind == "model"))
    best = comparison.best_baselines.get(target)
    lines = [(name, f"{letter}  {name}") for letter, name in _letters(names).items()]
    if best is not None:
        lines.append((best, f"best baseline: {best}"))
    lines += [(name, f"ceiling: {name}") for name in dict.fromkeys(s.name for s in scores if s.kind == "ceiling")]
    rows = []
    for name, label in lines:
        cells = {(s.metric, s.unit): with_interval(s.value, s.low, s.high) for s in scores if s.name == name}
        rows.append([label, *(cells.get(h, "–") for h in headings)])
    first, *others = _letters(names).items()
    for letter, name in others:
        mine = [d.as_dict() for d in comparison.differences if (d.name, d.target) == (name, target)]
        cells = {(d["metric"], d["unit"]): with_interval(d["value"], d["low"], d["high"]) for d in mine}
        ps = {(d["metric"], d["unit"]): format_value(d["p"]) for d in mine}
        verdicts = {(d["metric"], d["unit"]): d["verdict"] or "–" for d in mine}
        rows.append([f"{letter} - {first[0]}", *(cells[h] for h in headings)])
        rows.append([f"  {letter} is", *(verdicts[h] for h in headings)])
        rows.append(["  p", *(ps[h] for h in headings)])
    n = scores[0].n_groups
    columns = ["", *(f"{metric} ({unit})" if unit else metric for metric, unit in headings)]
    note = why_no_p(n) if others and n < FEWEST_FOR_P else None
    output.table(f"{target}, the same {n} test groups", columns, rows, leaky=leaky, note=note)
