"""Every option of every model and simulator says what it is, in words and in a type that a reader knows."""

import re

import pytest

from neurocli.cli.models import _options
from neurocli.plugin.cards import ModelCard, SimulatorCard
from neurocli.plugin.registry import load_implementation, registry

CARDS = {card.name: card for kind in (ModelCard, SimulatorCard) for card in registry().cards(kind)}


@pytest.mark.parametrize("name", CARDS)
def test_every_option_is_explained(name: str) -> None:
    kind = CARDS[name]
    implementation = registry().family(name) if isinstance(kind, ModelCard) else load_implementation(kind)
    options = list(_options(implementation.Config))
    assert options
    silent = [key for key, _, _, text in options if not text]
    assert not silent, f"without a description: {silent}"
    strange = [kind for _, _, kind, _ in options if re.search(r"typing|<class|Annotated|FieldInfo|NoneType", kind)]
    assert not strange


def test_types_are_in_words() -> None:
    types = {key: kind for key, _, kind, _ in _options(load_implementation(CARDS["gat-lstm-v1"]).Config)}
    assert types["evaluate.horizons"] == "list of int, ≥ 1"
    assert types["train.max_steps"] == "int, ≥ 1, or unset"
    assert types["train.optimizer"] == "adam | adamw | adamax"
