"""Packages that some readers need and that are optional: all that are missing are named at once, before anything is read."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from neurocli.errors import MissingDependency
from neurocli.plugin.cards import ReaderCard


def missing_packages(card: ReaderCard) -> list[str]:
    """Packages of a reader that are not installed."""
    return [name for name in card.packages if importlib.util.find_spec(name) is None]


def needs(cards: Sequence[ReaderCard], files: Sequence[Path]) -> MissingDependency:
    """The error that names every missing package of some readers, the files that need them, and one command that installs all."""
    packages = dict.fromkeys(name for card in cards for name in missing_packages(card))
    extras = dict.fromkeys(card.extra for card in cards if card.extra)
    plain = [name for card in cards if not card.extra for name in missing_packages(card)]
    shown = ", ".join(path.name for path in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    wanted = ([f'"neurocli[{",".join(extras)}]"'] if extras else []) + plain
    return MissingDependency(
        f"reading {shown} needs the package{'s' * (len(packages) > 1)} {' and '.join(packages)}",
        where=", ".join(map(str, files[:3])),
        hint=f"pip install {' '.join(wanted)}",
    )
