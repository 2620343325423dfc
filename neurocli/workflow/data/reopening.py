"""A trained model back from its run, with the data that it is to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurocli.errors import DataError, DeviceError
from neurocli.recordings import Normalisation, RecordingSet
from neurocli.recordings.adapting import adapted
from neurocli.training.devices import resolve_device
from neurocli.training.load import config_of, load_trained
from neurocli.workflow.configuring import Options, family_of_run, scored_by
from neurocli.workflow.data.leak_guard import beside_training, found_again, refuse_changed, split_of_run
from neurocli.workflow.data.sources import open_files, recordings_of_run
from neurocli.workflow.messages import Reporter

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily, TrainedModel
    from neurocli.runs.folder import RunFolder


def trained_of_run(
    folder: RunFolder,
    data: Any,
    device: str | None,
    reporter: Reporter,
    options: Options | None = None,
    *,
    warn: bool = True,
) -> tuple[ModelFamily, TrainedModel]:
    """(family, trained model with data) of a run; with `data`, the model predicts those instead.

    options: how it is scored, over the options of the run; warn: whether doubts of readers are told. Raises DataError, LeakError, ConfigError or DeviceError.
    """
    info = folder.read_info()
    family = family_of_run(info)
    config = scored_by(config_of(family, folder), options or Options(), family.fixed_by_training)
    place = _device(device, config.train.device)
    run_recordings: RecordingSet | None
    lost = ""
    try:
        run_recordings = recordings_of_run(info, family, reporter, warn=warn)
        split = split_of_run(info, run_recordings)
        refuse_changed(info, run_recordings)
    except DataError as error:
        if not data:
            raise
        run_recordings, split, lost = None, None, error.message
    recordings = run_recordings
    if data:
        new = open_files(data, reporter, warn=warn, family=family)
        if run_recordings is None and (run_recordings := found_again(info, new)) is not None:
            split = split_of_run(info, run_recordings)
        if run_recordings is None:
            reporter.warn(f"{lost}; baselines and ceilings that need the training data are left out")
        recordings, split = beside_training(info, run_recordings, split, new, reporter)
    assert recordings is not None
    # The data of the run were audited before it was trained.
    dataset = adapted(family, recordings, config, split) if data else family.adapt(recordings, config, split)
    if run_recordings is None:
        normalisation = info.get("normalisation")
        dataset.adopt(info.get("spec") or {}, Normalisation.from_dict(normalisation) if normalisation else None)
    trained = load_trained(family, folder, dataset, which="best", device=str(place))
    trained.config = config
    return family, trained


def _device(requested: str | None, trained_on: str) -> Any:
    if requested is not None:
        return resolve_device(requested, where="--device")
    try:
        return resolve_device(trained_on)
    except DeviceError as error:  # the run may come from another machine
        error.hint = f"name one with --device; {error.hint}"
        raise
