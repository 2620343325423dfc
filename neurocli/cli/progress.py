"""Progress on stderr: a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from neurocli.cli.output import format_value, say, set_progress_console

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Give `steps` to whatever counts work, and `epoch` to a training.

    with Progress("simulating") as progress: simulate(..., progress=progress.steps)
    """

    def __init__(self, what: str, *, validation_is_loss: bool = True) -> None:
        self.what = what
        self._validation_is_loss = validation_is_loss
        self._bar: Any = None
        self._task: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr is not None and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            console = Console(stderr=True, highlight=False, markup=False)
            self._bar = progress.Progress(
                progress.TextColumn("{task.description}", markup=False),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(),
                progress.TextColumn("{task.fields[text]}", markup=False),
                console=console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=None, text="")
            set_progress_console(console)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        set_progress_console(None)
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def steps(self, done: int, total: int, text: str = "") -> None:
        """`done` of `total` is done; `text` says what."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, text=text)
        elif self._line_due(done >= total > 1):
            say(f"{self.what}: {done} of {total}" + (f", {text}" if text else ""))

    def epoch(self, row: dict[str, Any]) -> None:
        """One report of a training: event (batch or epoch), epoch, epochs, step, steps (of the whole training), losses."""
        text = f"epoch {row.get('epoch', 0)} of {row.get('epochs', 0)}  {self._losses(row)}".rstrip()
        ended = row.get("event") == "epoch"
        if self._bar is not None:
            self._bar.update(self._task, text=text)
            if row.get("steps"):
                self._bar.update(self._task, completed=row["step"], total=row["steps"])
        elif self._line_due(ended and row.get("epoch") == row.get("epochs")):
            say(f"{self.what}: {text}")

    def _losses(self, row: dict[str, Any]) -> str:
        """The losses of a row, named apart where they are not the same quantity."""
        same = self._validation_is_loss
        words = []
        if "train_loss" in row:
            words.append(f"{'train' if same else 'train loss'} {format_value(row['train_loss'])}")
        if "validation_loss" in row:
            what = "" if same else " (a score, lower is better)"
            words.append(f"validation {format_value(row['validation_loss'])}{what}")
        return "  ".join(words)

    def _line_due(self, last: bool) -> bool:
        now = time.monotonic()
        if last or now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            return True
        return False
