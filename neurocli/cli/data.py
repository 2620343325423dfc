"""Where a command's recordings come from: files that were named, the files of a run, or a small simulated set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.cli.output import say
from neurocli.cli.progress import Progress
from neurocli.errors import DataError, DeviceError, LeakError, NeuroError

if TYPE_CHECKING:
    from neurocli.plugin.cards import ModelCard
    from neurocli.plugin.family import ModelFamily, Trained
    from neurocli.recordings import RecordingSet, Split

DEFAULT_PRESET = "quick"


def load_readers() -> list[tuple[Any, Any]]:
    """Every plugin's reader that can be loaded, with its card; one that cannot is named on stderr."""
    from neurocli.plugin.cards import ReaderCard
    from neurocli.plugin.registry import load_implementation, registry

    readers = []
    for card in registry().cards(ReaderCard):
        try:
            readers.append((card, load_implementation(card)()))
        except NeuroError as error:
            say(f"warning: the reader {card.name} is left out: {error}")
    return readers


def open_files(paths: Sequence[Path]) -> RecordingSet:
    """The recordings of files or folders, in any format that a plugin reads. Raises DataError."""
    from neurocli.recordings.readers import open_paths

    return open_paths(list(paths), load_readers())


def recordings_for(
    family: ModelFamily, config: Any, data: Sequence[Path] | None
) -> tuple[RecordingSet, dict[str, Any]]:
    """(recordings, where they come from) for a model: the files named, the family's own, or its simulator's small set."""
    files = data or family.own_data(config)
    if not files:
        return _simulated(family.card)
    if not data:
        say(f"no --data: {', '.join(map(str, files))}")
    return open_files(files), {"paths": [str(Path(p).resolve()) for p in files], "simulator": None}


def _simulated(card: ModelCard) -> tuple[RecordingSet, dict[str, Any]]:
    """The small set of a model's simulator, made where the cache does not have it."""
    if card.simulator is None:
        raise DataError(
            f"{card.name} brings no simulator, so it needs data", where="--data", hint="name a file with --data FILE"
        )
    from neurocli.config.resolve import preset_names, read_preset, resolve
    from neurocli.plugin.registry import load_implementation, registry
    from neurocli.simulation.engine import default_set

    sim_card = registry().simulator(card.simulator)
    simulator = load_implementation(sim_card)(sim_card)
    quick = DEFAULT_PRESET in preset_names(simulator.presets)
    config = resolve(simulator.Config, preset=read_preset(simulator.presets, DEFAULT_PRESET) if quick else None).config
    with Progress(f"simulating {sim_card.name}") as progress:
        found = default_set(simulator, config, sim_card.runs, say, progress.steps)
    return found, {"paths": [str(Path(p).resolve()) for p in found.sources], "simulator": sim_card.name}


def recordings_of_run(info: dict[str, Any], card: ModelCard) -> RecordingSet:
    """The recordings that a run was trained on. Raises DataError where they are gone."""
    source = info.get("data") or {}
    paths = [Path(p) for p in source.get("paths") or []]
    missing = [p for p in paths if not p.exists()]
    if source.get("simulator") and (missing or not paths):
        return _simulated(card)[0]  # the cache was emptied: made again, with the same seeds
    if missing:
        raise DataError(
            "the run's data are gone", where=str(missing[0]), hint="bring them back, or name data with --data"
        )
    return open_files(paths)


def split_of_run(info: dict[str, Any], recordings: RecordingSet) -> Split | None:
    """The split that a run was trained with. Raises DataError where the recordings lack some of its groups."""
    from neurocli.recordings import Split

    if not info.get("split"):
        return None
    split = Split.from_dict(info["split"])
    lost = [g for part in ("train", "validation", "test") for g in split.groups(part) if g not in recordings]
    if lost:
        raise DataError(
            f"{len(lost)} recordings of the run are not in its data any more, first {lost[0]}",
            where=lost[0],
            hint="bring the run's files back, or name data with --data",
        )
    return split


def fingerprints(recordings: RecordingSet) -> dict[str, str]:
    """Group → hash of its content."""
    return {group: recordings[group].fingerprint() for group in recordings}


def _kept_prints(info: dict[str, Any]) -> dict[str, str]:
    """Group → hash of its content when the run was trained."""
    return (info.get("data") or {}).get("fingerprints") or {}


def _trained_on(info: dict[str, Any]) -> dict[str, str]:
    """Hash of its content → group that a run was trained or chosen by."""
    from neurocli.recordings import Split

    if not info.get("split"):
        return {}
    kept, split = _kept_prints(info), Split.from_dict(info["split"])
    return {kept[group]: group for group in (*split.validation, *split.train) if group in kept}


def _refuse_changed(info: dict[str, Any], recordings: RecordingSet) -> None:
    """Raise DataError where recordings of a run's split hold other values than when it was trained."""
    from neurocli.recordings import Split

    split = Split.from_dict(info["split"]) if info.get("split") else None
    named = recordings.groups if split is None else [*split.train, *split.validation, *split.test]
    kept = _kept_prints(info)
    asked = [group for group in dict.fromkeys(named) if group in kept and group in recordings]
    changed = [group for group in asked if recordings[group].fingerprint() != kept[group]]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise DataError(
            f"the run's data changed since it was trained: {', '.join(changed[:3])}{more}",
            where=", ".join(map(str, recordings.sources)) or changed[0],
            hint="bring its files back, train a new run, or name data with --data",
        )


def _found_again(info: dict[str, Any], new: RecordingSet) -> RecordingSet | None:
    """The recordings of a run, by the names it has for them, where files hold just these in another place."""
    from neurocli.recordings import RecordingSet

    kept, prints = _kept_prints(info), fingerprints(new)
    if not kept or not info.get("split") or {*prints.values()} != {*kept.values()}:
        return None
    held_by = {value: group for group, value in prints.items()}
    places = {group: group if prints.get(group) == value else held_by[value] for group, value in kept.items()}
    return RecordingSet(
        {group: _renamed(new, place, group) for group, place in places.items()},
        meta=new.meta,
        truth=new.truth,
        sources=new.sources,
    )


def _renamed(source: RecordingSet, group: str, name: str) -> Callable[[], Any]:
    import dataclasses

    return lambda: dataclasses.replace(source[group], group=name)


def trained_of_run(
    run: Any, data: Sequence[Path] | None, device: str | None, root: Path, sets: Sequence[str] = ()
) -> tuple[ModelFamily, Trained, dict[str, Any]]:
    """(family, trained model with data, run info) of a run; with `data`, the model is asked about those instead.

    sets: options of how it is scored, over those of the run.
    """
    from neurocli.cli.evaluate_options import overridden
    from neurocli.plugin.registry import registry
    from neurocli.recordings.adapting import adapted
    from neurocli.training.load import config_of, load_trained

    info = run.read_info()
    family = registry().family(info["model"])
    config = overridden(config_of(family, run), sets, family.fixed_by_training)
    where = _device(device, config.train.device)
    known: RecordingSet | None
    lost = ""
    try:
        known = recordings_of_run(info, family.card)
        split = split_of_run(info, known)
        _refuse_changed(info, known)
    except DataError as error:
        if not data:
            raise
        known, split, lost = None, None, error.message
    recordings = known
    if data:
        new = open_files(data)
        if known is None and (known := _found_again(info, new)) is not None:
            split = split_of_run(info, known)
        if known is None:
            say(f"warning: {lost}; references that need training data are left out")
        recordings, split = _new_data(info, known, split, new)
    assert recordings is not None
    # The data of the run were audited before it was trained.
    module = adapted(family, recordings, config, split) if data else family.adapt(recordings, config, split)
    if known is None:
        from neurocli.recordings import Normalisation

        kept = info.get("normalisation")
        module.adopt(info.get("spec") or {}, Normalisation.from_dict(kept) if kept else None)
    trained = load_trained(family, run, module, which="best", device=str(where))
    trained.config = config
    return family, trained, info


def _device(asked: str | None, trained_on: str) -> Any:
    from neurocli.training.devices import resolve_device

    if asked is not None:
        return resolve_device(asked, where="--device")
    try:
        return resolve_device(trained_on)
    except DeviceError as error:  # the run may come from another machine
        error.hint = f"name one with --device; {error.hint}"
        raise


def _new_data(
    info: dict[str, Any], known: RecordingSet | None, split: Split | None, new: RecordingSet
) -> tuple[RecordingSet, Split | None]:
    """New recordings as test groups beside the run's training groups; refuses what the model has seen."""
    from neurocli.recordings import RecordingSet, Split
    from neurocli.recordings.split import NEW_DATA

    prints = fingerprints(new)
    if split is not None and known is not None and prints and {*prints.values()} == {*_kept_prints(info).values()}:
        say("these are the data of the run: its own test groups are scored")
        return known, split
    # What was trained on is known by its fingerprints, whether or not its files are still there.
    used = _trained_on(info)
    for group, value in prints.items():
        if value in used:
            raise LeakError(
                f"the model was trained on {used[value]}, which has the content of {group}",
                where=group,
                hint="leave it out, or evaluate the run without --data",
            )
    if split is None or known is None:
        return new, Split((), (), tuple(new.groups), protocol=NEW_DATA)

    kept = [*split.train, *split.validation]
    names = {group: f"new:{group}" if group in kept else group for group in new}
    loaders = {group: _renamed(known, group, group) for group in dict.fromkeys(kept)}
    loaders |= {name: _renamed(new, group, name) for group, name in names.items()}
    whole = RecordingSet(loaders, meta=new.meta, truth=new.truth, sources=new.sources)
    tested = tuple(names.values())
    return whole, Split(split.train, split.validation, tested, protocol=NEW_DATA, leaky=split.leaky, folds=split.folds)
