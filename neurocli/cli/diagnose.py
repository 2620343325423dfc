"""`neuro diagnose MODEL|RUN`: what is wrong with the data or with a trained model, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurocli.cli.options import RUNS, ConfigFile, Data, Device, Json, Preset, Root, Sets
from neurocli.cli.output import Output, plain
from neurocli.report.words import SEVERITY, count_verdicts, verdicts_in_words

if TYPE_CHECKING:
    from neurocli.cli.lost import Lost
    from neurocli.diagnosis import Finding
    from neurocli.runs.folder import RunFolder


def diagnose(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="A model (its data are checked) or a run (its model is checked too).", metavar="MODEL|RUN"),
    ],
    data: Data = None,
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    device: Device = None,
    root: Root = RUNS,
    strict: Annotated[bool, typer.Option("--strict", help="End with code 4 where a check fails.")] = False,
    json: Json = False,
) -> None:
    """Check data, and a trained model: PASS, WARN or FAIL, with an advice."""
    with Output("diagnose", json=json) as output:
        from neurocli.errors import CheckFailed, UsageError

        if _is_model(name, root):
            if device is not None:  # checking data needs none, but a wrong one is a mistake all the same
                from neurocli.training.devices import resolve_device

                resolve_device(device, where="--device")
            _show(output, *_of_model(name, data, preset, config, sets, context), strict=strict)
            return
        if preset is not None or config or sets or context.args:
            raise UsageError(
                "a run has its own options",
                where=" ".join(context.args) or "--preset, --config, --set",
                hint="leave them out, or name a model",
            )
        from neurocli.cli.lost import Lost
        from neurocli.runs.folder import RunFolder

        folder, lost = RunFolder.find(root, name), Lost()
        findings, protocol = _of_run(output, folder, data, device, root, lost)
        try:
            _show(output, findings, protocol, folder.name, strict=strict)
        except CheckFailed:  # its exit code stands
            for error in lost.errors:
                output.warn(f"{error.message}: {error.where}")
            raise
        lost.report()


def _show(
    output: Output, findings: list[Finding], protocol: dict[str, Any] | None, subject: str, *, strict: bool
) -> None:
    """Print findings, the worst first. Raises CheckFailed where one failed and `strict` says so."""
    from neurocli.errors import CheckFailed

    result = _as_dict(findings, protocol, subject)
    count = result["count"]
    output.data.update(result)
    findings = _sorted(findings)
    rows = [(f.verdict, f.check, f.subject, f.value, f.threshold, f.advice) for f in findings]
    leaky = bool(protocol and protocol["leaky"])
    output.table(f"diagnosis of {subject}", ("", "check", "subject", "value", "to pass", "advice"), rows, leaky=leaky)
    output.text(verdicts_in_words(count))
    if strict and count["FAIL"]:
        failed = ", ".join(f.check for f in findings if f.verdict == "FAIL")
        raise CheckFailed(
            f"{count['FAIL']} of {len(findings)} checks failed: {failed}",
            where=subject,
            hint="the table says what to do",
        )


def _as_dict(findings: list[Finding], protocol: dict[str, Any] | None, subject: str) -> dict[str, Any]:
    """What `--json` shows and diagnosis.json keeps."""
    ordered = _sorted(findings)
    return {
        "subject": subject,
        "findings": [f.as_dict() for f in ordered],
        "count": count_verdicts(f.verdict for f in ordered),
        "protocol": protocol,
    }


def _sorted(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: SEVERITY.get(f.verdict, 0))


def _is_model(name: str, root: Path) -> bool:
    """A known model, unless a run is meant; a name that is neither is reported with the nearest of both."""
    from neurocli.errors import UnknownName
    from neurocli.plugin.cards import ModelCard
    from neurocli.plugin.registry import registry
    from neurocli.runs.folder import RunFolder, list_runs

    found = registry()
    models = {card.name for card in found.cards(ModelCard)} | set(found.aliases())
    if name in models:
        return True
    try:
        RunFolder.find(root, name)
    except UnknownName:
        if name == "latest":
            raise
        raise UnknownName.among("model or run", name, [*models, *(run.name for run in list_runs(root))]) from None
    return False


def _of_model(
    name: str, data: Any, preset: str | None, config: Path | None, sets: list[str] | None, context: typer.Context
) -> tuple[list[Finding], None, str]:
    from neurocli.cli.data import recordings_for
    from neurocli.cli.train import family_config

    family, resolved = family_config(name, preset, config, sets, None, context)
    recordings, _ = recordings_for(family, resolved.config, data)
    return list(family.diagnose_data(recordings, resolved.config)), None, f"the data of {family.card.name}"


def _of_run(
    output: Output, folder: RunFolder, data: Any, device: str | None, root: Path, lost: Lost
) -> tuple[list[Finding], dict[str, Any]]:
    """Check a run's data and its model; the findings are kept in the run, or `lost` says why not."""
    from neurocli.cli.data import trained_of_run
    from neurocli.cli.unfinished import unfinished_note
    from neurocli.diagnosis.shared import check_trained
    from neurocli.evaluation.evaluate import evaluate
    from neurocli.runs.atomic import write_json
    from neurocli.runs.lock import locked

    family, trained, _ = trained_of_run(folder, data, device, root)
    with locked(folder):
        unfinished = unfinished_note(folder)
        if unfinished:
            output.warn(unfinished)
        evaluation = evaluate(family, trained, say=output.say, only_main=True)
        of_run = check_trained(trained, evaluation, validation_is_loss=family.validation_is_loss)
        of_run += family.diagnose_model(trained)
        # What the run's own split says stands in place of what a fresh split of its data would.
        said = {(f.check, f.subject) for f in of_run}
        of_data = family.diagnose_data(trained.data.recordings, trained.config)
        findings = [*(f for f in of_data if (f.check, f.subject) not in said), *of_run]
        kept = folder.path / ("diagnosis-new-data.json" if data else "diagnosis.json")
        result = {**_as_dict(findings, evaluation.protocol, folder.name), "notes": [unfinished] if unfinished else []}
        with lost.file():
            write_json(kept, plain(result))
    output.data.update(run=str(folder.path), name=folder.name, files=[str(kept)] if kept.is_file() else [])
    return findings, evaluation.protocol
