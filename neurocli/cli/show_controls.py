"""`neuro evaluate RUN --controls`: how a model and its controls are printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.cli.output import Output, format_value, with_interval
from neurocli.cli.progress import Progress

if TYPE_CHECKING:
    from neurocli.workflow.controls import ControlComparison
    from neurocli.workflow.evaluation_result import EvaluationResult


def show_controls(
    output: Output, result: EvaluationResult, data: Any, device: str | None, runs_dir: Path, progress: Progress
) -> None:
    """Find or train every control of a run, and print the paired differences on the same test groups."""
    from neurocli.workflow.controls import compare_controls
    from neurocli.workflow.messages import Reporter

    comparison = compare_controls(result, data, device, runs_dir, Reporter(progress))
    output.data["controls"] = comparison.as_records()
    output.data["control_exhibits"] = [exhibit.as_dict() for exhibit in comparison.exhibits]
    leaky = result.evaluation.leaky
    _table(output, comparison, leaky=leaky)
    output.exhibits(comparison.exhibits, leaky=leaky)
    comparison.failures.report()


def _table(output: Output, control_comparison: ControlComparison, *, leaky: bool) -> None:
    from neurocli.evaluation.wording import why_no_p

    comparison = control_comparison.comparison
    main = (comparison.scores[0].metric, comparison.scores[0].unit)
    rows = []
    for target in comparison.targets:
        for name in (control_comparison.model, *control_comparison.runs):
            score = next(
                s for s in comparison.scores if (s.name, s.target, s.metric, s.unit) == (name, target.name, *main)
            )
            row: list[Any] = [target.name, name, with_interval(score.value, score.low, score.high), "", ""]
            difference = next(
                (
                    d
                    for d in comparison.differences
                    if (d.name, d.target, d.metric, d.unit) == (name, target.name, *main)
                ),
                None,
            )
            if difference is not None:  # of the control to the model; shown the other way round
                values = difference.as_dict()
                value, low, high = (None if values[k] is None else -values[k] for k in ("value", "high", "low"))
                p = why_no_p(values["n_groups"]) if values["p"] is None else format_value(values["p"])
                row[3:] = [with_interval(value, low, high), p]
            rows.append(row)
    group = control_comparison.group
    output.table(
        f"model and controls on the same {control_comparison.n_groups} test {group}s",
        ("target", "", f"{main[0]} ({main[1]})" if main[1] else main[0], "model - control", "p"),
        rows,
        leaky=leaky,
        note=f"differences are paired by {group}; model and controls were trained once each. Where the interval contains zero, these "
        f"{group}s do not distinguish the model from the control; this is no evidence that the model does not use what the control lacks",
    )
