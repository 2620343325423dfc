"""What is known of each group, made when it is asked for, so that no more than one group's is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class ByGroup(Mapping[str, T]):
    """Group → what `make` gives for it, made anew each time.

    >>> squares = ByGroup(["a", "bb"], lambda group: len(group) ** 2)
    >>> dict(squares)
    {'a': 1, 'bb': 4}
    """

    def __init__(self, groups: Iterable[str], make: Callable[[str], T]) -> None:
        self._groups = dict.fromkeys(groups)
        self._make = make

    def __getitem__(self, group: str) -> T:
        if group not in self._groups:
            raise KeyError(group)
        return self._make(group)

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)
