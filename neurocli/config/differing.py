"""How two sets of parameters differ, in words: `g: 4.5 → 5.5`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from neurocli.config.resolve import flatten

_UNSET, _LONGEST = object(), 60


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """{dotted key: `old value → new value`} of every JSON value that only one has or that differs, keys sorted."""
    before, now = dict(flatten(old)), dict(flatten(new))
    return {
        key: f"{_shown(before, key)} → {_shown(now, key)}"
        for key in sorted({*before, *now})
        if before.get(key, _UNSET) != now.get(key, _UNSET)
    }


def in_words(differences: Mapping[str, str], most: int = 6) -> str:
    """`g: 4.5 → 5.5; noise: unset → 1; and 2 more`: the first few differences."""
    lines = [f"{key}: {change}" for key, change in differences.items()]
    return "; ".join(lines[:most]) + (f"; and {len(lines) - most} more" if len(lines) > most else "")


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "unset"
    text = json.dumps(values[key], ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
