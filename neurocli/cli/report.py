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
        typer.Option("--out", help="The file to write; report.html in the run's folder without it.", metavar="FILE"),
    ] = None,
    runs_dir: RunsDir = RUNS,
    json: Json = False,
) -> None:
    """Write what is known of a run as one HTML page that opens anywhere: scores, training, diagnosis, exhibits."""
    with Output("report", json=json) as output:
        from neurocli.workflow.report import report as write

        page = write(run, out=out, runs_dir=runs_dir)
        output.data.update(
            run=str(page.run),
            name=page.name,
            files=[str(page.path)],
            missing=[{"name": one.name, "command": one.command} for one in page.missing],
        )
        for one in page.missing:
            output.text(f"no {one.name} yet: {one.command}")
        output.text(f"written to {page.path}")
