"""No table of README or docs is typed: every block is what its recipe writes from the values that are kept."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "benchmarks" / "tables"


@pytest.fixture(scope="module")
def remake() -> ModuleType:
    spec = importlib.util.spec_from_file_location("remake", FOLDER / "remake.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


def test_blocks_are_what_the_recipes_write(remake: ModuleType) -> None:
    made = {block: text for name in remake.kept_recipes() for block, text in remake.texts(name).items()}
    found = {block: text for page in remake.blocks.pages(ROOT) for block, text in remake.blocks.blocks_of(page)}
    assert set(found) == set(made)
    for block, text in found.items():
        assert text.strip() == made[block].strip(), f"{block}: write it with `remake.py --write`"


def test_every_recipe_names_its_commit_seeds_and_commands(remake: ModuleType) -> None:
    for name in remake.kept_recipes():
        for text in remake.texts(name).values():
            assert re.search(rf"remake\.py {name}`, commit [0-9a-f]{{10}}", text), name


def test_no_table_with_figures_stands_outside_of_a_block(remake: ModuleType) -> None:
    """A table of two or more decimals is a measurement, and measurements are remade."""
    for page in remake.blocks.pages(ROOT):
        outside = remake.blocks._BLOCK.sub("", page.read_text(encoding="utf-8"))
        typed = [line for line in outside.splitlines() if line.startswith("|") and re.search(r"\d\.\d\d", line)]
        assert not typed, f"{page.name}: {typed[0]}"
