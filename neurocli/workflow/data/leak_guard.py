"""The guard of a run's data: what it was trained on is known by its content, and never scored as new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neurocli.errors import DataError, LeakError
from neurocli.recordings import RecordingSet, Split
from neurocli.recordings.split import NEW_DATA
from neurocli.workflow.data.sources import fingerprints
from neurocli.workflow.messages import Reporter


def split_of_run(info: dict[str, Any], recordings: RecordingSet) -> Split | None:
    """The split that a run was trained with. Raises DataError where the recordings lack some of its groups."""
    if not info.get("split"):
        return None
    split = Split.from_dict(info["split"])
    lost = [g for part in ("train", "validation", "test") for g in split.groups(part) if g not in recordings]
    if lost:
        raise DataError(
            f"{len(lost)} recordings of the run are no longer in its data, first {lost[0]}",
            where=lost[0],
            hint="restore the run's files, or name data with --data",
        )
    return split


def _kept_prints(info: dict[str, Any]) -> dict[str, str]:
    """Group → hash of its content when the run was trained."""
    prints: dict[str, str] = _kept(info, "fingerprints")
    return prints


def _kept(info: dict[str, Any], key: str) -> Any:
    return (info.get("data") or {}).get(key) or {}


def _trained_on(info: dict[str, Any]) -> dict[str, str]:
    """Hash of its content → group that a run was trained or chosen by."""
    if not info.get("split"):
        return {}
    prints, split = _kept_prints(info), Split.from_dict(info["split"])
    return {prints[group]: group for group in (*split.validation, *split.train) if group in prints}


def refuse_changed(info: dict[str, Any], recordings: RecordingSet) -> None:
    """Raise DataError where recordings of a run's split are not what they were when it was trained, in anything.

    Runs of before whole contents were kept are compared by their signals.
    """
    split = Split.from_dict(info["split"]) if info.get("split") else None
    groups = recordings.groups if split is None else [*split.train, *split.validation, *split.test]
    prints, contents = _kept_prints(info), _kept(info, "contents")
    changed, parts = [], set()
    for group in dict.fromkeys(groups):
        if group not in prints or group not in recordings:
            continue
        recording = recordings[group]
        if recording.fingerprint() != prints[group]:
            changed.append(group)
            parts.add("signals")
        elif group in contents and recording.whole() != contents[group]:
            changed.append(group)
            parts.add("inputs, spikes, events, labels or names")
    truth = _kept(info, "truth")
    if not changed and truth and recordings.truth_sum() != truth:
        changed, parts = ["the truth that all recordings share"], {"truth"}
    if changed:
        rest = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise DataError(
            f"the run's data have changed since it was trained: {', '.join(changed[:3])}{rest} ({'; '.join(sorted(parts))})",
            where=", ".join(map(str, recordings.sources)) or changed[0],
            hint="restore its files, train a new run, or name data with --data",
        )


def same_sums(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two runs keep the same of their data, as far as both keep it."""
    kept = [key for key in ("fingerprints", "contents", "truth") if key in first and key in second]
    return "fingerprints" in kept and all(first[key] == second[key] for key in kept)


def found_again(info: dict[str, Any], new: RecordingSet) -> RecordingSet | None:
    """The recordings of a run, by the names it has for them, where files hold just these in another place.

    Raises DataError where they hold its signals and something else beside them.
    """
    run_prints, new_prints = _kept_prints(info), fingerprints(new)
    if not run_prints or not info.get("split") or {*new_prints.values()} != {*run_prints.values()}:
        return None
    held_by = {value: group for group, value in new_prints.items()}
    places = {group: group if new_prints.get(group) == value else held_by[value] for group, value in run_prints.items()}
    found = new.with_loaders({group: _renamed(new, place, group) for group, place in places.items()})
    refuse_changed(info, found)
    return found


def _renamed(source: RecordingSet, group: str, name: str) -> Callable[[], Any]:
    import dataclasses

    return lambda: dataclasses.replace(source[group], group=name)


def beside_training(
    info: dict[str, Any],
    run_recordings: RecordingSet | None,
    split: Split | None,
    new: RecordingSet,
    reporter: Reporter,
) -> tuple[RecordingSet, Split | None]:
    """New recordings as test groups beside the run's training groups; refuses what the model has seen."""
    prints = fingerprints(new)
    if (
        split is not None
        and run_recordings is not None
        and prints
        and {*prints.values()} == {*_kept_prints(info).values()}
    ):
        reporter.say("these are the data of the run: only its test groups are scored")
        return run_recordings, split
    # What was trained on is known by its fingerprints, whether or not its files are still there.
    used = _trained_on(info)
    for group, value in prints.items():
        if value in used:
            raise LeakError(
                f"the model was trained on {used[value]}, whose content is the same as that of {group}",
                where=group,
                hint="leave it out, or evaluate the run without --data",
            )
    if split is None or run_recordings is None:
        return new, Split((), (), tuple(new.groups), protocol=NEW_DATA)

    fitted_on = [*split.train, *split.validation]
    names = {group: f"new:{group}" if group in fitted_on else group for group in new}
    loaders = {group: _renamed(run_recordings, group, group) for group in dict.fromkeys(fitted_on)}
    loaders |= {name: _renamed(new, group, name) for group, name in names.items()}
    combined = new.with_loaders(loaders)
    tested = tuple(names.values())
    return combined, Split(
        split.train, split.validation, tested, protocol=NEW_DATA, leaky=split.leaky, folds=split.folds
    )
