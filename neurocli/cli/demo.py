"""`neuro demo [FAMILY]`: a family from nothing to a report, in a few minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.cli.options import RUNS, Json, RunsDir
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress


def demo(
    family: Annotated[
        str | None,
        typer.Argument(help="A family, a model or its alias, as `neuro models` lists them.", metavar="[FAMILY]"),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
        typer.Option("--out", help="The report to write, report.html in the run's folder by default.", metavar="FILE"),
    ] = None,
    runs_dir: RunsDir = RUNS,
    json: Json = False,
) -> None:
    """Demonstrate a family: simulate a small set, train, evaluate and report. Called again, it resumes and reuses what is finished."""
    with Output("demo", json=json) as output:
        from neurocli.report.scores import scoreboard
        from neurocli.workflow.demo import demo as run_demo
        from neurocli.workflow.demo_models import families_shown

        result = run_demo(family, out=out, runs_dir=runs_dir, progress=Progress(output))
        run, page = result.run, result.report
        leaky = bool(result.evaluation["protocol"]["leaky"])
        output.data.update(result.evaluation)
        output.data.update(
            simulator=result.simulation.simulator,
            run=str(run.path),
            name=run.name,
            verdict=result.verdict,
            reused=result.reused,
            files=[str(page.path), *(str(file) for file in result.simulation.files)],
        )
        output.text(f"{result.verdict}.")
        output.text()
        sheet = scoreboard(result.evaluation, run.name)
        output.table(sheet.title, sheet.columns, sheet.rows, leaky=leaky, note=sheet.note)
        output.text(f"recordings: {result.simulation.path}")
        output.text(f"report: {page.path}")
        for missing in page.missing:
            output.say(f"next: {missing.command}")
        other_families = [name for name in families_shown() if name != run.family.card.family]
        if other_families:
            rest = f"  # also {', '.join(other_families[1:])}" if other_families[1:] else ""
            output.say(f"next: neuro demo {other_families[0]}{rest}")
        result.failures.report()
