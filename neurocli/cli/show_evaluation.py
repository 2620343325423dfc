"""How an evaluation is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurocli.cli.output import Output
from neurocli.report import scores

if TYPE_CHECKING:
    from neurocli.evaluation.evaluate import Evaluation


def show(output: Output, evaluation: Evaluation, name: str) -> None:
    """Print an evaluation: scoreboard, skill, horizons, subsets, exhibits, notes."""
    values = evaluation.as_dict()
    _show_sheet(output, scores.scoreboard(values, name), evaluation.leaky)
    for line in scores.skill_lines(values):
        output.text(line)
    output.text()
    for sheet in (scores.differences(values), scores.horizons(values), *scores.subsets(values)):
        if sheet is not None:
            _show_sheet(output, sheet, evaluation.leaky)
    output.exhibits(evaluation.exhibits, leaky=evaluation.leaky)
    for line in evaluation.notes:
        output.text(f"note: {line}")
    if output.json:
        return
    figures = {str(e.figure.parent) for e in evaluation.exhibits if e.figure}
    for folder in sorted(figures):
        output.text(f"figures: {folder}")


def _show_sheet(output: Output, sheet: scores.Sheet, leaky: bool) -> None:
    output.table(sheet.title, sheet.columns, sheet.rows, leaky=leaky, note=sheet.note)
