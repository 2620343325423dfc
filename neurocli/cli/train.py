"""`neuro train MODEL`: one training in one run folder, which survives being killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from neurocli.cli.options import RUNS, ConfigFile, Data, Device, Json, Preset, RunsDir, Sets, Task
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress
from neurocli.cli.shortcuts import shortcuts_of_model

if TYPE_CHECKING:
    from neurocli.workflow.train import Training


_HEADINGS = {"cpu_s": "CPU time (s)", "wall_s": "wall time (s)"}


def train(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Model, as `neuro models` lists them.", metavar="MODEL")] = None,
    task: Task = None,
    data: Data = None,
    preset: Preset = None,
    config: ConfigFile = None,
    sets: Sets = None,
    device: Device = None,
    seed: Annotated[Optional[int], typer.Option("--seed", help="Seed of weights and batch order (train.seed).")] = None,  # noqa: UP045
    split: Annotated[Optional[str], typer.Option("--split", help="Split protocol (data.split).")] = None,  # noqa: UP045
    watch: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--watch",
            help="Keep of a sequence model while it trains, in RUN/watch: states, memory, sequences; several by commas (train.watch).",
            metavar="WHAT",
        ),
    ] = None,
    watch_every: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--watch-every", help="Epochs between those that are watched (train.watch_every).", metavar="N"),
    ] = None,
    runs_dir: RunsDir = RUNS,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Resume this run: a folder, a name, or `latest`.", metavar="RUN"),
    ] = None,
    json: Json = False,
) -> None:
    """Train a model in a new run folder, or resume a run.

    Any option of the model may be given by its own name, as in --epochs 50; `neuro models show MODEL` lists them.
    """
    with Output("train", json=json) as output:
        from neurocli.workflow.configuring import Options
        from neurocli.workflow.messages import Reporter
        from neurocli.workflow.train import begin, begin_again

        flags: dict[str, Any] = {"train.seed": seed, "train.device": device, "data.split": split}
        watched = None if watch is None else [name.strip() for name in watch.split(",") if name.strip()]
        flags |= {"train.watch": watched, "train.watch_every": watch_every}
        reporter = Reporter(Progress(output))
        if resume is not None:
            name = _model_of(resume, runs_dir, model)
            task = task or _task_of(resume, runs_dir)
            options = Options(preset, config, sets or (), shortcuts_of_model(context, name, task), flags, task)
            training = begin_again(resume, data, options, runs_dir, reporter)
        else:
            name = _named(model)
            options = Options(preset, config, sets or (), shortcuts_of_model(context, name, task), flags, task)
            training = begin(name, data, options, runs_dir, reporter)
        folder = training.folder
        output.data.update(run=str(folder.path), name=folder.name, model=training.family.card.name)
        output.data["notes"] = training.notes
        for line in training.notes:  # before minutes go into training on the wrong thing
            output.text(f"note: {line}")
        _show(output, training, training.fit(reporter))


def _named(model: str | None) -> str:
    from neurocli.errors import UsageError

    if model is None:
        raise UsageError(
            "train needs a MODEL, or --resume RUN", where="neuro train", hint="neuro models lists the models"
        )
    return model


def _model_of(run: str, runs_dir: Any, model: str | None) -> str:
    """The model of a run that is resumed. Raises UsageError where another was named."""
    from neurocli.errors import UsageError
    from neurocli.plugin.registry import registry
    from neurocli.workflow.run import load_run

    resumed = load_run(run, runs_dir=runs_dir)
    card = registry().model(resumed.model)
    if model is not None and registry().model(model).name != card.name:
        raise UsageError(
            f"the run is one of {card.name}, not of {model}",
            where=resumed.name,
            hint="leave MODEL out: --resume knows it",
        )
    return card.name


def _task_of(run: str, runs_dir: Any) -> str | None:
    """The task of a run that is resumed, None where its model has no choice of tasks."""
    from neurocli.workflow.run import load_run

    return load_run(run, runs_dir=runs_dir).info.get("task")


def _show(output: Output, training: Training, summary: dict[str, Any]) -> None:
    split, folder = training.dataset.split, training.folder
    output.data.update(
        metrics=summary,
        protocol={**split.as_dict(), "group": training.dataset.group_name()},
        params=training.config.model_dump(mode="json"),
        files=[str(folder.metrics_csv), str(folder.metrics_json)],
    )
    rows = [(_HEADINGS.get(key, key.replace("_", " ")), value) for key, value in summary.items()]
    output.table(f"training of {folder.name}", ("", "value"), rows, leaky=split.leaky)
    output.text(f"run: {folder.path}")
    output.say(f"next: neuro evaluate {folder.name}")
