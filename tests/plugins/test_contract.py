"""Every model that ships keeps the contract, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from neurocli.plugin.cards import ModelCard
from neurocli.plugin.registry import registry
from neurocli.testing import parametrize_with_checks
from neurocli.testing.conformance import STEPS

MODELS = sorted(card.name for card in registry().cards(ModelCard))
FAST_STEPS = ("card", "config", "example", "adapt", "batches", "build")
"""Without any arithmetic of a network, which some families compile first."""
FAST_MODEL = "gat-lstm-v3"
"""Compiles nothing: here everything that takes no seconds is fast."""
SECONDS = ("baselines", "data-unchanged", "look-ahead", "other-device", "scores", "diagnose", "interpret")
SLOW = [
    f"{model}-{step.name}"
    for model in MODELS
    for step in STEPS
    if step.name in SECONDS or (step.name not in FAST_STEPS and model != FAST_MODEL)
]


@parametrize_with_checks(MODELS, slow=[*SLOW, "cnn-lstm-v1"])
@pytest.mark.filterwarnings("error::neurocli.testing.Doubtful", "ignore:gat-lstm-v1, config. there is no preset quick")
def test_contract(model: str, check: Any) -> None:
    """What is in doubt fails too, but for what is known. The data of cnn-lstm-v1 are those of v2."""
    check(model)
