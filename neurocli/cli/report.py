"""`neuro report RUN`: what is known of a run, as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.cli.options import RUNS, Json, Run, RunsDir
from neurocli.cli.output import Output


def report(
    run: Run,
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
        typer.Option("--out", help="The file to write, report.html in the run's folder by default.", metavar="FILE"),
    ] = None,
    runs_dir: RunsDir = RUNS,
    json: Json = False,
) -> None:
    """Write all results of a run on one self-contained HTML page: scores, training, diagnosis, exhibits."""
    with Output("report", json=json) as output:
        from neurocli.workflow.report import report as write

        page = write(run, out=out, runs_dir=runs_dir)
        output.data.update(
            run=str(page.run),
            name=page.name,
            files=[str(page.path)],
            missing=[{"name": result.name, "command": result.command} for result in page.missing],
        )
        for result in page.missing:
            output.text(f"no {result.name} yet; run: {result.command}")
        output.text(f"written to {page.path}")
