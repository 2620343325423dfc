"""Every check of cases fires on a fault that is planted, and is silent on clean digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurocli.diagnosis import Finding
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli_sequences.data.digits import digits
from neurocli_sequences.token_tasks import text_case

LARGEST = 16
"""Grey level of white."""


def parts(recordings: RecordingSet, tested: int = 200) -> list[Recording]:
    """All digits, of which the last are the published test set."""
    every = list(recordings.values())
    return [labelled(r, part="test" if n >= len(every) - tested else "train") for n, r in enumerate(every)]


def labelled(recording: Recording, group: str | None = None, signal: Any = None, **labels: Any) -> Recording:
    """The same recording with another name, other values or other labels."""
    values = recording.signal if signal is None else np.asarray(signal)
    return Recording(group or recording.group, values, 1.0, recording.unit, labels={**recording.labels, **labels})


@pytest.fixture(scope="module")
def clean() -> RecordingSet:
    return digits()


def found(
    recordings: RecordingSet, task: str = "digits", model: str = "lstm", options: Any = None
) -> dict[tuple[str, str], Finding]:
    """(check, subject) → its finding."""
    family = registry().family(model, task)
    config = family.Config.model_validate(options or {})
    return {(f.check, f.subject): f for f in family.diagnose_data(recordings, config)}


def of(findings: dict[tuple[str, str], Finding], check: str) -> Finding:
    return next(finding for (name, _), finding in findings.items() if name == check)


def with_planted(
    clean: RecordingSet, plant: Callable[[list[Recording]], list[Recording]]
) -> dict[tuple[str, str], Finding]:
    return found(RecordingSet.of(plant(parts(clean)), meta=clean.meta))


def test_clean_digits_pass(clean: RecordingSet) -> None:
    for recordings in (clean, RecordingSet.of(parts(clean), meta=clean.meta)):
        findings = found(recordings, model="elm-v2")
        assert {f.verdict for f in findings.values()} == {"PASS"}
        assert "near-copies" in {check for check, _ in findings}


def test_a_copied_test_image_warns_and_many_fail(clean: RecordingSet) -> None:
    def copied(count: int) -> Callable[[list[Recording]], list[Recording]]:
        return lambda every: [
            *every,
            *(labelled(every[n], f"copy-{n}", part="test") for n in range(count)),
        ]

    overlap = of(with_planted(clean, copied(1)), "split-overlap")
    assert overlap.verdict == "WARN" and "copy-0 is digit-00000" in overlap.value
    findings = with_planted(clean, copied(20))
    assert of(findings, "split-overlap").verdict == "FAIL"
    assert of(findings, "usable").verdict == "FAIL" and of(findings, "usable").advice
    assert of(findings, "lengths").verdict == "PASS"  # what leaks is looked at all the same


NEAR: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "noise": lambda x, random: x + random.normal(0, 0.02 * LARGEST, x.shape),
    "shifted": lambda x, random: np.pad(x, ((0, 0), (1, 0)))[:, :-1],
    "darker": lambda x, random: 0.7 * x + 2,
}


@pytest.mark.parametrize("way", NEAR)
def test_near_copies_are_named(clean: RecordingSet, way: str) -> None:
    sources = [n for n, r in enumerate(clean.values()) if not r.signal[:, -1].any()][:5]  # nothing is lost by a shift
    random = np.random.default_rng(0)

    def plant(every: list[Recording]) -> list[Recording]:
        as_float = [labelled(r, signal=r.signal.astype(np.float32)) for r in every]
        made = [NEAR[way](as_float[n].signal, random).astype(np.float32) for n in sources]
        return [
            *as_float,
            *(labelled(every[n], f"near-{n}", image, part="test") for n, image in zip(sources, made, strict=True)),
        ]

    finding = of(with_planted(clean, plant), "near-copies")
    assert finding.verdict == "WARN"
    assert finding.value.startswith("5 test cases")
    for n in sources:
        assert f"near-{n} is nearly digit-{n:05d}" in finding.value


def test_a_relabelled_copy_contradicts(clean: RecordingSet) -> None:
    def plant(every: list[Recording]) -> list[Recording]:
        return [*every, labelled(every[3], "other-label", **{"class": 9})]

    finding = of(with_planted(clean, plant), "contradicting-labels")
    assert finding.verdict == "WARN" and "digit-00003" in finding.value and "other-label" in finding.value


def test_classes_that_are_missing_or_rare(clean: RecordingSet) -> None:
    def without(keep: int) -> Callable[[list[Recording]], list[Recording]]:
        def plant(every: list[Recording]) -> list[Recording]:
            sevens = [r for r in every if r.labels["class"] == 7 and r.labels["part"] == "train"]
            return [r for r in every if all(r is not seven for seven in sevens[keep:])]

        return plant

    absent = of(with_planted(clean, without(0)), "missing-classes")
    assert absent.verdict == "FAIL" and absent.value.startswith("7 (")
    findings = with_planted(clean, without(9))
    assert of(findings, "missing-classes").verdict == "PASS"
    assert of(findings, "class-balance").verdict == "WARN" and of(findings, "class-balance").value.startswith("7 (")


def test_owners_in_two_parts_and_uneven_ones(clean: RecordingSet) -> None:
    def plant(every: list[Recording]) -> list[Recording]:
        # Writer 0 wrote nine of ten training images, and one of the test images.
        owners = [0 if n % 10 else 1 + n // 200 for n in range(len(every) - 200)] + [0] + [99] * 199
        return [labelled(r, speaker=owner) for r, owner in zip(every, owners, strict=True)]

    findings = with_planted(clean, plant)
    shared = of(findings, "shared-owners")
    assert shared.verdict == "WARN" and "1 of 2" in shared.value and "speaker 0" in shared.value
    assert of(findings, "uneven-owners").verdict == "WARN" and "speaker 0" in of(findings, "uneven-owners").value


def test_even_owners_apart_pass(clean: RecordingSet) -> None:
    def plant(every: list[Recording]) -> list[Recording]:
        return [labelled(r, speaker=n // 50 if r.labels["part"] == "train" else 900 + n) for n, r in enumerate(every)]

    findings = with_planted(clean, plant)
    assert of(findings, "shared-owners").verdict == of(findings, "uneven-owners").verdict == "PASS"


def test_a_set_that_cannot_be_split(clean: RecordingSet) -> None:
    finding = of(with_planted(clean, lambda every: [labelled(r, part="test") for r in every]), "usable")
    assert finding.verdict == "FAIL" and "test cases only" in finding.value and finding.advice


def test_values_that_are_constant_missing_or_on_another_scale(clean: RecordingSet) -> None:
    def plant(every: list[Recording]) -> list[Recording]:
        made = [
            labelled(r, signal=r.signal.astype(np.float32) / (255 if r.labels["part"] == "test" else 1)) for r in every
        ]
        made[0] = labelled(made[0], signal=np.full((8, 8), 3, np.float32))
        made[2].signal[3, 3] = 1_000
        for r in made[10:400]:
            r.signal[:4] = np.nan
        return made

    findings = with_planted(clean, plant)
    assert "digit-00000" in of(findings, "constant-cases").value
    assert of(findings, "missing-values").verdict == "WARN"
    assert of(findings, "outlying-values").verdict == "WARN" and "digit-00002" in of(findings, "outlying-values").value
    assert of(findings, "scale-of-test").verdict == "WARN" and of(findings, "scale-of-validation").verdict == "PASS"


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_infinite_values_fail(clean: RecordingSet) -> None:
    def plant(every: list[Recording]) -> list[Recording]:
        made = [labelled(r, signal=r.signal.astype(np.float32)) for r in every]
        made[1].signal[2, 2] = np.inf
        return made

    finding = of(with_planted(clean, plant), "infinite-values")
    assert finding.verdict == "FAIL" and "digit-00001" in finding.value


def test_a_case_without_a_class_is_named(clean: RecordingSet) -> None:
    def plant(every: list[Recording]) -> list[Recording]:
        return [Recording("blank", every[0].signal, 1.0, "grey level", labels={"part": "train"}), *every]

    finding = of(with_planted(clean, plant), "readable")
    assert finding.verdict == "FAIL" and "blank" in finding.value


def series(lengths: list[int], part: str, first: int = 0, scale: float = 1.0) -> list[Recording]:
    random = np.random.default_rng(first)
    return [
        Recording(
            f"{part}-{n}", random.normal(size=(steps, 2)).cumsum(0).astype(np.float32), 1.0, "",
            labels={"target": scale * float(random.normal()), "part": part},
        )
        for n, steps in enumerate(lengths)
    ]  # fmt: skip


def test_test_series_that_are_longer_with_targets_beyond() -> None:
    recordings = RecordingSet.of([*series([20] * 60, "train"), *series([20] * 10 + [50], "test", 1, scale=100)])
    findings = found(recordings, "timeseries")
    assert (
        of(findings, "longer-than-training").verdict == "WARN"
        and "1 of 11" in of(findings, "longer-than-training").value
    )
    assert of(findings, "targets-beyond-training").verdict == "WARN"
    assert of(findings, "targets").verdict == "PASS"


def test_a_nearly_copied_series_is_named() -> None:
    fitted, tested = series([30] * 150, "train"), series([30] * 20, "test", 1)
    noise = np.random.default_rng(2).normal(size=(30, 2)).astype(np.float32)
    near = labelled(fitted[5], "near", 3 * (fitted[5].signal + 0.02 * noise) + 1, part="test")
    assert of(found(RecordingSet.of([*fitted, *tested]), "timeseries"), "near-copies").verdict == "PASS"
    finding = of(found(RecordingSet.of([*fitted, *tested, near]), "timeseries"), "near-copies")
    assert finding.verdict == "WARN" and "near is nearly train-5" in finding.value


@pytest.mark.parametrize(("longest", "verdict"), [(2.0, "WARN"), (8.0, "PASS"), (200.0, "WARN")])
def test_timescales_against_the_length(clean: RecordingSet, longest: float, verdict: str) -> None:
    findings = found(clean, model="linear", options={"model": {"longest": longest}})
    assert of(findings, "timescales-against-length").verdict == verdict


def texts(count: int, part: str, seed: int, words: tuple[str, ...]) -> list[Recording]:
    random = np.random.default_rng(seed)
    made = [" ".join(random.choice(words, 60)) for _ in range(count)]
    return [text_case(f"{part}-{n}", text, {"class": n % 2, "part": part}) for n, text in enumerate(made)]


def test_tokens_that_training_has_not_seen_and_nearly_copied_texts() -> None:
    words = (
        "a",
        "film",
        "was",
        "good",
        "bad",
        "the",
        "end",
        "actor",
        "scene",
        "plot",
        "music",
        "slow",
        "very",
        "story",
    )
    meta = {"kind": "text", "classes": ["no", "yes"], "step": "step"}
    fitted, tested = texts(120, "train", 0, words), texts(30, "test", 1, words)
    options = {"task": {"tokens": "word"}}
    findings = found(RecordingSet.of([*fitted, *tested], meta=meta), "lra-text", options=options)
    assert of(findings, "near-copies").verdict == "PASS"
    assert {f.verdict for (check, _), f in findings.items() if check == "unseen-tokens"} == {"PASS"}
    source = bytes(fitted[7].signal[:, 0]).decode().split()
    source[10] = source[40] = "zeitgeist"
    strange = " ".join(["zeitgeist"] * 40)
    planted = [
        text_case("near", " ".join(source), {"class": 1, "part": "test"}),
        text_case("strange", strange, {"class": 0, "part": "test"}),
    ]
    findings = found(RecordingSet.of([*fitted, *tested, *planted], meta=meta), "lra-text", options=options)
    assert "near is nearly train-7" in of(findings, "near-copies").value
    unseen = findings["unseen-tokens", "test cases"]
    assert unseen.verdict == "WARN" and "'zeitgeist' (42)" in unseen.value
    assert findings["unseen-tokens", "validation cases"].verdict == "PASS"


def test_sketches_estimate_the_share_of_common_runs() -> None:
    """Against the sets themselves."""
    from neurocli_sequences.diagnosis.shingles import RUN, jaccard, sketch

    random = np.random.default_rng(0)
    first = random.integers(0, 50, 4000)
    errors = []
    for changed in (0, 20, 100, 400):
        second = first.copy()
        second[random.choice(len(first), changed, replace=False)] = 99
        sets = [{tuple(x[k : k + RUN]) for k in range(len(x) - RUN + 1)} for x in (first, second)]
        truth = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        errors.append(abs(jaccard(sketch(first), sketch(second)) - truth))
    assert errors[0] == 0
    assert max(errors) < 3 * 0.5 / 8  # three standard errors of a share of 64
    assert jaccard(sketch(first), sketch(random.integers(60, 90, 4000))) == 0
