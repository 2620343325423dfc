"""Every score of a model beside its baselines, its ceiling and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options
from neurocli.workflow.messages import Listener, Reporter
from neurocli.workflow.run import RUNS_DIR, Run, folder_of
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.evaluation.evaluate import Evaluation
    from neurocli.plugin.exhibit import Exhibit
    from neurocli.plugin.family import ModelFamily, Trained
    from neurocli.runs.folder import RunFolder
    from neurocli.workflow.controls import ControlComparison


@dataclass
class EvaluationResult:
    """What `evaluate` found.

    name: of the run, or of the weights' file; path: folder of the result; kept: its JSON file; trained: the model that was scored;
    controls: what a comparison with controls found, where it was asked for; failures: files that could not be written.
    """

    name: str
    path: Path
    kept: Path
    family: ModelFamily
    trained: Trained
    evaluation: Evaluation
    controls: ControlComparison | None = None
    failures: WriteFailures = field(default_factory=WriteFailures)

    @property
    def config(self) -> Any:
        return self.trained.config

    @property
    def scores(self) -> list[dict[str, Any]]:
        """Every score, a record each, as in --json."""
        from neurocli.runs.plain import plain

        return list(plain(self.evaluation.as_dict()["scores"]))

    @property
    def verdict(self) -> str:
        """The main score beside its references, and what the difference allows to say."""
        from neurocli.report.scores import score_line, skill_lines

        found = self.evaluation.as_dict()
        return ". ".join([score_line(found), *skill_lines(found)])

    @property
    def exhibits(self) -> list[Exhibit]:
        return self.evaluation.exhibits

    @property
    def files(self) -> list[Path]:
        """What was written."""
        written = [self.kept, *(e.figure for e in self.exhibits if e.figure)]
        return [path for path in written if path.is_file()]


def evaluate(
    run: Run | AnyPath,
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
    """Score a run's best checkpoint (chosen on validation groups; without any, the last) on its test groups, or on new data.

    run: a run, its folder, its name, or `latest`; with `weights` a model's name, whose weights were trained elsewhere; controls: also
    hold it against the model's controls, which are found among the runs or trained now; options: of its `evaluate` section, over
    those of the run. The result is kept in the run.

    Raises UnknownName, ConfigError, DeviceError, DataError, LeakError where the data were trained on, or UsageError.

    >>> import neurocli
    >>> result = neurocli.evaluate("latest")  # doctest: +SKIP
    >>> pandas.DataFrame(result.scores).query("metric == 'RMSE'")  # doctest: +SKIP
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
    from neurocli.runs.atomic import write_json
    from neurocli.runs.lock import locked
    from neurocli.runs.plain import plain
    from neurocli.workflow.reopening import trained_of_run
    from neurocli.workflow.unfinished import unfinished_note

    family, trained = trained_of_run(folder, data, device, reporter, options)
    failures = WriteFailures()
    with locked(folder):
        figures = folder.figures / ("new-data" if data else "evaluation")
        with failures.figures():
            found = score(family, trained, say=reporter.say, figures=figures)
        failures.leave_out(found.exhibits)
        unfinished = unfinished_note(folder)
        if unfinished:
            found.notes.append(unfinished)
        kept = folder.path / ("evaluation-new-data.json" if data else "evaluation.json")
        with failures.file():
            write_json(kept, plain(found.as_dict()))
    return EvaluationResult(folder.name, folder.path, kept, family, trained, found, None, failures)
