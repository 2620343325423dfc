"""Names of neurons that are told apart: every one its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from neurocli.recordings import Note

_MOST_SHOWN = 3


def unique_names(names: Sequence[str], where: str) -> tuple[list[str], list[Note]]:
    """Each name once: `7`, `7-2`, `7-3`; one that is empty or `nan` becomes `unnamed-` and the place, from 1. With a doubt for either."""
    blank = [name.strip().lower() in ("", "nan", "inf", "-inf", "none") for name in names]
    wanted = [
        f"unnamed-{place}" if empty else name for place, (name, empty) in enumerate(zip(names, blank, strict=True), 1)
    ]
    counts = Counter(wanted)
    used, result = set(counts), []
    seen: Counter[str] = Counter()
    for name in wanted:
        seen[name] += 1
        unique = name
        if seen[name] > 1:
            number = seen[name]
            while (unique := f"{name}-{number}") in used:
                number += 1
        used.add(unique)
        result.append(unique)
    repeated = [name for name, count in counts.items() if count > 1]
    found = []
    if repeated:
        shown = ", ".join(repeated[:_MOST_SHOWN]) + (", ..." if len(repeated) > _MOST_SHOWN else "")
        several = sum(counts[name] for name in repeated)
        found.append(
            f"{several} of {len(names)} neurons share their id with others ({shown}): numbered, as {repeated[0]}-2"
        )
    if any(blank):
        found.append(
            f"{sum(blank)} of {len(names)} neurons have no id: named by their place, as {wanted[blank.index(True)]}"
        )
    advice = "give every neuron an id of its own: scores and tables are by id"
    return result, [Note("neuron-ids", where, text, advice) for text in found]
