"""`neuro preprocess MODEL --data FILE... --out FILE`: any format into ours, checked against what a model needs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurocli.cli.options import ConfigFile, Data, Json, Preset, Sets
from neurocli.cli.output import Output

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily
    from neurocli.recordings import DataModule, RecordingSet

LONGEST_TABLE = 60


def preprocess(
    model: Annotated[str, typer.Argument(help="Model, as `neuro models` lists them.", metavar="MODEL")],
    data: Data = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("prepared.h5"),
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Read recordings of any known format, check that the model can use them, and write them in ours."""
    with Output("preprocess", json=json) as output:
        from neurocli.cli.data import recordings_for
        from neurocli.cli.train import family_config
        from neurocli.errors import UsageError
        from neurocli.runs.atomic import storage_errors

        with storage_errors(out):  # a name may be too long to ask
            there, folder = out.exists(), out.is_dir()
        if folder:
            raise UsageError("this is a folder, not a file", where=str(out), hint="name a file in it with --out")
        if there and not overwrite:
            raise UsageError("the file exists", where=str(out), hint="name another with --out, or say --overwrite")
        family, resolved = family_config(model, preset, config, sets)
        recordings, source = recordings_for(family, resolved.config, data)
        if str(out.resolve()) in source["paths"]:
            raise UsageError("this would overwrite its own input", where=str(out), hint="name another file with --out")
        module, unsplit = _adapted(family, recordings, resolved.config)
        recordings.save(out)
        split = module.split
        rows = []
        for group in recordings:
            recording = recordings[group]
            part = next((part for part in ("train", "validation", "test") if group in split.groups(part)), "–")
            rows.append((group, part, recording.steps, recording.num_channels, recording.dt_ms, recording.unit))
        output.data.update(
            model=family.card.name,
            files=[str(out)],
            recordings=[
                dict(zip(("group", "part", "steps", "channels", "dt_ms", "unit"), row, strict=True)) for row in rows
            ],
            protocol={**split.as_dict(), "group": module.group_name()},
            spec=module.spec,
            params=resolved.config.model_dump(mode="json"),
        )
        title = f"{len(rows)} recordings for {family.card.name}"
        columns = ("part", "samples", "channels", "step [ms]", "unit")
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
        if unsplit:
            output.text(f"note: not split: {unsplit}")
        for line in family.notes(module, resolved.config):
            output.text(f"note: {line}")
        output.text(f"written to {out}")


def _adapted(family: ModelFamily, recordings: RecordingSet, config: Any) -> tuple[DataModule, str]:
    """(the adapted recordings, why they are not split): too few for a training can still be asked about."""
    from neurocli.errors import DataError, LeakError
    from neurocli.recordings import Split
    from neurocli.recordings.adapting import adapted

    try:
        return adapted(family, recordings, config), ""
    except DataError as error:
        if error.where != "split" or isinstance(error, LeakError):
            raise
        return family.adapt(
            recordings, config, Split((), (), tuple(recordings.groups), protocol="not split")
        ), error.message
