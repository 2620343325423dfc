"""What the report of a run says: plain text from the files of the run folder, ready to be laid out."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurocli.errors import DataError, Notice
from neurocli.report import scores
from neurocli.report.about import Part, options_of, parts_of, provenance_of, sources_of
from neurocli.report.pictures import forest, kept_figure, training_curve, watched_figures
from neurocli.report.scores import Sheet
from neurocli.report.words import SEVERITY, clean, count_verdicts, format_value, verdicts_in_words
from neurocli.runs.folder import RunFolder
from neurocli.runs.records import FIGURE_SUM, read_record
from neurocli.training.history import checked_history

RESULTS = {"evaluation": "evaluate", "interpretation": "interpret", "diagnosis": "diagnose"}
"""Results that a run may hold as NAME.json, and the command that makes each."""
LONGEST_CLAIM = 8
_NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?( \[.*\])?")


@dataclass(frozen=True)
class Missing:
    """A result that the run does not hold yet, and the command that makes it."""

    name: str
    command: str


@dataclass(frozen=True)
class Grid:
    """A table whose cells are text; numeric: which columns hold numbers; kinds: of each row, for its looks."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    kinds: list[str]
    note: str | None = None


@dataclass(frozen=True)
class Figure:
    """A picture as an address that holds it, or the reason why there is none."""

    title: str
    uri: str | None
    lost: str | None = None


@dataclass(frozen=True)
class Shown:
    """An exhibit."""

    title: str
    figure: Figure | None
    grid: Grid | None
    claims: list[tuple[str, str]]


@dataclass
class Page:
    """All that a report says. What is not there yet is in `missing`, and its part is None."""

    model: str
    name: str
    status: str
    created: str
    leaky: bool
    split: str
    unfinished: str | None
    missing: dict[str, Missing] = field(default_factory=dict)
    verdict: list[str] = field(default_factory=list)
    scores: list[Grid] | None = None
    skill: list[str] = field(default_factory=list)
    forest: Figure | None = None
    training: str = ""
    curve: Figure | None = None
    watched: list[Figure] = field(default_factory=list)
    verdicts: str = ""
    findings: Grid | None = None
    passed: Grid | None = None
    evaluated: list[Shown] | None = None
    interpreted: list[Shown] | None = None
    sources: Grid | None = None
    parts: list[Part] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    options: Grid | None = None
    provenance: Grid | None = None


def page_of(run: RunFolder, *, status: str, unfinished: str | None, called: str | None = None) -> Page:
    """What there is to say of a run.

    status and unfinished: as other commands put them in words; called: what the run is called in the commands that the
    page advises, its name where nothing is said.

    Raises DataError that names the file, where one is damaged.
    """
    info = run.read_info()
    split = info.get("split") or {}
    page = Page(
        model=clean(info["model"]),
        name=clean(run.name),
        status=clean(status),
        created=_moment(info.get("created")),
        leaky=bool(split.get("leaky")),
        split=clean(split.get("split") or "–"),
        unfinished=clean(unfinished) if unfinished else None,
    )
    name = shlex.quote(called or run.name)
    advice = {result: f"neuro {command} {name}" for result, command in RESULTS.items()}
    _add_training(page, run, f"neuro train --resume {name} writes it again")
    results = {result: _result(page, run, result, advice[result]) for result in RESULTS}

    def reading(result: str) -> contextlib.AbstractContextManager[None]:
        return _sound(run.path / f"{result}.json", f"make it again: {advice[result]}")

    with reading("evaluation"):
        _add_evaluation(page, run, results["evaluation"])
    with reading("diagnosis"):
        _add_diagnosis(page, results["diagnosis"])
    with reading("interpretation"):
        _add_interpretation(page, run, results["interpretation"])
    provenance = read_record(run.provenance) if run.provenance.exists() else {}
    if not provenance and "id" in info:
        _say(page, f"{run.provenance} is missing: what the run was made with is not known")
    with _sound(run.info, "the run is damaged: restore the file, or train a new run"):
        page.parts = parts_of(info)
        page.options = grid(options_of(run.read_config(), info.get("origins") or {}))
    with _sound(run.provenance, "restore the file, or remove it"):
        page.sources = grid(sources_of(info, provenance))
        page.provenance = grid(provenance_of(provenance)) if provenance else None
    page.warnings += [clean(str(line)) for line in (info.get("data") or {}).get("doubts") or []]
    page.notes = list(dict.fromkeys(page.notes))
    page.warnings = list(dict.fromkeys(page.warnings))
    return page


def grid(sheet: Sheet) -> Grid:
    """A table as text."""
    rows = [[clean(format_value(cell)) for cell in row] for row in sheet.rows]
    columns = [clean(column) for column in sheet.columns]
    cells = [[row[n] for row in rows if n < len(row) and row[n] != "–"] for n in range(len(columns))]
    numeric = [bool(column) and all(_NUMBER.fullmatch(cell) for cell in column) for column in cells]
    kind = columns.index("kind") if "kind" in columns else None
    kinds = ["" if kind is None or kind >= len(row) else row[kind] for row in rows]
    return Grid(clean(sheet.title), columns, rows, numeric, kinds, clean(sheet.note) if sheet.note else None)


# -- the parts ---------------------------------------------------------------------------------------------------


def _add_training(page: Page, run: RunFolder, hint: str) -> None:
    rows, fault = checked_history(run.metrics_csv)
    if fault is not None:
        _say(page, fault)
    summary = read_record(run.metrics_json) if run.metrics_json.exists() else {}
    if not summary and page.status == "finished":
        _say(page, f"{run.metrics_json} is missing; {hint}")
    if not rows:
        page.training = "No epoch has finished." if fault is None else "The losses of its epochs are lost."
        return
    with _sound(run.metrics_json, hint):
        best = summary.get("best_epoch")
        if best is None:
            with_validation = [row for row in rows if row.get("validation_loss") is not None]
            best = min(with_validation, key=lambda row: row["validation_loss"])["epoch"] if with_validation else None
        best = None if best is None else int(best)
        parts_of_text = [f"{len(rows)} epochs" if len(rows) != 1 else "1 epoch"]
        if best is not None:
            parts_of_text.append(f"best epoch {best}")
        for key, template in (
            ("best_validation_loss", "lowest validation loss {}"),
            ("parameters", "{} parameters"),
            ("cpu_s", "{} CPU-seconds"),
        ):
            if summary.get(key) is not None:
                parts_of_text.append(template.format(format_value(summary[key])))
        page.training = clean(", ".join(parts_of_text)) + "."
        uri = training_curve(rows, best)
    epoch, figures = watched_figures(run.path)
    page.watched = [Figure(f"{title}, epoch {epoch}", uri, lost) for title, uri, lost in figures]
    page.curve = Figure(f"Training and validation loss of {page.name} by epoch", uri, None) if uri else None


def _add_evaluation(page: Page, run: RunFolder, evaluation: dict[str, Any] | None) -> None:
    if evaluation is None:
        page.verdict.append(f"Not evaluated yet; run: {page.missing['evaluation'].command}")
        return
    page.leaky = page.leaky or bool(evaluation["protocol"]["leaky"])
    page.skill = [clean(line) for line in scores.skill_lines(evaluation)]
    page.verdict += [clean(scores.score_line(evaluation)), _sentence(page.skill[0])]
    sheets = [scores.scoreboard(evaluation, page.name), scores.differences(evaluation), scores.horizons(evaluation)]
    page.scores = [grid(sheet) for sheet in (*sheets, *scores.subsets(evaluation)) if sheet is not None]
    title = f"{scores.heading(evaluation['metrics'][0])}, {scores.target_in_words(evaluation['targets'][0])}"
    uri = forest(scores.main_scores(evaluation), title)
    page.forest = Figure(f"{clean(title)}: model, baselines, controls and ceiling", uri) if uri else None
    page.evaluated = [_shown(run, exhibit) for exhibit in evaluation["exhibits"]]
    page.warnings += [clean(line) for line in evaluation["warnings"]]
    page.notes += [clean(line) for line in evaluation["notes"]]


def _add_diagnosis(page: Page, diagnosis: dict[str, Any] | None) -> None:
    if diagnosis is None:
        page.verdict.append(f"Not diagnosed yet; run: {page.missing['diagnosis'].command}")
        return
    findings = sorted(diagnosis["findings"], key=lambda f: SEVERITY.get(f["verdict"], 0))
    page.verdicts = verdicts_in_words(count_verdicts(f["verdict"] for f in findings))
    page.verdict.append(f"Diagnosis: {page.verdicts}")
    columns = ["verdict", "check", "subject", "value", "to pass", "advice"]
    keys = ["verdict", "check", "subject", "value", "threshold", "advice"]
    rows = [[f[key] for key in keys] for f in findings]
    page.findings = grid(Sheet("", columns, [row for row in rows if row[0] != "PASS"]))
    # What passed has no advice.
    page.passed = grid(Sheet("", columns[:-1], [row[:-1] for row in rows if row[0] == "PASS"]))
    page.notes += [clean(line) for line in diagnosis["notes"]]


def _add_interpretation(page: Page, run: RunFolder, interpretation: dict[str, Any] | None) -> None:
    if interpretation is not None:
        page.interpreted = [_shown(run, exhibit) for exhibit in interpretation["exhibits"]]
        page.notes += [clean(line) for line in interpretation["notes"]]


def _shown(run: RunFolder, exhibit: dict[str, Any]) -> Shown:
    title, table = clean(exhibit["title"]), exhibit["table"]
    figure = (
        Figure(title, *kept_figure(run.path, exhibit["figure"], exhibit.get(FIGURE_SUM))) if exhibit["figure"] else None
    )
    return Shown(
        title=title,
        figure=figure,
        grid=grid(Sheet(title, table["columns"], table["rows"], table["note"])) if table else None,
        claims=[(clean(name), _claim(value)) for name, value in exhibit["claims"].items()],
    )


def _claim(value: Any) -> str:
    if isinstance(value, (list, dict)) and len(value) > LONGEST_CLAIM:
        return f"{len(value)} values, in the run's JSON file"
    return clean(format_value(value))


def _sentence(line: str) -> str:
    return line[:1].upper() + line[1:]


def _say(page: Page, line: str) -> None:
    """A warning on the page, and on the screen."""
    page.warnings.append(clean(line))
    warnings.warn(line, Notice, stacklevel=3)


def _moment(created: str | None) -> str:
    """`2026-11-21 13:58 UTC`"""
    try:
        moment = datetime.datetime.fromisoformat(created or "")
    except ValueError:
        return clean(created or "–")
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


# -- files that may be damaged -----------------------------------------------------------------------------------


def _result(page: Page, run: RunFolder, name: str, command: str) -> dict[str, Any] | None:
    """The content of NAME.json; None where there is none, which the page then says."""
    path = run.path / f"{name}.json"
    if not os.path.lexists(path):
        page.missing[name] = Missing(name, command)
        return None
    try:
        return read_record(path)
    except DataError as error:
        error.hint = f"make it again: {command}"
        raise


@contextlib.contextmanager
def _sound(path: Path, hint: str) -> Iterator[None]:
    """Values out of a file that are not what they should be become a DataError that names it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        message = "the file is damaged, or was written by another version"
        raise DataError(message, where=str(path), hint=hint) from error
