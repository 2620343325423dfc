"""What is wrong with data or with a trained model, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options, configured_family
from neurocli.workflow.finding import RUNS_DIR, AnyRun, folder_of
from neurocli.workflow.messages import Listener, Reporter
from neurocli.workflow.run import Run
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.diagnosis import Finding
    from neurocli.runs.folder import RunFolder


@dataclass
class Diagnosis:
    """What `diagnose` found, the worst first.

    subject: what was checked; protocol: how the run was split, None where data alone were checked; path, file: the run's folder
    and the JSON file in it, None for data alone; notes: what else the run has to say.

    >>> diagnosis.subject, diagnosis.path
    ('data for gat-lstm-v3', None)
    >>> [finding.verdict for finding in diagnosis.findings][:3]
    ['WARN', 'WARN', 'PASS']
    """

    subject: str
    findings: list[Finding]
    protocol: dict[str, Any] | None = None
    path: Path | None = None
    file: Path | None = None
    notes: list[str] = field(default_factory=list)
    failures: WriteFailures = field(default_factory=WriteFailures)

    def __post_init__(self) -> None:
        from neurocli.report.words import SEVERITY

        self.findings = sorted(self.findings, key=lambda f: SEVERITY.get(f.verdict, 0))

    @property
    def count(self) -> dict[str, int]:
        """PASS, WARN, FAIL → how many.

        >>> diagnosis.count["FAIL"]
        0
        """
        from neurocli.report.words import count_verdicts

        return count_verdicts(f.verdict for f in self.findings)

    @property
    def failed(self) -> list[Finding]:
        """Findings that make the scores meaningless until they are repaired.

        >>> diagnosis.failed
        []
        """
        return [f for f in self.findings if f.verdict == "FAIL"]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` shows and diagnosis.json keeps.

        >>> list(diagnosis.as_dict())
        ['subject', 'findings', 'count', 'protocol']
        """
        return {
            "subject": self.subject,
            "findings": [f.as_dict() for f in self.findings],
            "count": self.count,
            "protocol": self.protocol,
        }


def diagnose(
    subject: AnyRun | None = None,
    *,
    data: Any = None,
    preset: str | None = None,
    config: AnyPath | None = None,
    options: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    device: str | None = None,
    task: str | None = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> Diagnosis:
    """Check a model's data, or a run's data and its trained model.

    subject: a model's name, or a run, its folder, its name, or `latest`; preset, config, options, sets: of a model, since a run has
    its own; task: of a sequence model, where it is not its own; then no subject needs to be named. What is found of a run is kept in it.

    Raises UnknownName, UsageError, ConfigError, DeviceError, DataError or LeakError.

    >>> import neurocli
    >>> "better-than-baseline" in [f.check for f in neurocli.diagnose("latest").failed]  # it was trained for two steps
    True
    >>> diagnosis = neurocli.diagnose("gat-lstm", data="worms.h5")
    >>> diagnosis.findings[0].check, diagnosis.findings[0].advice
    ('isolated-nodes', 'none of their neighbours was recorded: attention adds nothing to their forecasts; record more neurons, or ignore them')
    """
    from neurocli.errors import UsageError

    reporter, given_options = Reporter(progress), Options(preset, config, sets, options or {}, task=task)
    if subject is None:
        subject = model_for(task)
    if not isinstance(subject, Run) and is_model(str(subject), Path(runs_dir)):
        if device is not None:  # checking data needs none, but a wrong one is a mistake all the same
            from neurocli.training.devices import resolve_device

            resolve_device(device, where="--device")
        return diagnose_data(str(subject), data, given_options, reporter)
    if given_options.given or task is not None:
        raise UsageError(
            "a run has its own options and its own task",
            where=" ".join(given_options.values) or "--preset, --config, --set",
            hint="leave them out, or name a model",
        )
    return diagnose_run(folder_of(subject, runs_dir), data, device, reporter)


def model_for(task: str | None) -> str:
    """The model that data of a task are held against where none is named. Raises UsageError without a task, or UnknownName."""
    from neurocli.errors import UsageError
    from neurocli.plugin.registry import registry

    if task is None:
        raise UsageError(
            "diagnose needs a MODEL, a RUN or a --task",
            where="neuro diagnose",
            hint="neuro models lists the models and tasks",
        )
    return registry().task(task).model


def is_model(name: str, runs_dir: Path) -> bool:
    """A known model, unless a run is meant; a name that is neither is reported with the nearest of both."""
    from neurocli.errors import UnknownName
    from neurocli.plugin.cards import ModelCard
    from neurocli.plugin.registry import registry
    from neurocli.runs.folder import RunFolder, list_runs

    plugins = registry()
    models = {card.name for card in plugins.cards(ModelCard)} | set(plugins.aliases())
    if name in models:
        return True
    try:
        RunFolder.find(runs_dir, name)
    except UnknownName:
        if name == "latest":
            raise
        names = [*models, *(run.name for run in list_runs(runs_dir))]
        raise UnknownName.among("model or run", name, names) from None
    return False


def diagnose_data(model: str, data: Any, options: Options, reporter: Reporter) -> Diagnosis:
    """Check data against what a model needs."""
    from neurocli.diagnosis.noted import note_findings
    from neurocli.workflow.data.sources import recordings_for

    family, resolved = configured_family(model, options)
    recordings, _ = recordings_for(family, resolved.config, data, reporter, warn=False)
    findings = [*note_findings(recordings.notes), *family.diagnose_data(recordings, resolved.config)]
    return Diagnosis(f"data for {family.card.name}", findings)


def diagnose_run(folder: RunFolder, data: Any, device: str | None, reporter: Reporter) -> Diagnosis:
    """Check a run's data and its model; the findings are kept in the run, or `failures` says why not."""
    from neurocli.diagnosis.noted import note_findings
    from neurocli.diagnosis.shared import check_trained
    from neurocli.evaluation.evaluate import evaluate
    from neurocli.runs.lock import locked_if_writable
    from neurocli.runs.plain import plain
    from neurocli.runs.records import write_record
    from neurocli.workflow.data.reopening import trained_of_run
    from neurocli.workflow.unfinished import unfinished_note

    family, trained = trained_of_run(folder, data, device, reporter, warn=False)
    with locked_if_writable(folder):
        unfinished = unfinished_note(folder)
        if unfinished:
            reporter.warn(unfinished)
        evaluation = evaluate(family, trained, say=reporter.say, only_main=True)
        run_findings = check_trained(trained, evaluation, validation_is_loss=family.validation_is_loss)
        run_findings += family.diagnose_model(trained)
        # What the run's own split says stands in place of what a fresh split of its data would.
        checked = {(f.check, f.subject) for f in run_findings}
        data_findings = family.diagnose_data(trained.dataset.recordings, trained.config)
        noted = note_findings(trained.dataset.recordings.notes)
        findings = [*noted, *(f for f in data_findings if (f.check, f.subject) not in checked), *run_findings]
        file = folder.path / ("diagnosis-new-data.json" if data else "diagnosis.json")
        notes = [unfinished] if unfinished else []
        diagnosis = Diagnosis(folder.name, findings, evaluation.protocol, folder.path, file, notes)
        with diagnosis.failures.file():
            write_record(file, plain({**diagnosis.as_dict(), "notes": notes}))
    return diagnosis
