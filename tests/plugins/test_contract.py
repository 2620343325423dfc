"""Every model that ships keeps the contract, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from neurocli.plugin.cards import ModelCard
from neurocli.plugin.registry import registry
from neurocli.testing import parametrize_with_checks

MODELS = sorted(card.name for card in registry().cards(ModelCard))
SLOW = ("training", "baselines", "data-unchanged", "look-ahead", "scores", "diagnose", "interpret")


@parametrize_with_checks(MODELS, slow=SLOW)
@pytest.mark.filterwarnings("error::neurocli.testing.Doubtful")
@pytest.mark.filterwarnings("ignore:gat-lstm-v1, config. there is no preset quick")
def test_contract(model: str, check: Any) -> None:
    check(model)
