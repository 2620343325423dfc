"""`neuro evaluate RUN`, or `MODEL --weights FILE`: every score beside its baselines, its ceiling and its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.cli.options import RUNS, Data, Device, Json, RunsDir
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress
from neurocli.cli.show_controls import show_controls
from neurocli.cli.show_evaluation import show


def evaluate(
    run: Annotated[
        str, typer.Argument(help="A run folder, a run's name, or `latest`; a model with --weights.", metavar="RUN")
    ],
    data: Data = None,
    weights: Annotated[
        Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
        typer.Option(
            "--weights", help="File of weights that were trained elsewhere; RUN is then the name of their model."
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls", help="Also score the model's controls, which are taken from the runs or trained now."
        ),
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="evaluate.KEY=VALUE, which overrides the run's own option; may be repeated.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    device: Device = None,
    runs_dir: RunsDir = RUNS,
    json: Json = False,
) -> None:
    """Score a run on its test groups, or on new data, beside baselines and a ceiling.

    The checkpoint with the lowest validation loss is scored; without validation groups, the last one.
    """
    with Output("evaluate", json=json) as output:
        from neurocli.workflow.evaluate import evaluate as score

        progress = Progress(output)
        result = score(
            run,
            data=data,
            weights=weights,
            controls=controls and weights is not None,  # a run's are compared after its own scores are shown
            sets=sets or (),
            device=device,
            runs_dir=runs_dir,
            progress=progress,
        )
        evaluation = result.evaluation
        output.data.update(evaluation.as_dict())
        if weights is None:
            output.data["run"] = str(result.path)
        else:
            output.data["weights"] = str(weights)
        output.data.update(name=result.name, params=result.config.model_dump(mode="json"))
        output.data["files"] = [str(path) for path in result.files]
        show(output, evaluation, result.name if weights is None else weights.name)
        for line in evaluation.warnings:
            output.warn(line)
        result.failures.report()
        if controls:
            show_controls(output, result, data, device, runs_dir, progress)
