"""Splits by group: what is independent stays whole, and is dealt out before windows and before any statistic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurocli.errors import DataError, LeakError

if TYPE_CHECKING:
    from neurocli.config import SplitSection

PARTS = ("train", "validation", "test")
NEW_DATA = "new data"
"""The protocol of a split whose test groups came after the training."""


@dataclass(frozen=True)
class Split:
    """Which groups belong to which part. `leaky` marks a published protocol that lets test data into training.

    folds: with few groups a model may be fitted several times, each time without the groups that it is asked about. Then
    `train` and `test` are those of all folds together, and what holds is said by each fold.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    protocol: str = "by-group"
    leaky: bool = False
    folds: tuple[Split, ...] = ()

    def __post_init__(self) -> None:
        if self.leaky or self.folds:
            return
        for first, second in ((0, 1), (0, 2), (1, 2)):
            both = set(self.groups(PARTS[first])) & set(self.groups(PARTS[second]))
            if both:
                raise LeakError(
                    f"{', '.join(sorted(both)[:3])} would be in {PARTS[first]} and in {PARTS[second]}",
                    where="split",
                    hint="a group belongs to one part only",
                )

    def groups(self, part: str) -> tuple[str, ...]:
        """The groups of `train`, `validation` or `test`."""
        groups: tuple[str, ...] = getattr(self, part)
        return groups

    def fold_of(self, group: str) -> int | None:
        """Which fold is asked about a group; None where no fold is, and any may answer."""
        return next((number for number, fold in enumerate(self.folds) if group in fold.test), None)

    def as_dict(self) -> dict[str, Any]:
        described: dict[str, Any] = {
            "split": self.protocol,
            "leaky": self.leaky,
            "groups": {part: list(self.groups(part)) for part in PARTS},
        }
        if self.folds:
            described["folds"] = [fold.as_dict()["groups"] for fold in self.folds]
        return described

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Split:
        """What `as_dict` gave. Raises DataError for anything else."""
        try:
            protocol, leaky = str(values["split"]), bool(values["leaky"])
            folds = tuple(cls(*_parts(fold), protocol=protocol) for fold in values.get("folds", ()))
            return cls(*_parts(values["groups"]), protocol=protocol, leaky=leaky, folds=folds)
        except (KeyError, TypeError):
            raise DataError(
                "the run does not say which groups it was trained on", where="split", hint="train a new run"
            ) from None


def _parts(groups: dict[str, list[str]]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    train, validation, test = (tuple(str(group) for group in groups[part]) for part in PARTS)
    return train, validation, test


def leave_one_out(groups: Sequence[str], protocol: str) -> Split:
    """One fold per group, trained on all others. Raises DataError for fewer than three groups."""
    if len(groups) < 3:
        raise DataError(
            f"{len(groups)} independent group{'s' if len(groups) != 1 else ''} cannot be left out one by one",
            where="split",
            hint="bring at least three",
        )
    everything = tuple(groups)
    folds = tuple(Split(tuple(g for g in groups if g != left), (), (left,), protocol=protocol) for left in groups)
    return Split(everything, (), everything, protocol=protocol, folds=folds)


def split_by_group(
    groups: Sequence[str], *, validation: float = 0.15, test: float = 0.15, seed: int = 0, test_only: bool = False
) -> Split:
    """Deal `groups` out at random by `seed`: the shares round half down for validation and half up for test, at least one each.

    50 groups with .15 and .15 give 35, 7 and 8. Raises DataError for fewer than three groups.
    """
    if test_only:
        return Split((), (), tuple(groups))
    n = len(groups)
    if n < 3:
        raise DataError(
            f"{n} independent group{'s' if n != 1 else ''} cannot be split into training, validation and test",
            where="split",
            hint="bring at least three (runs, worms, sessions); windows of one group are not independent",
        )
    n_test = max(1, int(np.floor(n * test + 0.5)))
    n_validation = max(1, int(np.ceil(n * validation - 0.5)))
    if n_test + n_validation >= n:
        raise DataError(f"{n} groups leave none for training", where="split", hint="lower data.validation or data.test")
    order = np.random.default_rng(seed).permutation(n)
    cuts = np.split(order, [n - n_validation - n_test, n - n_test])
    train, held, tested = (tuple(groups[i] for i in sorted(part)) for part in cuts)
    return Split(train, held, tested)


def split_by_options(groups: Sequence[str], options: SplitSection) -> Split:
    """`split_by_group` as a configuration says."""
    return split_by_group(groups, validation=options.validation, test=options.test, seed=options.split_seed)
