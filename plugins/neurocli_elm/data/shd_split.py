"""How utterances are split: the published files where both are there, else by speaker, else one by one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings import Split, split_by_group, split_by_options

PUBLISHED = "published: by file"
"""Validation utterances are of the speakers of the training."""
NEW_SPEAKERS = "by file; the epoch is chosen on speakers that training has not heard"
BY_FILE = (PUBLISHED, NEW_SPEAKERS)
"""Protocols whose test set is the published test file."""
MOST_HELD_OUT = 2
"""Speakers: more of ten would cost more training than they would tell."""
FEWEST_TEST_SPEAKERS = 3
"""With fewer there would be no interval."""

MOST_BUNDLES, BUNDLE_OF_PAIRS = 200, 10


@dataclass(frozen=True)
class About:
    """What is known of an utterance without its spikes."""

    label: int
    file: str
    speaker: int | None


def is_test_file(name: str) -> bool:
    """Whether a file is named as a test set: `test` stands as a word of its own, as in shd_test.h5, and not in fastest_speakers.h5."""
    return "test" in re.split(r"[^a-z]+", name.lower())


def split_utterances(about: Mapping[str, About], options: Any) -> Split:
    """The split of a set. Raises DataError where there is too little to split."""
    groups = list(about)
    tested = tuple(group for group in groups if is_test_file(about[group].file))
    if tested and len(tested) < len(groups):
        held_out = held_out_speakers(about, set(tested), options) if options.hold_out == "speakers" else set()
        if held_out:
            return _by_new_speakers(about, set(tested), held_out)
        return _published(groups, tested, options)
    speakers = sorted({utterance.speaker for utterance in about.values() if utterance.speaker is not None})
    known = all(utterance.speaker is not None for utterance in about.values())
    if known and len(speakers) >= FEWEST_TEST_SPEAKERS:
        return _by_speaker(about, [str(s) for s in speakers], options)
    split = split_by_options(groups, options)
    return Split(split.train, split.validation, split.test, protocol="by utterance")


def held_out_speakers(about: Mapping[str, About], tested: Collection[str], options: Any) -> set[int]:
    """Speakers of the training file that choose the epoch, drawn by data.split_seed; those that the test file does not have first.

    None where speakers are unknown, or one alone was recorded.
    """
    speakers = {utterance.speaker for group, utterance in about.items() if group not in tested}
    known = sorted(speaker for speaker in speakers if speaker is not None)
    if None in speakers or len(known) < 2:
        return set()
    in_test = {about[group].speaker for group in tested}
    drawn = [known[n] for n in np.random.default_rng(options.split_seed).permutation(len(known))]
    drawn.sort(key=lambda speaker: speaker in in_test)  # stable: of each kind in the order drawn
    count = min(max(round(options.validation * len(known)), 1), MOST_HELD_OUT, len(known) - 1)
    return set(drawn[:count])


def _by_new_speakers(about: Mapping[str, About], tested: Collection[str], held_out: Collection[int]) -> Split:
    """The test file is the test; the rest is training, without the speakers that choose the epoch."""
    rest = [group for group in about if group not in tested]
    train, validation = (
        tuple(group for group in rest if (about[group].speaker in held_out) == wanted) for wanted in (False, True)
    )
    return Split(train, validation, tuple(group for group in about if group in tested), protocol=NEW_SPEAKERS)


def _published(groups: Sequence[str], tested: tuple[str, ...], options: Any) -> Split:
    """The test file is the test; each training utterance is one to validate on with a given chance, as published."""
    rest = [group for group in groups if group not in set(tested)]
    if len(rest) < 2:
        raise DataError("one training utterance", where="split", hint="name the published training file with --data")
    is_validation = np.random.default_rng(options.split_seed).binomial(1, options.validation, len(rest)).astype(bool)
    if is_validation.all() or not is_validation.any():
        is_validation[:] = np.arange(len(rest)) == 0
    train, validation = (
        tuple(g for g, is_held in zip(rest, is_validation, strict=True) if is_held == wanted)
        for wanted in (False, True)
    )
    return Split(train, validation, tested, protocol=PUBLISHED)


def _by_speaker(about: Mapping[str, About], speakers: Sequence[str], options: Any) -> Split:
    roomy = len(speakers) >= 2 * FEWEST_TEST_SPEAKERS
    test = max(options.test, FEWEST_TEST_SPEAKERS / len(speakers)) if roomy else options.test
    split = split_by_group(list(speakers), validation=options.validation, test=test, seed=options.split_seed)
    train, validation, tested = (
        tuple(group for group, utterance in about.items() if str(utterance.speaker) in chosen)
        for chosen in (set(split.train), set(split.validation), set(split.test))
    )
    return Split(train, validation, tested, protocol="by speaker")


def scored_groups(groups: Sequence[str], about: Mapping[str, About], *, pairs: bool) -> dict[str, list[str]]:
    """What is independent of each other → its utterances: speakers where they are known, else utterances.

    Many utterances go into bundles of neighbours: an interval over these is the same, and takes a fraction of the work.
    """
    if groups and all(about[group].speaker is not None for group in groups):
        by_speaker: dict[str, list[str]] = {}
        for group in sorted(groups, key=lambda g: about[g].speaker or 0):
            by_speaker.setdefault(f"speaker {about[group].speaker}", []).append(group)
        return by_speaker
    size = max(-(-len(groups) // MOST_BUNDLES), BUNDLE_OF_PAIRS if pairs else 1)
    if size == 1:
        return {group: [group] for group in groups}
    bundles = [list(groups[n : n + size]) for n in range(0, len(groups), size)]
    return {f"{bundle[0]} to {bundle[-1]}": bundle for bundle in bundles}
