"""`neuro info FILE...`: what files hold, before anything is done with them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from neurocli.cli.options import Json
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress

LONGEST_TABLE = 60


def info(
    files: Annotated[
        list[Path], typer.Argument(help="Recordings in any format that a plugin reads, or folders.", metavar="FILE...")
    ],
    json: Json = False,
) -> None:
    """Show what files hold: recordings, units, steps, content sums, and what their readers did and doubt."""
    with Output("info", json=json) as output:
        from neurocli.workflow.info import info as describe

        found = describe(files, progress=Progress(output))
        output.data.update(found.as_dict())
        doubts = [note for note in found.recordings.notes if note.is_doubt]
        said = f", {len(doubts)} doubt{'s' * (len(doubts) != 1)}" if doubts else ""
        output.text(f"{len(found.rows)} recording{'s' * (len(found.rows) != 1)}{said}", "bold")
        columns = ("samples", "channels", "step (ms)", "duration (s)", "unit", "mean", "sd", "missing")
        rows = [
            (
                row["recording"],
                row["samples"],
                row["channels"],
                f"{row['step_ms']:.6g}",
                f"{row['duration_s']:.6g}",
                row["unit"],
                *("–" if row[key] is None else f"{row[key]:.4g}" for key in ("mean", "sd")),
                f"{row['missing']:.1%}",
            )
            for row in found.rows
        ]
        if len(rows) > LONGEST_TABLE:  # trials come by the hundred: those of one shape are counted
            counted = Counter((row[1], row[2], row[3], row[4], row[5]) for row in rows)
            shapes = [(number, *shape) for shape, number in counted.most_common(LONGEST_TABLE)]
            output.table("shapes", ("recordings", *columns[:5]), shapes)
        else:
            output.table("recordings", ("recording", *columns), rows)
        for file, value in found.sums.items():
            output.text(f"content sum of {file}: {value}")
        for note in found.recordings.notes:
            output.text(f"{'doubt' if note.is_doubt else 'note'}: {note}")
