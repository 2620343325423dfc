"""Signals at any moment, most of them while something is written: no wrong file, no wrong exit, no orphan, and the same bytes after all."""

from __future__ import annotations

import math
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from soak.chains import meet_faults, soak
from soak.commands import Commands
from soak.worlds import FAMILIES, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
FACTOR = float(os.environ.get("NEUROCLI_SOAK", "4"))
"""How many times as many signals are sent: 4 for 800, 500 of them aimed at writes."""
SHARES = {
    "simulate": 16, "preprocess": 20, "train": 32, "train --resume": 32, "evaluate": 16, "diagnose": 16, "interpret": 8,
    "compare": 8, "report": 20, "runs": 6, "info": 6, "models": 4, "explain": 4, "demo": 16,
}  # fmt: skip
"""Of 204 signals for each family; three of five are aimed at writes, the others come at random moments."""
# Two servers, so that two workers share the work.
ROOMS = {"cnn_lstm": "signals-1", "gat_lstm": "signals-1", "eirnn": "signals-2", "elm": "signals-2"}
EACH = [
    pytest.param(family, case, marks=pytest.mark.xdist_group(ROOMS[family]), id=f"{family} {case}")
    for family in FAMILIES
    for case in SHARES
]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    commands = Commands(tmp_path_factory.mktemp("cache"))
    made: dict[str, World] = {}

    def world(family: str) -> World:
        if family not in made:
            made[family] = World(commands, family, tmp_path_factory.mktemp(family)).build()
        return made[family]

    yield world
    commands.close()


@pytest.mark.parametrize(("family", "case"), EACH)
def test_signals_at_writes_and_at_random(worlds, tmp_path, family: str, case: str) -> None:
    """512 aimed and 304 random ones over all commands of all families; `NEUROCLI_SOAK=1` sends a quarter of them."""
    share = SHARES[case] * FACTOR / 4
    aimed, draw = math.ceil(share * 0.6), random.Random(f"signals {family} {case}")
    assert soak(worlds(family), case, aimed, max(round(share) - aimed, 1), tmp_path / "w", draw) == []


@pytest.mark.parametrize(("family", "case"), EACH)
def test_faults_at_the_points_of_a_command(worlds, tmp_path, family: str, case: str) -> None:
    """At every beginning and end of a stage, and at some of the files; `NEUROCLI_SOAK`: at more of them."""
    draw, points = random.Random(f"faults {family} {case}"), worlds(family).reference(case).points
    files = [point for point in points if point.startswith(("flush", "rename"))]
    stages = [point for point in points if point not in files]
    chosen = stages + draw.sample(files, min(len(files), round(FACTOR)))
    assert meet_faults(worlds(family), case, chosen, tmp_path / "w", draw) == []
