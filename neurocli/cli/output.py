"""What a command prints: its result on stdout and nothing else there; words about it on stderr.

    with Output("train", json=json) as out:
        out.say("…")            a line on stderr
        out.table(...)          a part of the result, unless --json
        out.data["run"] = ...   the same result for --json, printed as one envelope when the block ends

While the block runs, whatever else prints on stdout (a plugin, a library, a compiler) is sent to stderr.
"""

from __future__ import annotations

import contextlib
import io
import json as json_module
import os
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from neurocli.errors import NeuroError, Notice
from neurocli.report.words import clean as clean
from neurocli.report.words import format_value as format_value
from neurocli.report.words import with_interval as with_interval
from neurocli.runs.atomic import refusal
from neurocli.runs.plain import plain

SCHEMA = 1
LEAKY = "LEAKY"
_PIPED_WIDTH = 4000


class StdoutClosed(Exception):
    """Nobody reads our stdout any more (`neuro models | head -1`)."""


class Output:
    """The result of one command, as tables or as one JSON envelope."""

    def __init__(self, command: str, *, json: bool) -> None:
        self.command = command
        self.json = json
        self.data: dict[str, Any] = {}
        self._warnings: list[str] = []
        self._stdout: IO[str] | None = None
        self._restore = contextlib.ExitStack()
        self._started = _cpu_s()
        self._stderr: Any = None

    # -- the block -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Output:
        self._stdout = self._restore.enter_context(_stdout_for_results())
        self._restore.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always", Notice)
        warnings.showwarning = self._take  # type: ignore[assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._warnings:
            self.data["warnings"] = list(dict.fromkeys([*self._warnings, *self.data.get("warnings", [])]))
        try:
            if error is None and self.json:
                self.data["cpu_s"] = round(_cpu_s() - self._started, 3)
                self._write(envelope(self.command, data=self.data) + "\n")
            elif isinstance(error, NeuroError) and self.data:
                error.data = self.data  # type: ignore[attr-defined]
        finally:
            self._restore.close()

    # -- the result ----------------------------------------------------------------------------------------------

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        leaky: bool = False,
        note: str | None = None,
    ) -> None:
        """Print a table; a leaky split puts a red mark into its title."""
        if self.json:
            return
        from rich.table import Table
        from rich.text import Text

        heading = Text(clean(title), style="bold")
        if leaky:
            heading.append("  ").append(LEAKY, style="bold red")
        rows = [list(row) for row in rows]
        # A title wider than its table would be wrapped, so it is a line of its own.
        self._print(heading)
        table = Table(show_edge=False, pad_edge=False, header_style="bold")
        for number, column in enumerate(columns):
            numeric = any(_is_number(row[number]) for row in rows if number < len(row))
            table.add_column(Text(clean(column)), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(as_text(cell) for cell in row))
        self._print(table)
        if note:
            self._print(Text(clean(note), style="dim"))
        self._print(Text(""))

    def text(self, line: str = "", style: str = "") -> None:
        """Print a line of the result, unless --json."""
        if not self.json:
            from rich.text import Text

            self._print(Text(clean(line), style=style))

    def exhibits(self, exhibits: Iterable[Any], *, leaky: bool = False) -> None:
        """Print the tables of exhibits, and where their figures are."""
        for exhibit in exhibits:
            if exhibit.table is not None:
                self.table(
                    exhibit.title, exhibit.table.columns, exhibit.table.rows, leaky=leaky, note=exhibit.table.note
                )
            elif not exhibit.figure:
                self.text(exhibit.title, "bold")
            for name, value in exhibit.claims.items():
                if (
                    isinstance(value, (str, int, float)) and exhibit.table is None
                ):  # a table says it already; --json has all
                    self.text(f"{name}: {format_value(value)}")
            if exhibit.figure:
                self.text(f"figure: {exhibit.figure}", "dim")

    def _print(self, content: Any) -> None:
        if self._stdout is None:
            return
        from rich.console import Console

        terminal, text = self._stdout.isatty(), io.StringIO()
        # Not to stdout itself: where nobody reads it, rich would end the process, and with a code of its own.
        console = Console(
            file=text,
            highlight=False,
            markup=False,
            emoji=False,
            force_terminal=terminal,
            width=None if terminal else _PIPED_WIDTH,
        )
        console.print(content, soft_wrap=False)
        self._write(text.getvalue())

    def _write(self, text: str) -> None:
        if self._stdout is not None:
            with _closed_stdout():
                self._stdout.write(text)
                self._stdout.flush()

    # -- words about it ------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """A line on stderr."""
        say(line)

    def warn(self, line: str) -> None:
        """A warning on stderr, and among the envelope's `warnings`."""
        self._warnings.append(line)
        say(f"warning: {line}")

    def _take(self, message: Warning | str, *_: Any) -> None:
        """A warning of ours or of a library, without the line of code that Python shows."""
        if isinstance(message, Notice):
            if str(message) not in self._warnings:
                self.warn(str(message))
        else:
            say(f"warning: {message}")


_progress_console: Any = None


def say(line: str) -> None:
    """A line on stderr, above a progress bar where there is one. A closed stderr never stops the work."""
    with contextlib.suppress(OSError, ValueError):
        if _progress_console is not None:
            from rich.text import Text

            _progress_console.print(Text(clean(line)))
        elif sys.stderr is not None:
            sys.stderr.write(clean(line) + "\n")
            sys.stderr.flush()


def set_progress_console(console: Any) -> None:
    """While a progress bar is drawn, lines go through its console."""
    global _progress_console
    _progress_console = console


def envelope(command: str, *, data: dict[str, Any] | None = None, error: dict[str, Any] | None = None) -> str:
    """The one JSON object that `--json` prints."""
    content: dict[str, Any] = {"schema": SCHEMA, "command": command, "ok": error is None}
    if data is not None:
        content["data"] = data
    if error is not None:
        content["error"] = error
    return json_module.dumps(plain(content), allow_nan=False, ensure_ascii=False)


def print_envelope(text: str) -> None:
    """Write an envelope on stdout, outside of a command's block."""
    if sys.stdout is not None:
        with _closed_stdout():
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def as_text(cell: Any) -> Any:
    """A table's cell; verdicts and marks carry their colour."""
    from rich.text import Text

    styles = {
        "PASS": "green",
        "WARN": "yellow",
        "FAIL": "bold red",
        "broken": "bold red",
        "ok": "green",
        LEAKY: "bold red",
        "missing": "bold red",
    }
    text = clean(format_value(cell))
    return Text(text, style=styles.get(text, ""))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _cpu_s() -> float:
    """CPU seconds of this process and its finished children."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


@contextlib.contextmanager
def _closed_stdout() -> Any:
    try:
        yield
    except BrokenPipeError:
        raise StdoutClosed from None
    except OSError as error:  # `neuro models > file` on a full disk
        raise (refusal(error, "standard output") or error) from None


@contextlib.contextmanager
def _stdout_for_results() -> Any:
    """Give a stream that reaches the true stdout, and send everything else that is printed there to stderr."""
    before = sys.stdout
    try:
        if before is None or before.fileno() != 1:
            raise OSError
        before.flush()
        saved = os.dup(1)
    except BrokenPipeError:
        raise StdoutClosed from None
    except (OSError, ValueError, AttributeError):  # stdout is closed, or a test's own object
        with contextlib.redirect_stdout(sys.stderr):
            yield before
        return
    stream = os.fdopen(saved, "w", encoding=before.encoding, errors="replace")
    try:
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield stream
    finally:
        with contextlib.suppress(OSError):
            before.flush()
        os.dup2(saved, 1)
        with contextlib.suppress(OSError):
            stream.close()


def paths(items: Iterable[Path | str]) -> list[str]:
    """Paths as JSON shows them."""
    return [str(item) for item in items]
