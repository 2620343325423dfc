"""The glossary: what the words, abbreviations and names in tables and notes mean, from TOML files that lie beside the code.

`neurocli/report/glossary.toml` holds the terms of the core. A plugin may ship a `glossary.toml` in the top folder of its package:

    [[term]]
    name = "RMSE"
    also = ["root mean squared error"]    # other spellings, names of checks, and the like
    meaning = "Root mean squared error, in the unit that stands beside it. Lower is better."
    see = ["MAE", "R2"]

`python -m neurocli.report.glossary` prints `docs/glossary.md`.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from neurocli.errors import UnknownName
from neurocli.plugin.hooks import PROJECT
from neurocli.plugin.registry import Plugin, registry

CORE = "core"
FILE = "glossary.toml"
REMAKE = "python -m neurocli.report.glossary > docs/glossary.md"
_KEYS = {"name": str, "meaning": str, "also": list, "see": list}
_NUMBER = re.compile(r"\d*\.?\d+")
_UNIT = re.compile(r"(?<=.)\s*[\[(][^\[\]()]*[\])]$")


@dataclass(frozen=True)
class Term:
    """One entry. also: other names that it answers to; see: names of related terms; family: `core`, or the plugin that ships it."""

    name: str
    meaning: str
    also: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    family: str = CORE

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.also)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "family": self.family,
            "also": list(self.also),
            "meaning": self.meaning,
            "see": list(self.see),
        }


@dataclass
class Glossary:
    """Terms in the order of their families, by name within each; faults: why files of plugins were left out."""

    terms: list[Term] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def families(self) -> list[str]:
        return list(dict.fromkeys(term.family for term in self.terms))

    def of_family(self, family: str) -> list[Term]:
        return [term for term in self.terms if term.family == family]

    def find(self, name: str) -> list[Term]:
        """Every term that answers to `name`, none where there is none.

        Letter case, hyphens and a unit in brackets do not count: `rmse (mv)` is RMSE. `AR(20)` is also looked for as `AR(N)`.
        """
        for key in _keys(name):
            terms = [term for term in self.terms if key in map(_plain, term.names)]
            if terms:
                return terms
        return []

    def explain(self, words: Sequence[str]) -> list[Term]:
        """The terms that `words` name, in their order, each once; the longest run of words that is a term counts as one.

        Raises UnknownName, with the nearest terms, where a word belongs to no term.
        """
        explained: list[Term] = []
        start = 0
        while start < len(words):
            ends = range(len(words), start, -1)
            end, terms = next(((e, t) for e in ends if (t := self.find(" ".join(words[start:e])))), (start, []))
            if not terms:
                raise self._unknown(" ".join(words[start:]))
            explained += [term for term in terms if term not in explained]
            start = end
        return explained

    def _unknown(self, name: str) -> UnknownName:
        # Compared in small letters, and shown as they are written.
        written = {_plain(known): known for term in self.terms for known in reversed(term.names)}
        error = UnknownName.among("term", _plain(name), written)
        near = re.match(r"did you mean (.*)\?$", error.hint or "")
        names = [written.get(known_name, known_name) for known_name in near[1].split(" or ")] if near else []
        hint = f"did you mean {' or '.join(names)}?" if names else "neuro explain lists all terms"
        return UnknownName(f"no term is called {name!r}", where=name, hint=hint)


def glossary() -> Glossary:
    """The terms of the core and of every plugin that works."""
    return _gathered(registry().plugins)


def shipped() -> Glossary:
    """The terms of the core and of the families that come with it, which `docs/glossary.md` shows."""
    return _gathered(plugin for plugin in registry().plugins if plugin.distribution == PROJECT)


def render(shown_glossary: Glossary) -> str:
    """The glossary as a page in Markdown."""
    lines = [
        "# Glossary",
        "",
        "What the words, abbreviations and names in the tables, notes and figures of `neuro` mean. `neuro explain TERM` prints an",
        "entry, and `neuro explain` lists all of them. This page is made from `neurocli/report/glossary.toml` and from the",
        "`glossary.toml` of each family:",
        "",
        f"    {REMAKE}",
        "",
    ]
    for family in shown_glossary.families:
        lines += [f"## {family}", ""]
        for term in shown_glossary.of_family(family):
            also = f" ({'; '.join(map(_escaped, term.also))})" if term.also else ""
            see = f" See {'; '.join(f'*{_escaped(name)}*' for name in term.see)}." if term.see else ""
            lines.append(f"* **{_escaped(term.name)}**{also}: {_escaped(term.meaning)}{see}")
        lines.append("")
    return "\n".join(lines)


def terms_of(text: str, family: str) -> list[Term]:
    """The terms of a TOML file, by name. Raises ValueError that says what is wrong in it."""
    content = tomllib.loads(text)
    entries = content.pop("term", [])
    if content or not isinstance(entries, list):
        raise ValueError("a glossary holds [[term]] and nothing else")
    return sorted((_term(entry, n, family) for n, entry in enumerate(entries)), key=lambda term: term.name.casefold())


def _term(entry: Any, number: int, family: str) -> Term:
    where = f"term {number + 1}"
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is no table")
    where = f"{where}, {entry['name']}" if isinstance(entry.get("name"), str) else where
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise ValueError(f"{where}: unknown key {unknown[0]!r}")
    for key, kind in _KEYS.items():
        value = entry.get(key, [] if kind is list else None)
        texts = value if isinstance(value, list) else [value]
        if not isinstance(value, kind) or not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f"{where}: {key} is no {'list of texts' if kind is list else 'text'}")
    meaning = " ".join(entry["meaning"].split())
    return Term(entry["name"], meaning, tuple(entry.get("also", ())), tuple(entry.get("see", ())), family)


def _gathered(plugins: Iterable[Plugin]) -> Glossary:
    gathered = Glossary()
    _read(gathered, resources.files("neurocli.report"), CORE, "neurocli.report")
    for family, package in _packages(plugins):
        _read(gathered, resources.files(package), family, package)
    return gathered


def _packages(plugins: Iterable[Plugin]) -> Iterator[tuple[str, str]]:
    """(family, package) of every plugin that works, each package once: discovery has imported them, so that nothing is loaded."""
    seen = set()
    for plugin in plugins:
        package = plugin.module.partition(":")[0].partition(".")[0]
        if plugin.ok and package not in seen and hasattr(sys.modules.get(package), "__path__"):
            seen.add(package)
            yield plugin.entry_point, package


def _read(gathered: Glossary, folder: Traversable, family: str, package: str) -> None:
    file = folder / FILE
    try:
        if file.is_file():
            gathered.terms += terms_of(file.read_text(encoding="utf-8"), family)
    except (OSError, ValueError) as error:  # also of TOML and of UTF-8
        gathered.faults.append(f"{package}: {FILE} is left out: {error}")


def _keys(name: str) -> Iterator[str]:
    """The forms under which a name is looked for, the most exact first."""
    plain = _plain(name)
    bare = _plain(_UNIT.sub("", name.strip()))
    yield from dict.fromkeys((plain, _NUMBER.sub("n", plain), bare, _NUMBER.sub("n", bare)))


def _plain(name: str) -> str:
    """Small letters, and a blank for whatever stands between words."""
    return " ".join(re.sub(r"[-_\s]+", " ", name).casefold().split())


def _escaped(text: str) -> str:
    """Text in which Markdown sees no marks but those of code."""
    return re.sub(r"`[^`]*`|[*_\[\]<>|\\]", lambda mark: mark[0] if len(mark[0]) > 1 else f"\\{mark[0]}", text)


if __name__ == "__main__":
    print(render(shipped()), end="")
