"""The same training without what a model claims to use, and what the difference is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.config.resolve import resolve
from neurocli.errors import DataError, UsageError
from neurocli.evaluation.compare import Comparison, Contestant, compare
from neurocli.recordings.adapting import adapted
from neurocli.runs.folder import RunFolder, list_runs
from neurocli.workflow.data.leak_guard import refuse_changed, same_sums
from neurocli.workflow.data.reopening import trained_of_run
from neurocli.workflow.data.sources import recordings_of_run
from neurocli.workflow.messages import Reporter
from neurocli.workflow.train import Training, new_run
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.plugin.exhibit import Exhibit
    from neurocli.plugin.family import ModelFamily, TrainedModel
    from neurocli.workflow.evaluation_result import EvaluationResult


@dataclass
class ControlComparison:
    """A model and its controls on the same test groups.

    runs: control → folder of its run; comparison: scores of all, and of each control less the model; exhibits: what stands beside
    them and needs no training; group: what one test group is; n_groups: how many there are.
    """

    model: str
    runs: dict[str, str]
    comparison: Comparison
    exhibits: list[Exhibit]
    group: str
    n_groups: int
    failures: WriteFailures = field(default_factory=WriteFailures)

    def as_records(self) -> list[dict[str, Any]]:
        """The differences, a record each."""
        return [
            {
                "run": self.runs.get(d.name),
                "control": d.name,
                **{k: v for k, v in d.as_dict().items() if k != "name"},
            }
            for d in self.comparison.differences
        ]


def compare_controls(
    result: EvaluationResult, data: Any, device: str | None, runs_dir: Path, reporter: Reporter
) -> ControlComparison:
    """Find or train every control of a run that was scored, and compare them. Raises UsageError for a model without controls."""
    family, trained, folder = result.family, result.trained, RunFolder(result.path)
    controls = family.controls(trained.config)
    if not controls:
        raise UsageError(f"{family.card.name} has no controls", where="--controls", hint="leave it out")
    contestants = [Contestant(family.card.name, family, trained)]
    runs = {}
    for name, overrides in controls.items():
        run = _run_of(folder, family, trained, overrides, name, runs_dir, reporter)
        runs[name] = str(run.path)
        contestants.append(Contestant(name, family, trained_of_run(run, data, device, reporter)[1]))
    comparison = compare(contestants)
    reporter.say("computing nulls that need no training")
    failures = WriteFailures()
    with failures.figures():
        exhibits = family.control_exhibits(trained, folder.figures / "controls")
    failures.leave_out(exhibits)
    test = trained.dataset.split.test
    return ControlComparison(
        family.card.name, runs, comparison, exhibits, trained.dataset.group_name(), len(test), failures
    )


def _run_of(
    folder: RunFolder,
    family: ModelFamily,
    trained: TrainedModel,
    overrides: dict[str, Any],
    name: str,
    runs_dir: Path,
    reporter: Reporter,
) -> RunFolder:
    """The finished run of a control, or a new one, trained now on the run's own data."""
    values = {**trained.config.model_dump(mode="json")}
    config = resolve(type(trained.config), preset=("run", values), flags=overrides).config
    wanted_values = config.model_dump(mode="json")
    info = folder.read_info()
    for run in list_runs(runs_dir):
        if _is(run, family.card.name, wanted_values, info):
            reporter.say(f"{name}: using {run.name}")
            return run
    reporter.say(f"{name}: training")
    recordings = recordings_of_run(info, family, reporter)
    refuse_changed(info, recordings)
    dataset = adapted(family, recordings, config)
    run_info = {"data": info["data"], "preset": info.get("preset"), "control_of": folder.name, "control": name}
    run = new_run(runs_dir, family, config, dict.fromkeys(overrides, f"control of {folder.name}"), dataset, run_info)
    Training(family, config, dataset, run, False, []).fit(reporter)
    return run


def _is(run: RunFolder, model: str, config: dict[str, Any], info: dict[str, Any]) -> bool:
    """Whether a run has finished with that configuration on the same data."""
    try:
        run_info = run.read_info()
        same_model = (run_info.get("model"), run_info.get("status")) == (
            model,
            "finished",
        ) and run.read_config() == config
    except DataError:
        return False
    return bool(same_model and same_sums(run_info.get("data") or {}, info.get("data") or {}))
