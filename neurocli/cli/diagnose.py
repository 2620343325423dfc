"""`neuro diagnose MODEL|RUN`: what is wrong with the data or with a trained model, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurocli.cli.options import RUNS, ConfigFile, Data, Device, Json, Preset, Root, Sets
from neurocli.cli.output import Output

if TYPE_CHECKING:
    from neurocli.diagnosis import Finding

_SEVERITY = {"FAIL": 0, "WARN": 1, "PASS": 2}


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
            findings, protocol, subject = _of_model(name, data, preset, config, sets, context)
        else:
            if preset is not None or config or sets or context.args:
                raise UsageError(
                    "a run has its own options",
                    where=" ".join(context.args) or "--preset, --config, --set",
                    hint="leave them out, or name a model",
                )
            findings, protocol, subject = _of_run(output, name, data, device, root)
        findings = sorted(findings, key=lambda f: _SEVERITY.get(f.verdict, 0))
        count = {verdict: sum(f.verdict == verdict for f in findings) for verdict in _SEVERITY}
        output.data.update(subject=subject, findings=[f.as_dict() for f in findings], count=count, protocol=protocol)
        rows = [(f.verdict, f.check, f.subject, f.value, f.threshold, f.advice) for f in findings]
        leaky = bool(protocol and protocol["leaky"])
        output.table(
            f"diagnosis of {subject}", ("", "check", "subject", "value", "threshold", "advice"), rows, leaky=leaky
        )
        output.text(", ".join(f"{n} {verdict}" for verdict, n in count.items()))
        if strict and count["FAIL"]:
            failed = ", ".join(f.check for f in findings if f.verdict == "FAIL")
            raise CheckFailed(
                f"{count['FAIL']} of {len(findings)} checks failed: {failed}",
                where=subject,
                hint="the table says what to do",
            )


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
    output: Output, name: str, data: Any, device: str | None, root: Path
) -> tuple[list[Finding], dict[str, Any], str]:
    from neurocli.cli.data import trained_of_run
    from neurocli.cli.unfinished import unfinished_note
    from neurocli.diagnosis.shared import check_trained
    from neurocli.evaluation.evaluate import evaluate
    from neurocli.runs.folder import RunFolder

    folder = RunFolder.find(root, name)
    family, trained, _ = trained_of_run(folder, data, device, root)
    unfinished = unfinished_note(folder)
    if unfinished:
        output.warn(unfinished)
    findings = list(family.diagnose_data(trained.data.recordings, trained.config))
    evaluation = evaluate(family, trained, say=output.say, only_main=True)
    findings += check_trained(trained, evaluation, validation_is_loss=family.validation_is_loss)
    findings += family.diagnose_model(trained)
    return findings, evaluation.protocol, folder.name
