"""What a trained model has learned, compared with what is known."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.finding import RUNS_DIR, AnyRun, folder_of
from neurocli.workflow.messages import Listener, Reporter
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.plugin.exhibit import Exhibit


@dataclass
class Interpretation:
    """What `interpret` shows: exhibits, each a table, a figure and the claims that its numbers allow.

    path, file: the run's folder and the JSON file in it; protocol: how the run was split; failures: files that could not be written.

    >>> recovery = next(exhibit for exhibit in shown.exhibits if exhibit.name == "recovery")
    >>> 0.5 < recovery.claims["auc"] <= 1  # how well the true edges are told from the others
    True
    """

    model: str
    name: str
    path: Path
    file: Path
    config: Any
    exhibits: list[Exhibit]
    notes: list[str]
    protocol: dict[str, Any]
    failures: WriteFailures = field(default_factory=WriteFailures)

    @property
    def files(self) -> list[Path]:
        """What was written.

        >>> [path.suffix for path in shown.files][:2]
        ['.json', '.png']
        """
        written = [self.file, *(e.figure for e in self.exhibits if e.figure)]
        return [path for path in written if path.is_file()]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` shows and interpretation.json keeps.

        >>> list(shown.as_dict())
        ['model', 'exhibits', 'notes', 'protocol']
        """
        return {
            "model": self.model,
            "exhibits": [e.as_dict() for e in self.exhibits],
            "notes": self.notes,
            "protocol": self.protocol,
        }


def interpret(
    run: AnyRun,
    *,
    data: Any = None,
    device: str | None = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> Interpretation:
    """Show what a run's model has learned, with controls beside every claim. The result is kept in the run.

    Raises UnknownName, DeviceError, DataError or LeakError.

    >>> import neurocli
    >>> shown = neurocli.interpret("latest")
    >>> shown.exhibits[0].title
    'Attention by layer and head, on the connectome'
    """
    from neurocli.runs.lock import locked_if_writable
    from neurocli.runs.plain import plain
    from neurocli.runs.records import with_figure_sums, write_record
    from neurocli.workflow.data.reopening import trained_of_run
    from neurocli.workflow.unfinished import unfinished_note

    folder = folder_of(run, runs_dir)
    family, trained = trained_of_run(folder, data, device, Reporter(progress))
    with locked_if_writable(folder):
        figures = folder.figures / "interpretation"
        with contextlib.suppress(OSError):  # whoever writes a figure says what is wrong
            figures.mkdir(parents=True, exist_ok=True)
        failures = WriteFailures()
        with failures.figures():
            exhibits = family.interpret(trained, figures)
        failures.leave_out(exhibits)
        notes = list(family.notes(trained.dataset, trained.config))
        unfinished = unfinished_note(folder)
        if unfinished:
            notes.append(unfinished)
        protocol = {**trained.dataset.split.as_dict(), "group": trained.dataset.group_name()}
        file = folder.path / "interpretation.json"
        interpretation = Interpretation(
            family.card.name, folder.name, folder.path, file, trained.config, exhibits, notes, protocol, failures
        )
        with failures.file():
            write_record(file, with_figure_sums(plain(interpretation.as_dict())))
    return interpretation
