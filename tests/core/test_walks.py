"""docs/architecture.md walks three files from disk to a score: every stop is there, and there are twelve at most."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = re.split(r"^\*\*A", PAGE.partition("## From a file to a score")[2].partition("\n## ")[0], flags=re.M)[1:]


@pytest.mark.parametrize("walk", WALKS, ids=["worm", "session", "NeuronIO file"])
def test_every_stop_is_there(walk: str) -> None:
    family = re.findall(r"`(neurocli_\w+)`", walk)[0]
    stops = re.findall(r"^\d+\. `([^`]+)`", walk, flags=re.M)
    assert 8 <= len(stops) <= 12
    for stop in stops:
        parts = stop.replace("…", family).split(".")
        for length in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            for name in parts[length:]:
                found = getattr(found, name)
            assert callable(found), stop
            break
