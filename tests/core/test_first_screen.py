"""Every promise on README's first screen is checked by a test that exists, and no promise is added without one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from neurocli.config.resolve import read_preset, resolve
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.registry import load_implementation, registry

ROOT = Path(__file__).parents[2]
CHECKED_BY = {
    "Every score stands beside its references": [
        "core/test_scoreboard.py::test_skill_needs_room_above_its_noise",
        "core/test_coverage.py::test_intervals_hold_the_true_score",
        "core/test_tables.py::test_blocks_are_what_the_recipes_write",
    ],
    "No leak by accident": [
        "core/test_split_and_leaks.py::test_statistics_from_test_runs_are_refused",
        "core/test_report_page.py::test_a_leaky_split_is_marked_in_every_table",
        "core/test_look_ahead.py::",
        "plugins/test_contract.py::test_contract",
        "core/test_copies.py::",
    ],
    "Known truth": ["core/test_first_screen.py::test_every_family_brings_a_simulator"],
    "A run survives interruptions": [
        "core/test_training.py::test_sigkill_at_random_moments_leaves_the_same_bits",
        "core/test_simulation.py::test_killed_and_carried_on",
    ],
    "A file cannot mislead you unnoticed": [
        "core/test_recordings_variants.py::",
        "plugins/cnn_lstm/data/test_dat_variants.py::test_no_change_of_a_voltage_file_is_read_to_other_numbers_in_silence",
        "plugins/eirnn/data/test_sc_mat_variants.py::test_a_changed_export_is_never_read_to_other_numbers_in_silence",
        "plugins/eirnn/data/test_sc_nwb_variants.py::",
        "plugins/elm/data/test_neuronio_variants.py::",
        "plugins/elm/data/test_shd_variants.py::",
        "plugins/gat_lstm/data/test_worm_variants.py::",
    ],
    "A file cannot hurt you": [
        "faults/test_hdf5_files.py::test_a_damaged_or_hostile_file_is_refused",
        "core/test_unpickle.py::test_nothing_is_executed",
        "core/test_training.py::test_a_pickle_in_a_checkpoint_is_not_run",
    ],
}


def test_every_promise_has_its_tests() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8").split("## ", 1)[0]
    promises = re.findall(r"^\* \*\*(.+?)\.?\*\*", first, re.M)
    assert promises == list(CHECKED_BY)
    for tests in CHECKED_BY.values():
        for test in tests:
            path, name = test.split("::")
            tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
            names = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
            assert names and (not name or name in names), test


NEURAL = sorted({card.family for card in registry().cards(ModelCard)} - {"sequences"})
"""Families of models of neural activity; the tasks of `sequences` are beyond neurons, and their worlds have labels."""


def test_every_other_family_is_one_of_neural_activity() -> None:
    assert NEURAL == ["cnn_lstm", "eirnn", "elm", "gat_lstm"]


@pytest.mark.parametrize("name", NEURAL)
def test_every_family_brings_a_simulator(name: str) -> None:
    """With a truth that is not empty: weights, true rates or working edges."""
    cards = [card for card in registry().cards(ModelCard) if card.family == name]
    for card in cards:
        assert card.simulator is not None
        assert load_implementation(registry().simulator(card.simulator))(registry().simulator(card.simulator))
    recordings = registry().family(cards[-1].name).example(0)
    assert [*recordings.truth, *(key for group in recordings for key in recordings[group].truth)]


def test_the_presets_that_the_readme_names_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for model, preset in re.findall(r"neuro train ([\w-]+)[^\n`]*--preset ([\w-]+)", text):
        card = registry().model(model)
        family = registry().family(card.name)
        resolve(family.Config, preset=read_preset(family.presets, preset))
