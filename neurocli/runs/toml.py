"""Write nested tables as TOML; the standard library only reads it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"^[A-Za-z0-9_-]+$")


def dumps(values: Mapping[str, Any]) -> str:
    """Nested tables of str, int, float, bool, list and tables → TOML text.

    TOML has no null: a None is written as a comment, so that a reader sees what was unset. Raises TypeError for values
    that TOML cannot hold.
    """
    return "\n".join(_table(values, ())).strip() + "\n"


def unset_keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys whose value is None."""
    keys: list[str] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            keys += unset_keys(value, f"{prefix}{key}.")
        elif value is None:
            keys.append(f"{prefix}{key}")
    return keys


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = []
    if path:
        lines += ["", f"[{'.'.join(_key(part) for part in path)}]"]
    for key, value in values.items():
        if value is None:
            lines.append(f"# {_key(key)} is unset")
        elif not isinstance(value, Mapping):
            lines.append(f"{_key(key)} = {_value(value)}")
    # Sub-tables come last: a plain value after a table's header would belong to that table.
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _string(key)


def _string(text: str) -> str:
    # JSON's escapes are TOML's as well, but TOML refuses a bare DEL, and surrogate pairs that JSON would write for
    # characters beyond 16 bits; hence the text itself with only control characters escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    raise TypeError(f"TOML cannot hold a {type(value).__name__}")
