"""`neuro preprocess MODEL --data FILE... --out FILE`: any format into ours, checked against what a model needs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from neurocli.cli.options import ConfigFile, Data, Json, Preset, Sets, Task
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress
from neurocli.cli.shortcuts import shortcuts_of_model

LONGEST_TABLE = 60


def preprocess(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Model, as `neuro models` lists them.", metavar="MODEL")],
    task: Task = None,
    data: Data = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("prepared.h5"),
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    json: Json = False,
) -> None:
    """Read recordings in any known format, check that the model can use them, and write them to one HDF5 file."""
    with Output("preprocess", json=json) as output:
        from neurocli.workflow.preprocess import preprocess as prepare

        prepared = prepare(
            model,
            data=data,
            out=out,
            preset=preset,
            config=config,
            options=shortcuts_of_model(context, model, task),
            sets=sets or (),
            overwrite=overwrite,
            task=task,
            progress=Progress(output),
        )
        split = prepared.dataset.split
        rows = []
        for group in prepared.recordings:
            recording = prepared.recordings[group]
            part = next((part for part in ("train", "validation", "test") if group in split.groups(part)), "–")
            rows.append((group, part, recording.steps, recording.num_channels, recording.dt_ms, recording.unit))
        output.data.update(
            model=prepared.model,
            files=[str(out)],
            recordings=[
                dict(zip(("group", "part", "steps", "channels", "dt_ms", "unit"), row, strict=True)) for row in rows
            ],
            protocol={**split.as_dict(), "group": prepared.dataset.group_name()},
            spec=prepared.dataset.spec,
            params=prepared.config.model_dump(mode="json"),
        )
        title = f"{len(rows)} recordings for {prepared.model}"
        columns = ("part", "samples", "channels", "step (ms)", "unit")
        if len(rows) > LONGEST_TABLE:  # trials come by the hundred: counted, not listed
            counted = Counter(row[1:] for row in rows)
            output.table(
                title,
                ("recordings", *columns),
                [(n, *row) for row, n in counted.items()],
                leaky=split.leaky,
            )
        else:
            output.table(title, ("recording", *columns), rows, leaky=split.leaky)
        if prepared.unsplit:
            output.text(f"note: not split: {prepared.unsplit}")
        for line in prepared.notes:
            output.text(f"note: {line}")
        output.text(f"written to {out}")
