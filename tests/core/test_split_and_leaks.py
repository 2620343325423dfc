"""A leak of each kind is planted, and refused."""

import numpy as np
import pytest

from neurocli.errors import DataError, LeakError
from neurocli.recordings import Normalisation, Split, split_by_group
from neurocli.recordings.windows import Window, audit, count_seen_targets, windows_in

GROUPS = [f"run-{k:04d}" for k in range(50)]
LENGTHS = dict.fromkeys(GROUPS, 100)


def plan(split: Split) -> dict[str, list[Window]]:
    return {
        part: [w for g in split.groups(part) for w in windows_in(g, 100, 20, 5)]
        for part in ("train", "validation", "test")
    }


def test_fifty_runs_give_35_7_8_and_the_same_split_for_the_same_seed() -> None:
    split = split_by_group(GROUPS, seed=3)
    assert [len(split.groups(p)) for p in ("train", "validation", "test")] == [35, 7, 8]
    assert split == split_by_group(GROUPS, seed=3) != split_by_group(GROUPS, seed=4)
    assert {*split.train, *split.validation, *split.test} == set(GROUPS)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 10, 20])
def test_every_part_of_a_small_set_has_a_group(count: int) -> None:
    split = split_by_group(GROUPS[:count])
    assert all(split.groups(p) for p in ("train", "validation", "test"))


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError, match="2 independent groups"):
        split_by_group(GROUPS[:2])


def test_a_clean_plan_passes() -> None:
    split = split_by_group(GROUPS)
    normal = Normalisation.fit((g, np.random.default_rng(0).normal(size=(50, 3))) for g in split.train)
    audit(split, plan(split), LENGTHS, normal)


def test_a_run_in_two_parts_is_refused() -> None:
    with pytest.raises(LeakError, match="run-0001 would be in train and in test"):
        Split(("run-0000", "run-0001"), ("run-0002",), ("run-0001",))


def test_a_test_run_in_a_training_window_is_refused() -> None:
    split = split_by_group(GROUPS)
    windows = plan(split)
    windows["train"].append(Window(split.test[0], 0, 20, 20))
    with pytest.raises(LeakError, match="train window"):
        audit(split, windows, LENGTHS, None)


def test_a_window_across_runs_is_refused() -> None:
    split = split_by_group(GROUPS)
    windows = plan(split)
    windows["train"].append(Window(split.train[0], 90, 110, 110))
    with pytest.raises(LeakError, match="crosses its end"):
        audit(split, windows, LENGTHS, None)


def test_statistics_from_test_runs_are_refused() -> None:
    split = split_by_group(GROUPS)
    normal = Normalisation.fit((g, np.random.default_rng(0).normal(size=(50, 3))) for g in GROUPS)
    with pytest.raises(LeakError, match="which is not training data"):
        audit(split, plan(split), LENGTHS, normal)


def test_overlapping_windows_show_their_targets() -> None:
    train, test = [Window("a", 0, 20, 20)], [Window("a", 5, 15, 15), Window("a", 20, 40, 40), Window("b", 5, 15, 15)]
    assert count_seen_targets(train, test) == 1


def test_windows_never_pass_the_end() -> None:
    for steps in range(20, 60):
        assert all(w.target < steps and w.start >= 0 for w in windows_in("a", steps, 20, 3))
