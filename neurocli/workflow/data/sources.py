"""Where recordings come from: files that were named, recordings in memory, the files of a run, or a small simulated set."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.errors import DataError, Interrupted, NeuroError
from neurocli.plugin.cards import ReaderCard
from neurocli.plugin.registry import load_implementation, registry
from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.messages import Listener, Reporter

if TYPE_CHECKING:
    from neurocli.plugin.cards import ModelCard
    from neurocli.plugin.family import ModelFamily
    from neurocli.recordings import Note, RecordingSet
    from neurocli.recordings.readers import Reader

DEFAULT_PRESET = "quick"
MOST_ALIKE = 3
"""Notes of one kind that are shown before a command goes on."""


def paths_of(data: Any) -> list[Path] | None:
    """The files that `data` names, None where it is None or recordings in memory."""
    from neurocli.recordings import RecordingSet

    if data is None or isinstance(data, RecordingSet):
        return None
    if isinstance(data, (str, PathLike)):
        return [Path(data)]
    return [Path(path) for path in data]


def load_readers(reporter: Reporter) -> list[tuple[ReaderCard, Reader]]:
    """Every plugin's reader that can be loaded, with its card; the others are warned of."""
    readers = []
    for card in registry().cards(ReaderCard):
        try:
            readers.append((card, load_implementation(card)()))
        except Interrupted:
            raise
        except NeuroError as error:
            reporter.warn(f"the reader {card.name} is left out: {error}")
    return readers


def open_files(data: Any, reporter: Reporter, *, warn: bool = True, family: ModelFamily | None = None) -> RecordingSet:
    """The recordings of files or folders, in any format that a plugin reads, or those in memory. Raises DataError.

    warn: whether the readers' doubts are told; whoever lists them among other findings does not. family: for whom they are read, where
    it has readers of its own.
    """
    from neurocli.recordings import RecordingSet
    from neurocli.recordings.readers import open_paths

    if isinstance(data, RecordingSet):
        return data
    told: list[Note] = []

    def tell(note: Note) -> None:
        told.append(note)
        reporter.warn(str(note))

    readers = (family.readers() if family is not None else None) or load_readers(reporter)
    recordings = open_paths(paths_of(data) or [], readers, beforehand=tell)
    for line in noted([note for note in recordings.notes if note not in told]) if warn else ():
        reporter.warn(line)
    return recordings


def noted(notes: Sequence[Note]) -> list[str]:
    """The doubts of readers as lines, those of one kind together where they are many."""
    by_kind: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        if note.is_doubt:
            by_kind.setdefault((note.check, note.advice), []).append(note)
    lines = []
    for alike in by_kind.values():
        lines += [str(note) for note in alike[:MOST_ALIKE]]
        if len(alike) > MOST_ALIKE:
            lines.append(
                f"{len(alike) - MOST_ALIKE} more notes like this one ({alike[0].check}); `neuro diagnose` lists all"
            )
    return lines


def open_recordings(path: AnyPath | Sequence[AnyPath], *, progress: Listener | None = None) -> RecordingSet:
    """The recordings of a file, of a folder, or of several, by the name of their group. Raises DataError.

    >>> import neurocli
    >>> worms = neurocli.open_recordings("worms.h5")
    >>> worm = worms["simulated-net0-seed0-0000"]
    >>> worm.signal.shape, worm.unit, round(worm.dt_ms)  # [time, channel], in steps of so many ms
    ((200, 8), 'dF/F0', 356)
    """
    return open_files(path, Reporter(progress))


def recordings_for(
    family: ModelFamily, config: Any, data: Any, reporter: Reporter, *, warn: bool = True
) -> tuple[RecordingSet, dict[str, Any]]:
    """(recordings, where they come from) for a model: those named, the family's own, or its simulator's small set.

    Recordings in memory have no paths: whoever trains on them keeps them in the run.
    """
    from neurocli.recordings import RecordingSet

    if isinstance(data, RecordingSet):
        return data, {"paths": [], "simulator": None}
    named_files = paths_of(data)
    files = named_files or family.own_data(config)
    if not files:
        return simulated(family.card, reporter)
    if not named_files:
        reporter.say(f"no data were named; using {', '.join(map(str, files))}")
    return open_files(files, reporter, warn=warn, family=family), {
        "paths": [str(Path(p).resolve()) for p in files],
        "simulator": None,
    }


def simulated(card: ModelCard, reporter: Reporter) -> tuple[RecordingSet, dict[str, Any]]:
    """The small set of a model's simulator, made where the cache does not have it."""
    if card.simulator is None:
        raise DataError(
            f"{card.name} has no simulator, so it needs data", where="--data", hint="name a file with --data FILE"
        )
    from neurocli.config.resolve import preset_names, read_preset, resolve
    from neurocli.simulation.engine import default_set

    sim_card = registry().simulator(card.simulator)
    simulator = load_implementation(sim_card)(sim_card)
    quick = DEFAULT_PRESET in preset_names(simulator.presets)
    config = resolve(simulator.Config, preset=read_preset(simulator.presets, DEFAULT_PRESET) if quick else None).config
    with reporter.stage(f"simulating {sim_card.name}"):
        recordings = default_set(simulator, config, sim_card.runs, reporter.say, reporter.steps)
    return recordings, {"paths": [str(Path(p).resolve()) for p in recordings.sources], "simulator": sim_card.name}


def recordings_of_run(
    info: dict[str, Any], family: ModelFamily, reporter: Reporter, *, warn: bool = True
) -> RecordingSet:
    """The recordings that a run was trained on. Raises DataError where they are gone."""
    source = info.get("data") or {}
    paths = [Path(p) for p in source.get("paths") or []]
    missing = [p for p in paths if not p.exists()]
    if source.get("simulator") and (missing or not paths):
        return simulated(family.card, reporter)[0]  # the cache was emptied: made again, with the same seeds
    if missing:
        raise DataError(
            "the run's data are missing", where=str(missing[0]), hint="restore them, or name data with --data"
        )
    return open_files(paths, reporter, warn=warn, family=family)


def fingerprints(recordings: RecordingSet) -> dict[str, str]:
    """Group → hash of its signal, by which the same recording is known again in another file."""
    return {group: recordings[group].fingerprint() for group in recordings}


def sums(recordings: RecordingSet) -> dict[str, Any]:
    """What a run keeps of its data. fingerprints: group → hash of its signal; contents: group → hash of all that is in it; truth: of what all share."""
    prints, contents = {}, {}
    for group in recordings:
        recording = recordings[group]  # read once
        prints[group], contents[group] = recording.fingerprint(), recording.whole()
    return {"fingerprints": prints, "contents": contents, "truth": recordings.truth_sum()}
