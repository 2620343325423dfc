"""From nothing to a report in one call: a small set is simulated, and the family's newest model trained, scored and reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options, configured
from neurocli.workflow.demo_models import model_of, preset_of
from neurocli.workflow.finding import RUNS_DIR
from neurocli.workflow.messages import Listener, Reporter
from neurocli.workflow.report import Report
from neurocli.workflow.run import Run
from neurocli.workflow.simulate import Simulation
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.plugin.cards import ModelCard


@dataclass
class Demo:
    """What `demo` made or found.

    evaluation: as evaluation.json keeps it; reused: which of `simulation`, `run` and `evaluation` were there from an earlier call;
    failures: files that could not be written, beside the results.
    """

    simulation: Simulation
    run: Run
    evaluation: dict[str, Any]
    report: Report
    reused: list[str]
    failures: WriteFailures

    @property
    def verdict(self) -> str:
        """The main score beside its references, and what the difference allows to say."""
        from neurocli.report.scores import score_line, skill_lines

        return ". ".join([score_line(self.evaluation), *skill_lines(self.evaluation)])


def demo(
    family: str | None = None,
    *,
    out: AnyPath | None = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> Demo:
    """Simulate, train, evaluate and report on a small set. A second call resumes, and reuses what an earlier one finished.

    family: a family, a model or its alias, the first family by default; out: the page, report.html in the run's folder by default;
    runs_dir: the folder of runs, beside which the recordings are written, as SIMULATOR-demo.h5.

    Raises UnknownName, DataError where the model has no simulator, UsageError where a file is in the way, StorageError or Interrupted.

    >>> from neurocli.workflow.demo import demo
    >>> demo("eirnn").report.path.name
    'report.html'
    """
    from neurocli.errors import Interrupted
    from neurocli.workflow.report import check_place, report

    if out is not None:
        check_place(Path(out))  # before minutes go into what it is to show
    reporter, reused = Reporter(progress), []
    card = model_of(family)
    try:
        simulation, was_there = _simulated(card, Path(runs_dir).parent, reporter)
        reused += ["simulation"] if was_there else []
        run, was_there = _trained(card, simulation, runs_dir, reporter)
        reused += ["run"] if was_there else []
        failures = WriteFailures()
        failures.errors += simulation.failures.errors
        evaluation, was_there = _evaluated(run, failures, reporter)
        reused += ["evaluation"] if was_there else []
        page = report(run, out=out)
    except Interrupted as error:
        error.hint = "resume with the same command"
        raise
    return Demo(simulation, run, evaluation, page, reused, failures)


def _simulated(card: ModelCard, folder: Path, reporter: Reporter) -> tuple[Simulation, bool]:
    """The model's small set, and whether all of it was there."""
    from neurocli.errors import DataError, UsageError
    from neurocli.plugin.registry import load_implementation, registry
    from neurocli.workflow.simulate import simulate

    if card.simulator is None:
        raise DataError(
            f"{card.name} has no simulator, which a demo needs",
            where=card.name,
            hint=f"train it on your own data: neuro train {card.name} --data FILE",
        )
    simulator = registry().simulator(card.simulator)
    out = folder / f"{simulator.name}-demo.h5"
    before = out.stat().st_mtime_ns if out.is_file() else None
    try:
        simulation = simulate(
            simulator.name,
            runs=simulator.demo_runs or simulator.runs,
            out=out,
            preset=preset_of(load_implementation(simulator)(simulator)),
            progress=reporter.tell,
        )
    except UsageError as error:
        if error.where is not None and Path(error.where).resolve() == out.resolve():
            error.hint = "move the file, or run the command in another folder"
        raise
    return simulation, before is not None and out.stat().st_mtime_ns == before


def _trained(card: ModelCard, simulation: Simulation, runs_dir: AnyPath, reporter: Reporter) -> tuple[Run, bool]:
    """The newest run of the same model, options and data, resumed where it is not finished; else a new one."""
    from neurocli.errors import DataError
    from neurocli.plugin.registry import registry
    from neurocli.runs.folder import list_runs
    from neurocli.workflow.data.leak_guard import same_sums
    from neurocli.workflow.data.sources import sums
    from neurocli.workflow.train import resume, train

    family = registry().family(card.name)
    preset = preset_of(family)
    config, groups = configured(family, Options(preset)).config, sums(simulation.recordings)
    for folder in list_runs(Path(runs_dir)):
        run = Run(folder)
        try:
            matches = run.model == card.name and not folder.is_control and run.status != "failed"
            data = run.info["data"]
            matches = matches and same_sums(data, groups) and data["paths"] == [str(simulation.path.resolve())]
            if not matches or run.config != config:
                continue
        except (DataError, KeyError):  # damaged, or of a version with other options
            continue
        if run.status == "finished":
            reporter.say(f"{run.name} is already trained")
            return run, True
        reporter.say(f"resuming {run.name}")
        return resume(run, progress=reporter.tell), False
    return train(card.name, data=simulation.path, preset=preset, runs_dir=runs_dir, progress=reporter.tell), False


def _evaluated(run: Run, failures: WriteFailures, reporter: Reporter) -> tuple[dict[str, Any], bool]:
    """The scores of a run, and whether they were there."""
    from neurocli.errors import DataError
    from neurocli.runs.plain import plain
    from neurocli.workflow.evaluate import evaluate

    file = run.path / "evaluation.json"
    # An evaluation from before the training ended is of other weights.
    if file.is_file() and file.stat().st_mtime_ns >= run.folder.metrics_json.stat().st_mtime_ns:
        try:
            evaluation = run.result("evaluation")
            if not evaluation.get("not_written"):
                reporter.say(f"{run.name} is already evaluated")
                return evaluation, True
        except DataError:
            pass
    with reporter.stage("evaluating"):
        result = evaluate(run, progress=reporter.tell)
    failures.errors += result.failures.errors
    return plain(result.evaluation.as_dict()), False
