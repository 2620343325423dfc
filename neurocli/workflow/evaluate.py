"""Every score of a model beside its baselines, its ceiling and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options
from neurocli.workflow.evaluation_result import EvaluationResult
from neurocli.workflow.finding import RUNS_DIR, AnyRun, folder_of
from neurocli.workflow.messages import Listener, Reporter
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.runs.folder import RunFolder


def evaluate(
    run: AnyRun,
    *,
    data: Any = None,
    weights: AnyPath | None = None,
    controls: bool = False,
    options: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    device: str | None = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> EvaluationResult:
    """Score a run on its test groups, or on new data: the checkpoint with the lowest validation loss, without validation the last.

    run: a run, its folder, its name, or `latest`; with `weights` a model's name, whose weights were trained elsewhere; controls: also
    compare it with the model's controls, which are taken from the runs or trained now; options: of its `evaluate` section, over
    those of the run. The result is kept in the run.

    Raises UnknownName, ConfigError, DeviceError, DataError, LeakError where the data were trained on, or UsageError.

    >>> import neurocli
    >>> result = neurocli.evaluate("latest", options={"rivals": "none"})
    >>> sorted({score["name"] for score in result.scores})
    ['gat-lstm-v3', 'mean', 'persistence']
    """
    reporter, scoring = Reporter(progress), Options(sets=sets, values=options or {})
    if weights is not None:
        from neurocli.workflow.imported_weights import evaluate_weights

        return evaluate_weights(
            str(run), Path(weights), data, scoring, device, Path(runs_dir), reporter, controls=controls
        )
    result = _of_run(folder_of(run, runs_dir), data, scoring, device, reporter)
    if controls:
        from neurocli.workflow.controls import compare_controls

        result.controls = compare_controls(result, data, device, Path(runs_dir), reporter)
    return result


def _of_run(folder: RunFolder, data: Any, options: Options, device: str | None, reporter: Reporter) -> EvaluationResult:
    from neurocli.evaluation.evaluate import evaluate as score
    from neurocli.runs.lock import locked_if_writable
    from neurocli.runs.plain import plain
    from neurocli.runs.records import with_figure_sums, write_record
    from neurocli.workflow.data.reopening import trained_of_run
    from neurocli.workflow.unfinished import unfinished_note

    family, trained = trained_of_run(folder, data, device, reporter, options)
    failures = WriteFailures()
    with locked_if_writable(folder):
        figures = folder.figures / ("new-data" if data else "evaluation")
        with failures.figures():
            evaluation = score(family, trained, say=reporter.say, figures=figures)
        failures.leave_out(evaluation.exhibits)
        unfinished = unfinished_note(folder)
        if unfinished:
            evaluation.notes.append(unfinished)
        file = folder.path / ("evaluation-new-data.json" if data else "evaluation.json")
        missing = {"not_written": [error.where for error in failures.errors]} if failures.errors else {}
        with failures.file():
            write_record(file, with_figure_sums(plain(evaluation.as_dict() | missing)))
    return EvaluationResult(folder.name, folder.path, file, family, trained, evaluation, None, failures)
