"""Dataset adapter: labelled cases, each a sequence of its own length, split and normalised, dealt out as padded batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Batch, Dataset, Normalisation, Recording, RecordingSet, Split
from neurocli_sequences.config import CaseConfig
from neurocli_sequences.data.case_split import PUBLISHED, TOGETHER, Case, split_cases
from neurocli_sequences.data.forms import Form

VALIDATION_BATCH = 256
_BUCKET = 32
"""Batches among which cases are sorted by length, so that a batch holds cases of nearly one length."""


class CaseData(Dataset):
    """Cases with a class or a number each.

    values: the sequences of all cases, one after the other, [step, input] or [step] of tokens; first: int64 [case + 1], where each
    begins; label: int64 [case] classes, or float64 [case] numbers; classes: their names, empty for numbers.
    """

    audited = True  # copies across the split are looked for among whole cases (`case_split`)

    def __init__(
        self,
        recordings: RecordingSet,
        config: CaseConfig,
        form_of: Callable[[RecordingSet, Split], Form],
        split: Split | None = None,
        *,
        one_scale: bool = False,
    ) -> None:
        """form_of: what the recordings become, once they are split; one_scale: whether all inputs share mean and standard deviation."""
        self.recordings, self.options = recordings, config.data
        self.batch_size = config.train.batch_size
        self.classes: list[str] = [str(name) for name in recordings.meta.get("classes") or ()]
        groups = list(recordings)
        if split is not None:
            groups = list(dict.fromkeys([*split.train, *split.validation, *split.test]))
        self.cases = [case_of(recordings[group], recordings.where(group), self.classes) for group in groups]
        self.split = split or split_cases(self.cases, config.data, classes=bool(self.classes))
        self.form = form_of(recordings, self.split)
        self.number = {group: n for n, group in enumerate(groups)}
        sequences = [self.form.sequence(recordings[group]) for group in groups]
        self.first = np.concatenate([[0], np.cumsum([len(sequence) for sequence in sequences])])
        self.values = np.concatenate(sequences)
        if self.values.dtype.kind == "f" and np.isinf(self.values).any():
            group = next(g for g, sequence in zip(groups, sequences, strict=True) if np.isinf(sequence).any())
            raise DataError(
                "a value is infinite", where=recordings.where(group), hint="correct it, or mark it as missing"
            )
        self.lengths = np.diff(self.first)
        self.label: NDArray[Any] = np.array(
            [case.label for case in self.cases], np.int64 if self.classes else np.float64
        )
        self.normalisation = None if self.form.tokens else self._fitted(one_scale)
        self.scale = self._target_scale()
        used = self.lengths[self.numbers("train")] if self.split.train else self.lengths
        self.spec: dict[str, Any] = {
            "num_input": self.form.inputs,
            "num_output": len(self.classes) or 1,
            "steps": int(used.max()),
            "classes": self.classes,
            "target": list(self.scale),
            **self.form.about(),
        }

    # -- what is known of the cases -------------------------------------------------------------------------------

    def numbers(self, part: str) -> NDArray[np.int64]:
        """Numbers of the cases of a part."""
        return np.array([self.number[group] for group in self.split.groups(part)], np.int64)

    def sequence(self, number: int) -> NDArray[Any]:
        """[step, input] or [step] of one case, not normalised."""
        return self.values[self.first[number] : self.first[number + 1]]

    @property
    def owned(self) -> bool:
        """Whether the test cases belong to speakers, authors or originals."""
        return all(self.cases[n].owner is not None for n in self.numbers("test")) and bool(self.split.test)

    def group_name(self) -> str:
        return "case"

    def scope(self) -> str:
        """What intervals over cases hold for."""
        if self.owned:
            owners = {self.cases[n].owner for n in self.numbers("test")}
            return f"cases of {len(owners)} owners: intervals treat them as independent, and are too narrow for others"
        return "cases like those of the test set" if self.split.protocol == PUBLISHED else ""

    def adopt(self, spec: dict[str, Any], normalisation: Normalisation | None) -> None:
        """Take over scales and classes of a run whose training cases are gone."""
        if normalisation is not None:
            self.normalisation = normalisation
        self.spec = {**self.spec, **spec}
        self.scale = tuple(self.spec["target"])

    # -- training ------------------------------------------------------------------------------------------------

    def batch(self, numbers: NDArray[np.int64]) -> Batch:
        """x float [sample, time, input] or int tokens [sample, time], padded with zeros; length [sample]; label or target [sample]."""
        lengths = self.lengths[numbers]
        longest = int(lengths.max())
        if (lengths == longest).all():
            rows = self.values[self.first[numbers][:, None] + np.arange(longest)]
            x = rows if self.form.tokens else self._normalised(rows)
        else:
            shape = (len(numbers), longest) if self.form.tokens else (len(numbers), longest, self.form.inputs)
            x = np.zeros(shape, np.int64 if self.form.tokens else np.float32)
            for row, number in enumerate(numbers):
                sequence = self.sequence(int(number))
                x[row, : len(sequence)] = sequence if self.form.tokens else self._normalised(sequence)
        named = {"x": x, "length": lengths.astype(np.int64)}
        if self.classes:
            named["label"] = self.label[numbers]
        else:
            mean, sd = self.scale
            named["target"] = ((self.label[numbers] - mean) / sd).astype(np.float32)
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in named.items()}

    def steps(self, part: str) -> int:
        size = self.batch_size if part == "train" else VALIDATION_BATCH
        return -(-len(self.split.groups(part)) // size)

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Batches as `batch` gives them: shuffled for `train`, cases of like length together."""
        numbers = self.numbers(part)
        if part != "train":
            numbers = numbers[np.argsort(self.lengths[numbers], kind="stable")]
            for first in range(0, len(numbers), VALIDATION_BATCH):
                yield self.batch(numbers[first : first + VALIDATION_BATCH])
            return
        rng = np.random.default_rng([seed, epoch])
        shuffled = numbers[rng.permutation(len(numbers))]
        rows = [shuffled[n : n + self.batch_size] for n in range(0, len(shuffled), self.batch_size)]
        if np.ptp(self.lengths[numbers]):
            rows = self._by_length(shuffled, rng)
        for row in rows:
            yield self.batch(row)

    def _by_length(self, shuffled: NDArray[np.int64], rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Batches of cases of like length, in any order."""
        size = self.batch_size * _BUCKET
        rows = []
        for n in range(0, len(shuffled), size):
            bucket = shuffled[n : n + size]
            bucket = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            rows += [bucket[k : k + self.batch_size] for k in range(0, len(bucket), self.batch_size)]
        return [rows[k] for k in rng.permutation(len(rows))]

    # -- scales --------------------------------------------------------------------------------------------------

    def _fitted(self, one_scale: bool) -> Normalisation | None:
        """Mean and standard deviation of the training cases, of each input or of all together; None without training cases."""
        numbers = self.numbers("train")
        if not len(numbers):
            return None
        count, total, squares = 0.0, 0.0, 0.0
        for chunk in np.array_split(numbers, -(-len(numbers) // 4096)):
            rows = np.concatenate([self.sequence(int(n)) for n in chunk]).astype(np.float64)
            axis = None if one_scale else 0
            count = count + np.isfinite(rows).sum(axis)
            total, squares = total + np.nansum(rows, axis), squares + np.nansum(rows**2, axis)
        mean = total / np.maximum(count, 1)
        sd = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))
        sd = np.where(sd > 1e-9 * np.maximum(np.abs(mean), 1), sd, 1.0)  # an input that never changes says nothing
        inputs = np.ones(self.form.inputs)
        return Normalisation(mean * inputs, sd * inputs, tuple(self.split.train))

    def _normalised(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """z-scores of rows [..., input]; what is missing is 0, the mean."""
        if self.normalisation is None:
            return np.nan_to_num(np.asarray(rows, np.float32))
        mean, sd = (values.astype(np.float32) for values in (self.normalisation.mean, self.normalisation.sd))
        z = (np.asarray(rows, np.float32) - mean) / sd
        return z if rows.dtype.kind != "f" else np.nan_to_num(z, copy=False)

    def _target_scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the training targets; 0 and 1 for classes."""
        numbers = self.numbers("train")
        if self.classes or not len(numbers):
            return 0.0, 1.0
        values = self.label[numbers]
        return float(values.mean()), float(values.std()) or 1.0


def case_of(recording: Recording, where: str, classes: list[str]) -> Case:
    """What is known of a recording. Raises DataError without a class or target, or for a class that there is not."""
    name = "class" if classes else "target"
    label = recording.labels.get(name)
    if label is None or isinstance(label, (str, bool)) or not np.isfinite(label):
        raise DataError(
            f"the case has no {name}", where=where, hint="label every case, or choose a task that needs no labels"
        )
    if classes and not (float(label).is_integer() and 0 <= label < len(classes)):
        raise DataError(
            f"the class is {label:g}, not one of 0 to {len(classes) - 1}",
            where=where,
            hint="correct the labels of the file",
        )
    owner = next((f"{key} {recording.labels[key]}" for key in TOGETHER if key in recording.labels), None)
    signal = np.ascontiguousarray(recording.signal)
    content = hashlib.blake2b(signal.data, digest_size=16, key=str(signal.shape).encode()).digest()
    return Case(recording.group, recording.labels.get("part"), float(label), owner, content)
