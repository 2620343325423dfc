"""One training in one run folder, which survives being killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options, configured_family, family_of_run, refuse_other_options
from neurocli.workflow.finding import RUNS_DIR, AnyRun, folder_of
from neurocli.workflow.messages import Event, Listener, Reporter
from neurocli.workflow.run import Run

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily
    from neurocli.recordings import Dataset, RecordingSet
    from neurocli.runs.folder import RunFolder


@dataclass
class Training:
    """A training that is ready to begin, or to be resumed."""

    family: ModelFamily
    config: Any
    dataset: Dataset
    folder: RunFolder
    resumed: bool
    notes: list[str]

    def fit(self, reporter: Reporter) -> dict[str, Any]:
        """Train to the end; gives what metrics.json holds. Raises Interrupted with the command that resumes it, and what `fit` raises."""
        from neurocli.errors import Interrupted
        from neurocli.plugin.registry import registry
        from neurocli.training.fit import fit

        validation = {"validation_is_loss": self.family.validation_is_loss}
        try:
            with reporter.stage(f"training {self.family.card.name}"):
                return fit(
                    self.family,
                    self.config,
                    self.dataset,
                    self.folder,
                    resume=self.resumed,
                    progress=lambda row: reporter.tell(Event("epoch", row=row | validation)),
                    hook=registry().manager.hook,
                )
        except Interrupted as error:
            error.where, error.hint = str(self.folder.path), f"resume it with: neuro train --resume {self.folder.name}"
            raise


def train(
    model: str,
    *,
    data: Any = None,
    preset: str | None = None,
    config: AnyPath | None = None,
    options: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    seed: int | None = None,
    device: str | None = None,
    split: str | None = None,
    task: str | None = None,
    watch: Sequence[str] | None = None,
    watch_every: int | None = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> Run:
    """Train a model into a new run.

    model: as `neuro models` lists them; data: a path, several, or recordings in memory; without it the model's own simulator makes
    a small set; preset, config, options: named set of values, TOML file, and values by name, each over the one before; seed, device,
    split, watch, watch_every: short for the options train.seed, train.device, data.split, train.watch and train.watch_every; task: of a
    sequence model, where it is not its own; runs_dir: the folder of runs; progress: is told of each message and step.

    Raises UnknownName, ConfigError, DeviceError, DataError, LeakError, StorageError, NeuroError where the loss is not finite, or
    Interrupted; what was trained until then is kept, and can be resumed.

    >>> import neurocli
    >>> run = neurocli.train("gat-lstm", data="worms.h5", preset="quick", options={"max_steps": 2}, seed=7)
    >>> run.status, run.config.train.seed, run.metrics["steps"]
    ('finished', 7, 2)
    """
    reporter = Reporter(progress)
    flags: dict[str, Any] = {"train.seed": seed, "train.device": device, "data.split": split}
    flags |= {"train.watch": None if watch is None else list(watch), "train.watch_every": watch_every}
    training = begin(model, data, Options(preset, config, sets, options or {}, flags, task), runs_dir, reporter)
    for line in training.notes:
        reporter.note(line)
    training.fit(reporter)
    return Run(training.folder)


def resume(
    run: AnyRun,
    *,
    data: Any = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> Run:
    """Resume a training that was interrupted; it ends in the same bits as if it had not been.

    run: a run, its folder, its name, or `latest`; data: its files, where they have moved.

    Raises UnknownName, DataError (other data, or no usable checkpoint), StorageError or Interrupted.

    >>> import neurocli
    >>> neurocli.resume("latest").metrics["epochs"]  # a finished training stays as it is
    1
    """
    reporter = Reporter(progress)
    training = begin_again(run, data, Options(), runs_dir, reporter)
    for line in training.notes:
        reporter.note(line)
    training.fit(reporter)
    return Run(training.folder)


def begin(model: str, data: Any, options: Options, runs_dir: AnyPath, reporter: Reporter) -> Training:
    """A new run folder with its options and its data, before the first step."""
    from neurocli.recordings import RecordingSet
    from neurocli.recordings.adapting import adapted
    from neurocli.training.devices import resolve_device
    from neurocli.training.watching import check_watched
    from neurocli.workflow.data.sources import recordings_for, sums

    family, resolved = configured_family(model, options)
    origin = "--device" if options.flags.get("train.device") is not None else "train.device"
    resolve_device(resolved.config.train.device, where=origin)  # before minutes go into data
    check_watched(family, resolved.config)
    recordings, source = recordings_for(family, resolved.config, data, reporter)
    dataset = adapted(family, recordings, resolved.config)
    doubts = [str(note) for note in recordings.notes if note.is_doubt]
    data_info = {**source, **sums(recordings)} | ({"doubts": doubts} if doubts else {})
    run_info = {"data": data_info, "preset": options.preset}
    folder = new_run(Path(runs_dir), family, resolved.config, resolved.origins, dataset, run_info, recordings)
    if folder.recordings.is_file():
        # Trained on what the file holds, in its steps of 1 µV: resumed and evaluated, it is the same data to the last bit.
        dataset = adapted(family, RecordingSet.open(folder.recordings), resolved.config)
    notes = list(family.notes(dataset, resolved.config))
    return Training(family, resolved.config, dataset, folder, False, notes)


def new_run(
    root: Path,
    family: ModelFamily,
    config: Any,
    origins: Mapping[str, str],
    dataset: Dataset,
    run_info: dict[str, Any],
    recordings: RecordingSet | None = None,
) -> RunFolder:
    """A run folder for a training that has not begun; about: its data and whatever else it is to remember.

    Recordings without a file of their own are written into the folder, so that the run can be evaluated later.
    """
    from neurocli.runs.folder import RunFolder
    from neurocli.runs.provenance import provenance

    task = {} if family.task_name is None else {"task": family.task_name}
    info = {**task, **run_info, "split": dataset.split.as_dict(), "group_name": dataset.group_name()} | {
        "status": "created"
    }
    values = config.model_dump(mode="json")
    paths = run_info["data"]["paths"]
    folder = RunFolder.create(root, family.card.name, info, values, dict(origins), provenance(paths))
    if recordings is not None and not paths and not run_info["data"].get("simulator"):
        recordings.save(folder.recordings)
        folder.update_info(data={**run_info["data"], "paths": [str(folder.recordings)]})
    return folder


def begin_again(run: AnyRun, data: Any, options: Options, runs_dir: AnyPath, reporter: Reporter) -> Training:
    """What is needed to resume a training. Options may be given again, with the same values."""
    from neurocli.recordings.adapting import adapted
    from neurocli.training.load import config_of
    from neurocli.workflow.data.leak_guard import refuse_changed, split_of_run
    from neurocli.workflow.data.sources import open_files, recordings_of_run

    folder = folder_of(run, runs_dir)
    info = folder.read_info()
    family = family_of_run(info)
    config = config_of(family, folder)
    refuse_other_options(config, family, options)
    recordings = open_files(data, reporter, family=family) if data else recordings_of_run(info, family, reporter)
    split_of_run(info, recordings)  # all of its groups are there
    refuse_changed(info, recordings)
    dataset = adapted(family, recordings, config)
    return Training(family, config, dataset, folder, True, list(family.notes(dataset, config)))
