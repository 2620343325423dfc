"""An ordered set of recordings, read one at a time from file, or held in memory."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from neurocli.config.differing import differing, in_words
from neurocli.errors import DataError
from neurocli.recordings import store
from neurocli.recordings.files.hdf5 import child, open_hdf5
from neurocli.recordings.files.kept import Kept
from neurocli.recordings.notes import Note, unique
from neurocli.recordings.recording import Recording, sum_of_arrays


class RecordingSet(Mapping[str, Recording]):
    """Recordings by group name. Each access reads its recording, so memory stays that of one; those of a file that are small are read
    once and kept, with arrays that cannot be changed in place.

    meta: what made the set (simulator, parameters, seeds, reader); truth: known arrays that all recordings share; notes: what
    the readers did and doubt.

    >>> len(worms), worms.meta["simulator"], worms.truth["weight"].shape  # of every true synapse
    (4, 'celegans', (12,))
    >>> [worm.signal.shape for worm in worms.values()]  # [time, neuron] each
    [(200, 8), (200, 8), (200, 8), (200, 8)]
    """

    def __init__(
        self,
        loaders: Mapping[str, Callable[[], Recording]],
        *,
        meta: Mapping[str, Any] | None = None,
        truth: Mapping[str, NDArray[Any]] | None = None,
        sources: Sequence[str] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        self._loaders = dict(loaders)
        self.meta = dict(meta or {})
        self.truth = dict(truth or {})
        self.sources = list(sources)
        self.notes = unique(notes)

    def __getitem__(self, group: str) -> Recording:
        try:
            return self._loaders[group]()
        except MemoryError:
            raise DataError(
                "reading it takes more memory than there is",
                where=self.where(group),
                hint="use a machine with more memory",
            ) from None

    def where(self, group: str) -> str:
        """Where a recording is, for an error: its name, and its file where there is one only.

        >>> worms.where("simulated-net0-seed0-0000")
        'recording simulated-net0-seed0-0000 of worms.h5'
        """
        return f"recording {group}" + (f" of {self.sources[0]}" if len(self.sources) == 1 else "")

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)

    @property
    def groups(self) -> list[str]:
        """The names of the recordings, in order.

        >>> worms.groups[0]
        'simulated-net0-seed0-0000'
        """
        return list(self._loaders)

    def truth_sum(self) -> str:
        """sha256 of the arrays that all recordings share.

        >>> worms.truth_sum() == worms.subset(worms.groups[:2]).truth_sum()
        True
        """
        return sum_of_arrays(self.truth)

    def subset(self, groups: Sequence[str]) -> RecordingSet:
        """The same set with only these groups, in this order.

        >>> len(worms.subset(worms.groups[:2]))
        2
        """
        return self.with_loaders({g: self._loaders[g] for g in groups})

    def with_loaders(self, loaders: Mapping[str, Callable[[], Recording]]) -> RecordingSet:
        """A set of the same making with other recordings: loaders by the name of the group.

        >>> len(worms.with_loaders({"first": lambda: worms[worms.groups[0]]}))
        1
        """
        return RecordingSet(loaders, meta=self.meta, truth=self.truth, sources=self.sources, notes=self.notes)

    def with_notes(self, notes: Sequence[Note]) -> RecordingSet:
        """The same set with more notes.

        >>> from neurocli.recordings import Note
        >>> worms.with_notes([Note("labels", "worm-3", "2 uncertain")]).notes[-1].found
        '2 uncertain'
        """
        return RecordingSet(
            self._loaders, meta=self.meta, truth=self.truth, sources=self.sources, notes=[*self.notes, *notes]
        )

    @classmethod
    def of(cls, recordings: Sequence[Recording], **kwargs: Any) -> RecordingSet:
        """A set of recordings that are already in memory; meta, truth, sources: as in the set. Raises DataError for a name used twice.

        >>> import numpy as np
        >>> from neurocli.recordings import Recording, RecordingSet
        >>> cells = [Recording(f"cell-{n}", np.random.normal(-65, 2, (1000, 3)), 1.0, "mV") for n in range(6)]
        >>> RecordingSet.of(cells).groups[:2]
        ['cell-0', 'cell-1']
        """
        loaders: dict[str, Callable[[], Recording]] = {}
        for recording in recordings:
            if recording.group in loaders:
                raise DataError(
                    "two recordings have the same name", where=recording.group, hint="give each a name of its own"
                )
            loaders[recording.group] = lambda recording=recording: recording  # type: ignore[misc]
        return cls(loaders, **kwargs)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> RecordingSet:
        """The recordings of a file in our format. Raises DataError.

        >>> from neurocli.recordings import RecordingSet
        >>> len(RecordingSet.open("worms.h5"))
        4
        """
        path = Path(path)
        with open_hdf5(path) as file:
            order, meta, truth, notes = store.read_header(file)
            holder = child(file, "recordings", h5py.Group)
            for name in order:
                child(holder, name, h5py.Group)
        read = Kept(functools.partial(_load, path))
        loaders = {name: functools.partial(read, name) for name in order}
        return cls(loaders, meta=meta, truth=truth, sources=[str(path)], notes=notes)

    @classmethod
    def joined(cls, sets: Sequence[RecordingSet]) -> RecordingSet:
        """Several sets as one. Where two files use the same name, the file's name is put before it.

        Raises DataError where the files are of different making (another simulator or other parameters). Simulations
        of another `seed` belong together where they are of the same world, that is, of equal truth.

        >>> from neurocli.recordings import RecordingSet
        >>> halves = worms.subset(worms.groups[:2]), worms.subset(worms.groups[2:])
        >>> RecordingSet.joined(halves).groups == worms.groups
        True
        """
        if len(sets) == 1:
            return sets[0]
        first = sets[0]
        for other in sets[1:]:
            differences = _making(first, other)
            if differences:
                raise DataError(
                    f"the files are of different making: {in_words(differences)}",
                    where=", ".join([*first.sources, *other.sources]),
                    hint="name only files that were made alike",
                )
        uses = Counter(name for single in sets for name in single)
        loaders: dict[str, Callable[[], Recording]] = {}
        for number, single in enumerate(sets):
            stem = Path(single.sources[0]).stem if len(single.sources) == 1 else f"set{number}"
            for name, loader in single._loaders.items():
                clashing = uses[name] > 1
                key = f"{stem}:{name}" if clashing else name
                if key in loaders:
                    raise DataError(
                        "two recordings have the same name in files of the same name",
                        where=key,
                        hint="rename one of the files",
                    )
                loaders[key] = (lambda loader=loader, key=key: _renamed(loader(), key)) if clashing else loader  # type: ignore[misc]
        same_truth = all(_equal(first.truth, single.truth) for single in sets)
        return cls(
            loaders,
            meta=first.meta,
            truth=first.truth if same_truth else {},
            sources=[s for single in sets for s in single.sources],
            notes=[note for single in sets for note in single.notes],
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the set in our format, atomically.

        >>> worms.subset(worms.groups[:3]).save("three.h5")
        >>> len(neurocli.open_recordings("three.h5"))
        3
        """
        store.write(Path(path), (self[group] for group in self), meta=self.meta, truth=self.truth, notes=self.notes)


def _load(path: Path, name: str) -> Recording:
    with open_hdf5(path) as file:
        group = child(child(file, "recordings", h5py.Group), name, h5py.Group)
        try:
            return store.read_recording(group)
        except DataError as error:
            if str(path) not in (error.where or ""):
                error.where = f"{path}:{group.name}"
            raise


def _renamed(recording: Recording, group: str) -> Recording:
    recording.group = group
    return recording


def _making(first: RecordingSet, second: RecordingSet) -> dict[str, str]:
    """In what the making of two files differs, but for which of its runs each has."""
    differences = {k: v for k, v in differing(first.meta, second.meta).items() if not k.startswith("simulation.")}
    if first.truth and _equal(first.truth, second.truth):
        differences.pop("parameters.seed", None)
    return {key.removeprefix("parameters."): change for key, change in differences.items()}


def _equal(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        (first[k].shape == second[k].shape and (first[k] == second[k]).all()) for k in first
    )
