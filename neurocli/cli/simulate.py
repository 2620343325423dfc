"""`neuro simulate NAME`: recordings from a world with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurocli.cli.options import ConfigFile, Json, Preset, Sets
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress
from neurocli.cli.shortcuts import shortcuts_of_simulator


def simulate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Simulator, as `neuro models` lists them.", metavar="NAME")],
    runs: Annotated[int, typer.Option("--runs", min=1, help="Number of runs (groups).")] = 12,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The file to write, NAME.h5 by default. Runs that it already holds are not simulated again."
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    first: Annotated[int, typer.Option("--first", min=0, help="Number of the first run.")] = 0,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Number of processes, one per core by default.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler, tcp://host:port.")
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option("--format", help="Write this format as well; may be repeated.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for the figures, NAME_figures beside the file by default.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that holds other recordings.")] = False,
    json: Json = False,
) -> None:
    """Simulate recordings. After an interruption the same command resumes where it stopped.

    Any option of the simulator may be given by its own name, as in --seed 3; `neuro models show NAME` lists them.
    """
    with Output("simulate", json=json) as output:
        from neurocli.workflow.simulate import simulate as run_simulation

        simulation = run_simulation(
            name,
            runs=runs,
            out=out,
            preset=preset,
            config=config,
            options=shortcuts_of_simulator(context, name),
            sets=sets or (),
            first=first,
            workers=workers,
            scheduler=scheduler,
            formats=format or (),
            figures=figures,
            overwrite=overwrite,
            progress=Progress(output),
        )
        output.data.update(
            simulator=simulation.simulator,
            runs=len(simulation.recordings),
            groups=simulation.recordings.groups,
            params=simulation.config.model_dump(mode="json"),
            files=[str(file) for file in simulation.files],
            exhibits=[exhibit.as_dict() for exhibit in simulation.exhibits],
        )
        output.exhibits(simulation.exhibits)
        output.text(f"{len(simulation.recordings)} recordings in {', '.join(str(file) for file in simulation.files)}")
        simulation.failures.report()
