"""`neuro evaluate RUN`, or `MODEL --weights FILE`: every score beside its baselines, its ceiling and its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.cli.options import RUNS, Data, Device, Json, Root
from neurocli.cli.output import Output
from neurocli.cli.show_evaluation import show


def evaluate(
    run: Annotated[
        str, typer.Argument(help="A run folder, a run's name, or `latest`; a model with --weights.", metavar="RUN")
    ],
    data: Data = None,
    weights: Annotated[
        Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
        typer.Option("--weights", help="Weights that were trained elsewhere, for the model named in place of a run."),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also the model's controls: found among the runs, or trained now.")
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="evaluate.KEY=VALUE, over the run's own options; may be repeated.", metavar="KEY=VALUE"
        ),
    ] = None,
    device: Device = None,
    root: Root = RUNS,
    json: Json = False,
) -> None:
    """Score a run's best checkpoint (chosen on validation groups; without any, the last) on its test groups, or on new data."""
    with Output("evaluate", json=json) as output:
        if weights is not None:
            from neurocli.cli.weights import evaluate_weights

            evaluate_weights(output, run, weights, data, device, root, sets or (), controls=controls)
            return
        from neurocli.cli.data import trained_of_run
        from neurocli.cli.lost import Lost
        from neurocli.cli.unfinished import unfinished_note
        from neurocli.evaluation.evaluate import evaluate as score
        from neurocli.runs.atomic import write_json
        from neurocli.runs.folder import RunFolder
        from neurocli.runs.lock import locked

        folder = RunFolder.find(root, run)
        family, trained, _ = trained_of_run(folder, data, device, root, sets or ())
        with locked(folder):
            figures = folder.figures / ("new-data" if data else "evaluation")
            lost = Lost()
            with lost.figures():
                found = score(family, trained, say=output.say, figures=figures)
            lost.leave_out(found.exhibits)
            unfinished = unfinished_note(folder)
            if unfinished:
                found.notes.append(unfinished)
            from neurocli.cli.output import plain

            kept = folder.path / ("evaluation-new-data.json" if data else "evaluation.json")
            with lost.file():
                write_json(kept, plain(found.as_dict()))
        output.data.update(found.as_dict())
        output.data.update(run=str(folder.path), name=folder.name, params=trained.config.model_dump(mode="json"))
        output.data["files"] = [str(f) for f in (kept, *(e.figure for e in found.exhibits)) if f and f.is_file()]
        show(output, found, folder.name)
        for line in found.warnings:
            output.warn(line)
        lost.report()
        if controls:
            from neurocli.cli.controls import show_controls

            show_controls(output, folder, family, trained, data, device, root)
