"""All results of a run, as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.finding import RUNS_DIR, AnyRun, folder_of

if TYPE_CHECKING:
    from neurocli.report.page import Missing

_DOCTYPE = b"<!doctype html>"


@dataclass(frozen=True)
class Report:
    """A page that was written; missing: results that the run does not hold yet, with the command that makes each."""

    name: str
    run: Path
    path: Path
    missing: list[Missing]


def report(run: AnyRun, *, out: AnyPath | None = None, runs_dir: AnyPath = RUNS_DIR) -> Report:
    """Write all results of a run on one self-contained HTML page: scores, training, diagnosis, exhibits.

    out: the file, report.html in the run's folder by default. Raises UnknownName, UsageError, DataError or StorageError.
    """
    from neurocli.report.page import page_of
    from neurocli.report.render import render
    from neurocli.runs.atomic import write_text
    from neurocli.workflow.unfinished import state_of, unfinished_note

    folder = folder_of(run, runs_dir)
    path = folder.path / "report.html" if out is None else Path(out)
    check_place(path)
    # Without the lock: nobody else writes the page, and a run in training may have one too.
    state = state_of(folder, folder.read_info())
    # A name is found among ./runs only; a path, anywhere.
    called = folder.name if folder.path.parent.parent == RUNS_DIR.resolve() else str(folder.path)
    page = page_of(folder, status=state.in_words, unfinished=unfinished_note(folder), called=called)
    write_text(path, render(page))
    return Report(folder.name, folder.path, path, list(page.missing.values()))


def check_place(path: Path) -> None:
    """Refuse a folder, and a file that is no page: a name given by mistake must not cost a recording."""
    from neurocli.errors import UsageError
    from neurocli.runs.atomic import storage_errors

    with storage_errors(path):  # a name may be too long to ask
        exists, folder = path.is_file(), path.is_dir()
        if folder:
            raise UsageError("this is a folder, not a file", where=str(path), hint="name a file in it with --out")
        if exists:
            with path.open("rb") as file:
                start = file.read(64)
            if start.strip() and not start.lstrip().lower().startswith(_DOCTYPE):
                raise UsageError("the file exists and is not a report", where=str(path), hint="name another with --out")
