"""Options by their own name: `trials` for `data.trials`, where no other option ends like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neurocli.config.resolve import option_keys
from neurocli.errors import ConfigError, nearest_hint

if TYPE_CHECKING:
    from pydantic import BaseModel


def keys_by_name(kind: type[BaseModel]) -> dict[str, list[str]]:
    """Own name of an option → the dotted keys that end with it."""
    keys: dict[str, list[str]] = {}
    for key in option_keys(kind):
        keys.setdefault(key.rpartition(".")[2], []).append(key)
    return keys


def by_full_key(kind: type[BaseModel], options: Mapping[str, Any], *, where: str = "options") -> dict[str, Any]:
    """The same values by dotted key. Raises ConfigError for a name that no option has, or several."""
    keys, known = keys_by_name(kind), set(option_keys(kind))
    by_key: dict[str, Any] = {}
    for name, value in options.items():
        matching = [name] if name in known else keys.get(name, [])
        if not matching:
            raise ConfigError(f"there is no option {name!r}", where=where, hint=nearest_hint(name, [*known, *keys]))
        if len(matching) > 1:
            raise ConfigError(
                f"{name} could be {' or '.join(matching)}", where=where, hint=f"say which: {matching[0]!r}"
            )
        by_key[matching[0]] = value
    return by_key
