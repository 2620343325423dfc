"""Worms on which a trained run is evaluated: none that it was trained on in another file, and no control among others."""

from __future__ import annotations

import dataclasses

from neurocli.errors import DataError, LeakError
from neurocli.recordings import RecordingSet, Split
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.duplicates import copy_of
from neurocli_gat_lstm.data.selection import controls_in, why_unusable
from neurocli_gat_lstm.data.summary import summary_of


def without_known(recordings: RecordingSet, split: Split, options: DataConfig) -> tuple[Split, list[str], list[str]]:
    """(the split with the worms that may be scored, why others are left out, what to doubt in those that stay).

    Left out are worms that any network of the run was fitted on, told from their traces, and worms without a calcium
    indicator, unless there are no others. Raises LeakError where the run knows all of them.
    """
    trained = [g for g in dict.fromkeys([*split.train, *split.validation]) if g in recordings]
    known = [summary_of(recordings[group], options) for group in trained]
    controls = controls_in(recordings) if options.controls == "leave-out" else {}
    left_out: list[str] = []
    doubts: list[str] = []
    errors: list[DataError] = []
    usable_groups: list[str] = []
    for group in split.test:
        summary = summary_of(recordings[group], options)
        copy = copy_of(recordings, summary, known)
        if copy is not None:
            left_out.append(f"{group}: the same worm as {copy.of}, which the run was trained on")
            continue
        without_signal = why_unusable(recordings[group], options)
        if without_signal is not None and len(split.test) > 1:
            left_out.append(f"{group}: {without_signal.message}")
            errors.append(without_signal)
            continue
        usable_groups.append(group)
        if summary.forgets and group not in controls:
            doubts.append(
                f"{group}: its autocorrelation falls as fast as that of smoothed noise; perhaps it has no calcium indicator"
            )
    if not usable_groups and errors:
        raise errors[0]
    if not usable_groups:
        raise LeakError(
            "the run was trained on every one of these worms: " + "; ".join(left_out),
            where=split.test[0],
            hint="evaluate the run without --data: each worm is then scored by networks that have not seen it",
        )
    others = [group for group in usable_groups if group not in controls]
    if others and len(others) < len(usable_groups):
        left_out += [f"{group}: {controls[group]}; evaluate it alone" for group in usable_groups if group in controls]
        usable_groups = others
    return dataclasses.replace(split, test=tuple(usable_groups)), left_out, doubts
