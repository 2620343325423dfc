"""Nested tables as TOML, which has no null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w


def dumps(values: Mapping[str, Any]) -> str:
    """Nested tables of str, int, float, bool, list and tables → TOML text.

    What is None stands as a comment at the top, so that a reader sees what was unset. Raises TypeError for values that TOML
    cannot hold.
    """
    unset = "".join(f"# {key} is unset\n" for key in unset_keys(values))
    return unset + tomli_w.dumps(_set(values))


def unset_keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys whose value is None."""
    keys: list[str] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            keys += unset_keys(value, f"{prefix}{key}.")
        elif value is None:
            keys.append(f"{prefix}{key}")
    return keys


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same tables without what is None."""
    return {
        key: _set(value) if isinstance(value, Mapping) else value for key, value in values.items() if value is not None
    }
