"""Progress on stderr: a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from neurocli.cli.output import Output, format_value, say, set_progress_console
from neurocli.workflow.messages import Event

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """A listener that prints: messages and stages on stderr, notes among the results.

    with Output("train", json=json) as output: train(..., progress=Progress(output))
    """

    def __init__(self, output: Output | None = None) -> None:
        self.output = output
        self.stage = ""
        self._bar: Any = None
        self._task: Any = None
        self._last_line = time.monotonic()

    def __call__(self, event: Event) -> None:
        if event.kind == "message":
            say(event.text)
        elif event.kind == "warning" and self.output is not None:
            self.output.warn(event.text)
        elif event.kind == "warning":
            say(f"warning: {event.text}")
        elif event.kind == "note" and self.output is not None:
            self.output.text(f"note: {event.text}")
        elif event.kind == "began":
            self._begin(event.text)
        elif event.kind == "ended":
            self._end()
        elif event.kind == "steps":
            self._steps(event.done, event.total, event.text)
        elif event.kind == "epoch":
            self._epoch(event.row)

    def _begin(self, stage: str) -> None:
        self.stage, self._last_line = stage, time.monotonic()
        if sys.stderr is None or not sys.stderr.isatty():
            return
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
        self._task = self._bar.add_task(stage, total=None, text="")
        set_progress_console(console)

    def _end(self) -> None:
        set_progress_console(None)
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _steps(self, done: int, total: int, text: str) -> None:
        """`done` of `total` is done; `text` says what."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, text=text)
        elif self._line_due(done >= total > 1):
            say(f"{self.stage}: {done} of {total}" + (f", {text}" if text else ""))

    def _epoch(self, row: Mapping[str, Any]) -> None:
        """One report of a training: event (batch or epoch), epoch, epochs, step, steps (of the whole training), losses."""
        text = f"epoch {row.get('epoch', 0)} of {row.get('epochs', 0)}  {_losses(row)}".rstrip()
        ended = row.get("event") == "epoch"
        if self._bar is not None:
            self._bar.update(self._task, text=text)
            if row.get("steps"):
                self._bar.update(self._task, completed=row["step"], total=row["steps"])
        elif self._line_due(ended and row.get("epoch") == row.get("epochs")):
            say(f"{self.stage}: {text}")

    def _line_due(self, last: bool) -> bool:
        now = time.monotonic()
        if last or now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            return True
        return False


def _losses(row: Mapping[str, Any]) -> str:
    """The losses of a row, named apart where they are not the same quantity."""
    losses = []
    if "train_loss" in row:
        losses.append(f"training loss {format_value(row['train_loss'])}")
    if "validation_loss" in row:
        name = "validation loss" if row.get("validation_is_loss", True) else "validation error"
        losses.append(f"{name} {format_value(row['validation_loss'])}")
    return ", ".join(losses)
