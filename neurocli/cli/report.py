"""`neuro report RUN`: what is known of a run, as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.cli.options import RUNS, Json, Run
from neurocli.cli.output import Output

_DOCTYPE = b"<!doctype html>"


def report(
    run: Run,
    out: Annotated[
        Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
        typer.Option("--out", help="The file to write; report.html in the run's folder without it.", metavar="FILE"),
    ] = None,
    root: Annotated[Path, typer.Option("--root", help="Folder that holds the runs.")] = RUNS,
    json: Json = False,
) -> None:
    """Write what is known of a run as one HTML page that opens anywhere: scores, training, diagnosis, exhibits."""
    with Output("report", json=json) as output:
        from neurocli.cli.unfinished import state_of, unfinished_note
        from neurocli.report.page import page_of
        from neurocli.report.render import render
        from neurocli.runs.atomic import write_text
        from neurocli.runs.folder import RunFolder

        folder = RunFolder.find(root, run)
        path = folder.path / "report.html" if out is None else out
        _check_place(path)
        # Without the lock: nobody else writes the page, and a run in training may have one too.
        state = state_of(folder, folder.read_info())
        # A name is found among ./runs only; a path, anywhere.
        called = folder.name if folder.path.parent.parent == RUNS.resolve() else str(folder.path)
        page = page_of(folder, status=state.words, unfinished=unfinished_note(folder), called=called)
        write_text(path, render(page))
        missing = list(page.missing.values())
        output.data.update(
            run=str(folder.path),
            name=folder.name,
            files=[str(path)],
            missing=[{"name": one.name, "command": one.command} for one in missing],
        )
        for one in missing:
            output.text(f"no {one.name} yet: {one.command}")
        output.text(f"written to {path}")


def _check_place(path: Path) -> None:
    """Refuse a folder, and a file that is no page: a name given by mistake must not cost a recording."""
    from neurocli.errors import UsageError
    from neurocli.runs.atomic import storage_errors

    with storage_errors(path):  # a name may be too long to ask
        there, folder = path.is_file(), path.is_dir()
        if folder:
            raise UsageError("this is a folder, not a file", where=str(path), hint="name a file in it with --out")
        if there:
            with path.open("rb") as file:
                start = file.read(64)
            if start.strip() and not start.lstrip().lower().startswith(_DOCTYPE):
                raise UsageError("the file exists and is not a report", where=str(path), hint="name another with --out")
