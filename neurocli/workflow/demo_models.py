"""Which model, and which preset, stand for a family where it is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from neurocli.errors import UnknownName
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.registry import registry

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESETS = ("demo", "quick")
"""The first of these that there is; without any, the defaults."""
_VERSION = re.compile(r"-v(\d+)$")


def model_of(name: str | None) -> ModelCard:
    """The card of a model, of an alias, or of a family's newest model; without a name, of the first family. Raises UnknownName."""
    cards = list(registry().cards(ModelCard))
    families = families_shown()
    if name is None:
        if not families:
            raise UnknownName("no family has a simulator", where="family", hint="neuro plugins lists what is installed")
        name = families[0]
    members = [card for card in cards if card.family == name]
    if members:
        return newest(members)
    aliases = registry().aliases()
    cards_by_name = {card.name: card for card in cards}
    if aliases.get(name, name) not in cards_by_name:
        raise UnknownName.among("family", name, [*families, *cards_by_name, *aliases])
    card: ModelCard = cards_by_name[aliases.get(name, name)]
    return card


def families_shown() -> list[str]:
    """Families whose newest model has a simulator, those of this package first."""
    members: dict[str, list[ModelCard]] = {}
    for plugin in registry().plugins:
        for card in plugin.cards:
            if isinstance(card, ModelCard) and card.family:
                members.setdefault(card.family, []).append(card)
    return [family for family, cards in members.items() if newest(cards).simulator]


def newest(cards: Sequence[ModelCard]) -> ModelCard:
    """The card with the highest `-vN`; the first without such a name where there is none."""
    return max(cards, key=lambda card: int(version[1]) if (version := _VERSION.search(card.name)) else -1)


def preset_of(implementation: Any) -> str | None:
    """The preset by which a model or a simulator is shown."""
    from neurocli.config.resolve import preset_names

    names = preset_names(implementation.presets)
    return next((preset for preset in PRESETS if preset in names), None)
