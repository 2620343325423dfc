"""What a report says of a run's data, options and origin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neurocli.config.resolve import flatten
from neurocli.report.scores import Sheet
from neurocli.report.words import clean

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Part:
    """A part of the split: how many groups it has, and their names."""

    name: str
    number: int
    groups: str


def parts_of(info: Mapping[str, Any]) -> list[Part]:
    """The groups of every part of the split, and of every fold where there are any."""
    split = info.get("split") or {}
    if not split:
        return []
    parts = [_part(name, split["groups"][name]) for name in PARTS]
    for number, fold in enumerate(split.get("folds") or [], 1):
        parts += [_part(f"fold {number}, {name}", fold[name]) for name in PARTS if fold[name]]
    return parts


def _part(name: str, groups: list[str]) -> Part:
    return Part(name, len(groups), clean(", ".join(map(str, groups))))


def sources_of(info: Mapping[str, Any], provenance: Mapping[str, Any]) -> Sheet:
    """The run's files with their sizes and sums."""
    source = info.get("data") or {}
    known = {entry["path"]: entry for entry in provenance.get("data") or []}
    rows = []
    for path in source.get("paths") or []:
        entry = known.get(path, {})
        size = entry.get("bytes")
        rows.append([path, None if size is None else f"{size / 1e6:.4g} MB", entry.get("sha256")])
    simulator = source.get("simulator")
    note = f"simulated by {simulator}, since no data were named" if simulator else None
    return Sheet("", ["file", "size", "sha256"], rows, note)


def options_of(config: Mapping[str, Any], origins: Mapping[str, Any]) -> Sheet:
    """Every option, its exact value, and which layer it comes from."""
    rows = [[key, _exact(value), origins.get(key, "default")] for key, value in flatten(config)]
    return Sheet("", ["option", "value", "origin"], rows)


def provenance_of(provenance: Mapping[str, Any]) -> Sheet:
    """What the run was made with."""
    return Sheet("", ["", "value"], [list(row) for row in _provenance(provenance)])


def _provenance(provenance: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if provenance.get("command"):
        yield "command", shlex.join(map(str, provenance["command"]))
    for key in ("folder", "created", "python", "platform", "machine"):
        yield key, provenance.get(key)
    commit = provenance.get("git")
    if commit:
        yield "commit", f"{commit['commit']}{', with uncommitted changes' if commit.get('changed') else ''}"
    else:
        yield "commit", None
    yield from (provenance.get("versions") or {}).items()


def _exact(value: Any) -> str:
    """A value as it must be given again: no digit is left out."""
    if value is None:
        return "unset"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
