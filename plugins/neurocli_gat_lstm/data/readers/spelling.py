"""Finding an entry whose name is written in another case, and saying what a near miss has instead."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any


def found(wanted: str, names: Iterable[str]) -> str | None:
    """The name as it is there: `wanted` itself, or the only one that differs from it in case alone."""
    names = [name for name in names if isinstance(name, str)]  # h5py gives a name that is no UTF-8 as bytes
    if wanted in names:
        return wanted
    alike = [name for name in names if name.casefold() == wanted.casefold()]
    return alike[0] if len(alike) == 1 else None


def renamed(content: Mapping[str, Any], wanted: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """(the content by the wanted names where these are there in another case, `TRACES as traces` for each)."""
    by_name, said = dict(content), []
    for name in wanted:
        there = found(name, content)
        if there is not None and there != name:
            by_name[name] = by_name.pop(there)
            said.append(f"{there} as {name}")
    return by_name, said


def missing(wanted: str, names: Collection[str]) -> str:
    """`tv is missing; there is TIMES` with the nearest of the names that are there."""
    lower = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(wanted.casefold(), lower, n=1, cutoff=0.6)
    return f"{wanted} is missing" + (f"; there is {lower[near[0]]}" if near else "")
