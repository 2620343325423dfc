"""What every table of a run on a real session says of its trials."""

from __future__ import annotations

import pytest

from neurocli.plugin.registry import registry
from neurocli_eirnn.config import V2Config
from neurocli_eirnn.data.readers.matfile import read_session

FIRST = "trials: {}, {} of 670 used (206 have their events in order)"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("which", "used", "more"),
    [
        ("ordered", 206, []),
        ("plausible", 382, ["of the trials used, 176 have target and go placed at the reward"]),
        (
            "all",
            670,
            [
                "of the trials used, 288 are BROKEN (their inputs show events that did not happen), 176 more have target and"
                " go placed at the reward"
            ],
        ),
    ],
)
def test_trials_are_counted_by_what_is_wrong_with_them(real, which: str, used: int, more: list[str]) -> None:
    recordings = read_session(real / "rnn_export_Newton_08_13_2025_SC.mat").recordings()
    family = registry().family("eirnn-v2")
    config = V2Config()
    config.data.trials, config.data.part = which, "all"
    notes = family.notes(family.adapt(recordings, config), config)
    assert notes[: 1 + len(more)] == [FIRST.format(which, used), *more]
    assert all("BROKEN" not in line and "placed" not in line for line in notes[1 + len(more) :])
