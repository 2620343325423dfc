"""`neuro train MODEL`: one training in one run folder, which survives being killed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from neurocli.cli.options import RUNS, ConfigFile, Data, Device, Json, Preset, Root, Sets
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress

if TYPE_CHECKING:
    from neurocli.config.resolve import Resolved
    from neurocli.plugin.family import ModelFamily


def train(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Model, as `neuro models` lists them.", metavar="MODEL")] = None,
    data: Data = None,
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    device: Device = None,
    seed: Annotated[Optional[int], typer.Option("--seed", help="Seed of weights and batch order (train.seed).")] = None,  # noqa: UP045
    split: Annotated[Optional[str], typer.Option("--split", help="Split protocol (data.split).")] = None,  # noqa: UP045
    out: Root = RUNS,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Carry on with this run: a folder, a name, or `latest`.", metavar="RUN"),
    ] = None,
    json: Json = False,
) -> None:
    """Train a model into a new run, or carry on with one.

    Any option of the model may be given by its own name, as in --epochs 50; `neuro models show MODEL` lists them.
    """
    with Output("train", json=json) as output:
        flags = {"train.seed": seed, "train.device": device, "data.split": split}
        if resume is not None:
            family, chosen, module, run = _resumed(resume, out, model, data, preset, config, sets, flags, context)
        else:
            family, chosen, module, run = _begun(model, out, data, preset, config, sets, flags, context)
        output.data.update(run=str(run.path), name=run.name, model=family.card.name)
        output.data["notes"] = list(family.notes(module, chosen))
        for line in output.data["notes"]:  # before minutes go into training on the wrong thing
            output.text(f"note: {line}")
        summary = fit_run(family, chosen, module, run, resume=resume is not None)
        _show(output, family, chosen, module, run, summary)


def family_config(
    model: str,
    preset: str | None,
    file: Path | None,
    sets: list[str] | None,
    flags: Mapping[str, Any] | None = None,
    context: typer.Context | None = None,
) -> tuple[ModelFamily, Resolved[Any]]:
    """A family and its configuration from all layers; options in `context` by their own names.

    Raises UnknownName, ConfigError or UsageError.
    """
    from neurocli.cli.shortcuts import shortcuts
    from neurocli.config.resolve import option_keys, read_preset, resolve
    from neurocli.errors import ConfigError
    from neurocli.plugin.registry import registry

    family = registry().family(model)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    if context is not None:
        own = [option for parameter in context.command.params for option in parameter.opts]
        given |= shortcuts(context.args, family.Config, own)
    missing = sorted(given.keys() - set(option_keys(family.Config)))
    if missing:
        raise ConfigError(
            f"{family.card.name} has no option {missing[0]}",
            where=f"--{missing[0].rpartition('.')[2]}",
            hint=f"neuro models show {family.card.name}",
        )
    layers = read_preset(family.presets, preset) if preset is not None else None
    return family, resolve(family.Config, preset=layers, file=file, sets=sets or (), flags=given)


def _begun(
    model: str | None,
    root: Path,
    data: Any,
    preset: str | None,
    file: Path | None,
    sets: list[str] | None,
    flags: Mapping[str, Any],
    context: typer.Context,
) -> tuple[ModelFamily, Any, Any, Any]:
    from neurocli.cli.data import fingerprints, recordings_for
    from neurocli.errors import UsageError
    from neurocli.recordings.adapting import adapted

    if model is None:
        raise UsageError(
            "train needs a MODEL, or --resume RUN", where="neuro train", hint="neuro models lists the models"
        )
    family, resolved = family_config(model, preset, file, sets, flags, context)
    from neurocli.training.devices import resolve_device

    asked = "--device" if flags["train.device"] is not None else "train.device"
    resolve_device(resolved.config.train.device, where=asked)  # before minutes go into data
    recordings, source = recordings_for(family, resolved.config, data)
    module = adapted(family, recordings, resolved.config)
    run = new_run(
        root,
        family,
        resolved.config,
        resolved.origins,
        module,
        {"data": {**source, "fingerprints": fingerprints(recordings)}, "preset": preset},
    )
    return family, resolved.config, module, run


def new_run(
    root: Path, family: ModelFamily, config: Any, origins: Mapping[str, str], module: Any, about: dict[str, Any]
) -> Any:
    """A run folder for a training that has not begun; about: its data and whatever else it is to remember."""
    from neurocli.runs.folder import RunFolder
    from neurocli.runs.provenance import provenance

    info = {**about, "split": module.split.as_dict(), "group_name": module.group_name(), "status": "created"}
    values = config.model_dump(mode="json")
    return RunFolder.create(root, family.card.name, info, values, dict(origins), provenance(about["data"]["paths"]))


def _resumed(
    name: str,
    root: Path,
    model: str | None,
    data: Any,
    preset: str | None,
    file: Path | None,
    sets: list[str] | None,
    flags: Mapping[str, Any],
    context: typer.Context,
) -> tuple[ModelFamily, Any, Any, Any]:
    """What `fit` needs to carry on. The options may be given again, as long as they say the same."""
    from neurocli.cli.data import open_files, recordings_of_run
    from neurocli.config.resolve import flatten
    from neurocli.errors import ConfigError, UsageError
    from neurocli.plugin.registry import registry
    from neurocli.recordings.adapting import adapted
    from neurocli.runs.folder import RunFolder

    run = RunFolder.find(root, name)
    info = run.read_info()
    family = registry().family(info["model"])
    if model is not None and registry().model(model).name != family.card.name:
        raise UsageError(
            f"the run is one of {family.card.name}, not of {model}",
            where=run.name,
            hint="leave MODEL out: --resume knows it",
        )
    from neurocli.training.load import config_of

    config = config_of(family, run)
    if preset is not None or file or sets or context.args or any(value is not None for value in flags.values()):
        _, again = family_config(family.card.name, preset, file, sets, flags, context)
        old, new = dict(flatten(config.model_dump(mode="json"))), dict(flatten(again.config.model_dump(mode="json")))
        for key in again.origins:
            if old.get(key) != new.get(key):
                raise ConfigError(
                    f"{key} is {old.get(key)!r} in the run, not {new.get(key)!r}",
                    where=again.origins[key],
                    hint="a run keeps its options; train a new one",
                )
    recordings = open_files(data) if data else recordings_of_run(info, family.card)
    return family, config, adapted(family, recordings, config), run


def fit_run(family: ModelFamily, config: Any, module: Any, run: Any, *, resume: bool = False) -> dict[str, Any]:
    """Train in a run folder with a progress bar. Raises Interrupted with the way to carry on."""
    from neurocli.errors import Interrupted
    from neurocli.plugin.registry import registry
    from neurocli.training.fit import fit

    try:
        with Progress(f"training {family.card.name}", validation_is_loss=family.validation_is_loss) as progress:
            return fit(
                family, config, module, run, resume=resume, progress=progress.epoch, hook=registry().manager.hook
            )
    except Interrupted as error:
        error.where, error.hint = str(run.path), f"carry on with: neuro train --resume {run.name}"
        raise


def _show(output: Output, family: ModelFamily, config: Any, module: Any, run: Any, summary: dict[str, Any]) -> None:
    split = module.split
    output.data.update(
        metrics=summary,
        protocol={**split.as_dict(), "group": module.group_name()},
        params=config.model_dump(mode="json"),
        files=[str(run.metrics_csv), str(run.metrics_json)],
    )
    output.table(f"{family.card.name}  {run.name}", ("metric", "value"), list(summary.items()), leaky=split.leaky)
    output.text(f"run: {run.path}")
    output.say(f"next: neuro evaluate {run.name}")
