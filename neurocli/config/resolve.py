"""Layer values over one another: default < preset < --config file < --set < flag, and remember where each came from."""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from neurocli.errors import ConfigError, UnknownName, nearest_hint

C = TypeVar("C", bound=BaseModel)


@dataclass(frozen=True)
class Resolved(Generic[C]):
    """A checked configuration with the origin of every value, by dotted key."""

    config: C
    origins: dict[str, str]

    def rows(self) -> list[tuple[str, Any, str]]:
        """(dotted key, value, origin) of every option."""
        values = dict(flatten(self.config.model_dump(mode="json")))
        return [(key, values.get(key), self.origins.get(key, "default")) for key in values]


def resolve(
    kind: type[C],
    *,
    preset: tuple[str, Mapping[str, Any]] | None = None,
    file: Path | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Resolved[C]:
    """Build a `kind` from its layers.

    `preset` is (name, values), `file` a TOML file, `sets` a list of `dotted.key=value`, `flags` dotted keys with the
    values of the command-line options that were given. Raises ConfigError that names the key, its origin and the nearest
    right key.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    if preset is not None:
        layers.append((f"preset {preset[0]}", dict(flatten(preset[1]))))
    if file is not None:
        layers.append((str(file), dict(flatten(read_toml(file)))))
    layers.append(("--set", dict(parse_set(item) for item in sets)))
    layers.append(("flag", dict(flags or {})))

    known = set(option_keys(kind))
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, values in layers:
        for key, value in values.items():
            if key not in known:
                raise ConfigError(f"there is no option {key!r}", where=origin, hint=_key_hint(key, known))
            merged[key] = value
            origins[key] = origin
    try:
        # On top of the family's own defaults: a section given in part must not fall back to the section class's.
        config = kind.model_validate(_nest(dict(flatten(kind().model_dump())) | merged), strict=False)
    except ValidationError as error:
        raise _as_config_error(error, origins, merged, dict(flatten(kind().model_dump()))) from None
    return Resolved(config, origins)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file, with or without a byte-order mark, with any ends of lines. Raises ConfigError with the line of a mistake."""
    try:
        content = path.read_bytes()
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what some editors call Unicode
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    except FileNotFoundError:
        reason, hint = "does not exist", "check the path given to --config"
    except OSError as error:
        reason, hint = f"cannot be read: {error.strerror or error}", "check the path given to --config"
    except UnicodeDecodeError as error:
        reason, hint = f"is not text: byte {error.start} is not UTF-8", "a TOML file in UTF-8 is needed"
    except (ValueError, RecursionError) as error:  # the parser's own errors, too many digits, too many brackets
        reason, hint = f"is not TOML: {error}", "an option looks like this: [train], and below it epochs = 20"
    raise ConfigError(f"the configuration file {reason}", where=str(path), hint=hint)


def read_preset(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    """The preset `name` of a folder of TOML files. Raises UnknownName with the presets that there are."""
    known = preset_names(folder)
    if name not in known:
        raise UnknownName.among("preset", name, known)
    return name, read_toml(folder / f"{name}.toml")


def preset_names(folder: Path) -> list[str]:
    """The names of the presets in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def parse_set(item: str) -> tuple[str, Any]:
    """`key=value` → (key, value); the value is read as TOML where it is TOML, else kept as text."""
    key, equals, text = item.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set takes key=value, not {item!r}", where="--set", hint="like --set seed=1")
    text = text.strip()
    if text.lower() in ("none", "null", ""):
        return key, None
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, or more digits or brackets than its parser takes
        return key, text


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables → (dotted key, value)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def option_keys(kind: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted keys of every option of a configuration class."""
    for name, info in kind.model_fields.items():
        nested = section_of(info.annotation)
        if nested is not None:
            yield from option_keys(nested, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section class behind a field's annotation, or None for a plain value."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python refuses to write an integer of very many digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= 60 else f"{text[:60]}…"


def _key_hint(key: str, known: set[str]) -> str:
    leaf = key.rpartition(".")[2]
    same_leaf = sorted(k for k in known if k.rpartition(".")[2] == leaf)
    return f"did you mean {' or '.join(same_leaf)}?" if same_leaf else nearest_hint(key, known)


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *parents, leaf = key.split(".")
        table = nested
        for parent in parents:
            table = table.setdefault(parent, {})
        table[leaf] = value
    return nested


def _as_config_error(
    error: ValidationError, origins: Mapping[str, str], values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    # A union adds the name of the tried type to the path: the longest prefix that is a given key is the option.
    key = next((".".join(path[:n]) for n in range(len(path), 0, -1) if ".".join(path[:n]) in values), ".".join(path))
    given = values.get(key, first.get("input"))
    reason = str(first["msg"]).removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    subject = f"{key} = {_shown(given)} is not possible" if key else "the configuration does not hold together"
    hint = (
        f"its default is {defaults[key]}" if key in defaults else f"given were {', '.join(values) or 'defaults only'}"
    )
    return ConfigError(f"{subject}: {reason}", where=origins.get(key, "config"), hint=hint)
