"""What chooses the epoch is cut from the training cases, what belongs together stays together, and planted leaks are found."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.errors import DataError, LeakError
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.adapting import adapted
from neurocli_sequences.config import CaseSection
from neurocli_sequences.data.case_split import BY_CASE, PUBLISHED, Case, copied_cases, split_cases


def case(
    n: int, part: str | None = None, *, label: float = 0, owner: str | None = None, content: int | None = None
) -> Case:
    return Case(
        f"{part or 'case'}-{n:05d}", part, label, owner, (content if content is not None else n).to_bytes(8, "big")
    )


def published(train: int = 40, test: int = 20, **more) -> list[Case]:
    cases = [case(n, "train", label=n % 4, **more) for n in range(train)]
    return cases + [case(n, "test", label=n % 4, content=1000 + n) for n in range(test)]


def test_the_published_test_set_is_the_test_set() -> None:
    split = split_cases(published(), CaseSection(validation=0.25), classes=True)
    assert split.protocol == PUBLISHED and not split.leaky
    assert split.test == tuple(f"test-{n:05d}" for n in range(20))
    assert len(split.validation) == 10 and len(split.train) == 30
    assert all(group.startswith("train") for group in (*split.train, *split.validation))


def test_a_validation_part_that_the_file_tells_is_taken() -> None:
    cases = [*published(), *(case(n, "validation", label=n % 4, content=500 + n) for n in range(8))]
    split = split_cases(cases, CaseSection(), classes=True)
    assert len(split.validation) == 8 and len(split.train) == 40


@pytest.mark.parametrize("told", [True, False])
def test_speakers_are_never_on_two_sides(told: bool) -> None:
    cases = [case(n, "train" if told else None, label=n % 4, owner=f"speaker {n % 8}") for n in range(80)]
    if told:
        cases += [case(n, "test", label=n % 4, owner=f"speaker {8 + n % 3}", content=1000 + n) for n in range(30)]
    split = split_cases(cases, CaseSection(validation=0.2, test=0.2), classes=True)
    owner = {c.group: c.owner for c in cases}
    sides = [{owner[group] for group in split.groups(part)} for part in ("train", "validation", "test")]
    assert all(sides) and not (sides[0] & sides[1]) and not (sides[0] & sides[2]) and not (sides[1] & sides[2])
    assert split.protocol == (PUBLISHED if told else BY_CASE)


def test_speakers_that_are_the_classes_cannot_be_held_apart() -> None:
    """JapaneseVowels: who speaks is what is asked."""
    cases = [case(n, "train", label=n % 4, owner=f"speaker {n % 4}") for n in range(40)]
    split = split_cases([*cases, *published(0, 8)], CaseSection(validation=0.25), classes=True)
    labels = {c.group: c.label for c in cases}
    assert {labels[group] for group in split.train} == {0, 1, 2, 3}


def test_equal_cases_stay_together() -> None:
    """Forty cases in pairs of equal content: no pair is in training and in validation."""
    cases = [case(n, label=0, content=n // 2) for n in range(80)]
    split = split_cases(cases, CaseSection(validation=0.3, test=0.3), classes=True)
    part = {group: name for name in ("train", "validation", "test") for group in split.groups(name)}
    assert all(part[f"case-{2 * k:05d}"] == part[f"case-{2 * k + 1:05d}"] for k in range(40))


def test_a_copied_file_is_a_leak_and_a_few_published_copies_are_counted() -> None:
    copied = [case(n, "test", label=n % 4, content=n) for n in range(20)]  # the training file, named as a test file
    with pytest.raises(LeakError, match="are training cases"):
        split_cases([*published(40, 0), *copied], CaseSection(), classes=True)
    cases = published(300, 200)
    cases[-1] = case(199, "test", label=cases[0].label, content=0)
    split = split_cases(cases, CaseSection(), classes=True)
    assert copied_cases(cases, split) == {"test-00199": "train-00000"}


def test_too_little_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match="test cases only") as caught:
        split_cases(published(0, 20), CaseSection(), classes=True)
    assert "training file" in caught.value.hint
    with pytest.raises(DataError, match="belong to a part"):
        split_cases([case(1, "train"), case(2), case(3)], CaseSection(), classes=True)


def test_fewer_training_cases_leave_the_others_as_they_are() -> None:
    every = split_cases(published(400, 20), CaseSection(), classes=True)
    few = split_cases(published(400, 20), CaseSection(most=50), classes=True)
    assert len(few.train) == 50 and set(few.train) < set(every.train)
    assert (few.validation, few.test) == (every.validation, every.test)


def images(parts: list[str], seed: int = 0, **labels) -> RecordingSet:
    rng = np.random.default_rng(seed)
    cases = [
        Recording(
            f"{part}-{n:05d}",
            rng.integers(0, 255, (6, 6)).astype(np.uint8),
            1.0,
            "grey level",
            labels={"class": n % 3, "part": part, **labels},
        )
        for n, part in enumerate(parts)
    ]
    meta = {"kind": "images", "layout": {"height": 6, "width": 6, "colours": 1}, "classes": ["a", "b", "c"]}
    return RecordingSet.of(cases, meta=meta)


def test_scales_come_from_the_training_cases_alone() -> None:
    """Bright test images change neither mean nor standard deviation."""
    family = registry().family("lstm", "digits")
    plain = images(["train"] * 30 + ["test"] * 10)
    bright = {group: plain[group] for group in plain}
    for group in bright:
        if group.startswith("test"):
            bright[group].signal = np.minimum(bright[group].signal.astype(int) + 100, 255).astype(np.uint8)
    first, second = (
        adapted(family, these, family.Config())
        for these in (plain, RecordingSet.of(list(bright.values()), meta=plain.meta))
    )
    np.testing.assert_array_equal(first.normalisation.mean, second.normalisation.mean)
    np.testing.assert_array_equal(first.normalisation.sd, second.normalisation.sd)
    train = np.concatenate([plain[group].signal.ravel() for group in first.split.train])
    assert first.normalisation.mean[0] == pytest.approx(train.mean()) and first.normalisation.sd[0] == pytest.approx(
        train.std()
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"class": 3}, "the class is 3, not one of 0 to 2"),
        ({"class": -1}, "the class is -1"),
        ({"class": 0.5}, "the class is 0.5"),
        ({"class": None}, "has no class"),
        ({"class": "a"}, "has no class"),
    ],
)
def test_a_class_that_there_is_not_is_named_with_its_case(change: dict, says: str) -> None:
    these = images(["train"] * 20 + ["test"] * 5)
    changed = [these[group] for group in these]
    changed[7].labels.update(change)
    family = registry().family("gru", "digits")
    with pytest.raises(DataError, match=says) as caught:
        adapted(family, RecordingSet.of(changed, meta=these.meta), family.Config())
    assert "train-00007" in caught.value.where
