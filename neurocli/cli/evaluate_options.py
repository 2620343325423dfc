"""`neuro evaluate --set evaluate.KEY=VALUE`: how a trained run is scored, without training it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurocli.config.resolve import parse_set, resolve
from neurocli.errors import ConfigError

SECTION = "evaluate."


def overridden(config: Any, sets: Sequence[str], fixed: Sequence[str] = ()) -> Any:
    """The configuration with options of its `evaluate` section set anew; other options belong to the training.

    fixed: options of that section that belong to the training too. Raises ConfigError for one of them, for a key outside of the
    section, or one that does not exist.
    """
    for item in sets:
        key, _ = parse_set(item)
        if key in fixed:
            raise ConfigError(
                f"{key} cannot be set for a trained run",
                where="--set",
                hint="the model was built for what it was in the training: set it when you train",
            )
        if not key.startswith(SECTION):
            raise ConfigError(
                f"{key} cannot be set for a trained run",
                where="--set",
                hint=f"options of how it is scored begin with {SECTION}; set others when you train",
            )
    if not sets:
        return config
    return resolve(type(config), preset=("run", config.model_dump(mode="json")), sets=sets).config
