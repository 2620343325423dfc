"""`neuro fetch NAME`: published data sets, checked against their published sums; without NAME, what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.cli.options import Json
from neurocli.cli.output import Output
from neurocli.errors import UsageError


def fetch(
    name: Annotated[
        Optional[str],  # noqa: UP045  typer 0.15 reads this form only
        typer.Argument(help="The data set; without it, all that can be fetched are listed.", metavar="[NAME]"),
    ] = None,
    out: Annotated[Optional[Path], typer.Option("--out", help="Folder for the files; unset: the cache.")] = None,  # noqa: UP045
    address: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--address", help="Where the files lie, if not where they are published: a mirror."),
    ] = None,
    json: Json = False,
) -> None:
    """Download a published data set into the cache or a folder, verified; without a name, list them."""
    with Output("fetch", json=json) as output:
        from neurocli.workflow.data.fetch import data_sets
        from neurocli.workflow.data.fetch import fetch as download

        if name is None:
            if out is not None or address is not None:
                raise UsageError("no data set was named", where="NAME", hint="`neuro fetch` lists them")
            rows = data_sets()
            output.data["data_sets"] = rows
            shown = [(row["name"], row["summary"], "yes" if row["cached"] else "no") for row in rows]
            output.table("data sets", ("name", "summary", "in the cache"), shown)
            return
        result = download(name, out=out, address=address)
        output.data.update(result.as_dict())
        for file in result.files:
            output.text(str(file))
        output.say(f"next: {result.then}")
