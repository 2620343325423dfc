"""The contract kit: what a plugin author runs, from pytest (`parametrize_with_checks`) or as `neuro plugins check NAME`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurocli.testing.conformance import check_family
    from neurocli.testing.contract import Check, Doubtful
    from neurocli.testing.parametrize import parametrize_with_checks

__all__ = ["Check", "Doubtful", "check_family", "parametrize_with_checks"]

_PLACES = {
    "Check": "contract",
    "Doubtful": "contract",
    "check_family": "conformance",
    "parametrize_with_checks": "parametrize",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
