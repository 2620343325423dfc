"""`neuro simulate NAME`: recordings from a world with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurocli.cli.lost import Lost
from neurocli.cli.options import ConfigFile, Json, Preset, Sets
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress


def simulate(
    name: Annotated[str, typer.Argument(help="Simulator, as `neuro models` lists them.", metavar="NAME")],
    runs: Annotated[int, typer.Option("--runs", min=1, help="How many runs (groups).")] = 12,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write, NAME.h5 by default. What is there already is used."),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    first: Annotated[int, typer.Option("--first", min=0, help="Number of the first run.")] = 0,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes, one per core by default.")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler, tcp://host:port.")
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option("--format", help="Write this format as well; may be repeated.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder of the figures, NAME_figures beside the file by default.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that holds something else.")] = False,
    json: Json = False,
) -> None:
    """Simulate recordings. Killed, the same command carries on where it was."""
    with Output("simulate", json=json) as output:
        from neurocli.config.resolve import read_preset, resolve
        from neurocli.errors import UnknownName
        from neurocli.plugin.registry import load_implementation, registry

        card = registry().simulator(name)
        simulator = load_implementation(card)(card)
        resolved = resolve(
            simulator.Config,
            preset=read_preset(simulator.presets, preset) if preset is not None else None,
            file=config,
            sets=sets or (),
        )
        for wanted in format or ():
            if wanted not in simulator.Formats:
                raise UnknownName.among("output format", wanted, simulator.Formats)
        from neurocli.simulation.engine import simulate as run_simulation

        out = out or Path(f"{card.name}.h5")
        with Progress(f"simulating {card.name}") as progress:
            recordings = run_simulation(
                simulator,
                resolved.config,
                runs=runs,
                out=out,
                first=first,
                workers=workers,
                scheduler=scheduler,
                overwrite=overwrite,
                progress=progress.steps,
                say=output.say,
            )
        files, lost = [out], Lost()
        for wanted in format or ():
            with lost.file():
                files += simulator.export(recordings, wanted, out.parent)
        figures = figures or out.with_name(f"{out.stem}_figures")
        with lost.figures():
            exhibits = simulator.summary(recordings, figures)
        lost.leave_out(exhibits)
        output.data.update(
            simulator=card.name,
            runs=len(recordings),
            groups=recordings.groups,
            params=resolved.config.model_dump(mode="json"),
            files=[str(file) for file in files],
            exhibits=[exhibit.as_dict() for exhibit in exhibits],
        )
        output.exhibits(exhibits)
        output.text(f"{len(recordings)} recordings in {', '.join(str(file) for file in files)}")
        lost.report()
