"""`neuro diagnose MODEL|RUN`: what is wrong with the data or with a trained model, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from neurocli.cli.options import RUNS, ConfigFile, Data, Device, Json, Preset, RunsDir, Sets, Task
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress
from neurocli.cli.shortcuts import shortcuts_of_model

if TYPE_CHECKING:
    from neurocli.workflow.diagnose import Diagnosis


def diagnose(
    context: typer.Context,
    name: Annotated[
        Optional[str],  # noqa: UP045  typer 0.15 reads this form only
        typer.Argument(
            help="A model (the recordings are checked) or a run (its trained model is checked too); with --task it may be left out.",
            metavar="MODEL|RUN",
        ),
    ] = None,
    task: Task = None,
    data: Data = None,
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    device: Device = None,
    runs_dir: RunsDir = RUNS,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 4 if a check fails.")] = False,
    json: Json = False,
) -> None:
    """Check recordings or a trained model: each check gives PASS, WARN or FAIL, and advice."""
    with Output("diagnose", json=json) as output:
        from neurocli.errors import CheckFailed, UsageError
        from neurocli.workflow.diagnose import diagnose as check
        from neurocli.workflow.diagnose import is_model, model_for

        options = {}
        if name is None:
            name = model_for(task)
        if context.args:
            if not is_model(name, runs_dir):
                raise UsageError(
                    "a run has its own options",
                    where=" ".join(context.args),
                    hint="leave them out, or name a model",
                )
            options = shortcuts_of_model(context, name, task)
        diagnosis = check(
            name,
            data=data,
            preset=preset,
            config=config,
            options=options,
            sets=sets or (),
            device=device,
            task=task,
            runs_dir=runs_dir,
            progress=Progress(output),
        )
        if diagnosis.file is not None:
            output.data.update(
                run=str(diagnosis.path),
                name=diagnosis.subject,
                files=[str(diagnosis.file)] if diagnosis.file.is_file() else [],
            )
        try:
            _show(output, diagnosis, strict=strict)
        except CheckFailed:  # its exit code stands
            for error in diagnosis.failures.errors:
                output.warn(f"{error.message}: {error.where}")
            raise
        diagnosis.failures.report()


def _show(output: Output, diagnosis: Diagnosis, *, strict: bool) -> None:
    """Print findings, the worst first. Raises CheckFailed where one failed and `strict` says so."""
    from neurocli.errors import CheckFailed
    from neurocli.report.words import verdicts_in_words

    output.data.update(diagnosis.as_dict())
    findings, subject = diagnosis.findings, diagnosis.subject
    rows = [(f.verdict, f.check, f.subject, f.value, f.threshold, f.advice) for f in findings]
    leaky = bool(diagnosis.protocol and diagnosis.protocol["leaky"])
    output.table(f"diagnosis of {subject}", ("", "check", "subject", "value", "to pass", "advice"), rows, leaky=leaky)
    output.text(verdicts_in_words(diagnosis.count))
    if strict and diagnosis.failed:
        raise CheckFailed(
            f"{len(diagnosis.failed)} of {len(findings)} checks failed: {', '.join(f.check for f in diagnosis.failed)}",
            where=subject,
            hint="the column advice says what to do",
        )
