"""NWB sessions as people write them that are read, and doubted: spikes twice or rounded, events outside of trials, rows marked as bad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurocli_eirnn.data.readers.nwb import read_session
from tests.plugins.eirnn.data.small import TRIALS
from tests.plugins.eirnn.data.test_sc_nwb_variants import TIMES, Content, content, write

pytest.importorskip("pynwb")
pytestmark = pytest.mark.filterwarnings("ignore")


def checks_of(tmp_path: Path, change: Callable[[Content], object]) -> dict[str, str]:
    made = content()
    change(made)
    path = tmp_path / "session.nwb"
    write(made, path)
    return {note.check: note.found for note in read_session(path).notes if note.is_doubt}


def _spikes(change: Callable[[np.ndarray], np.ndarray], units: slice = slice(None)) -> Callable[[Content], None]:
    def changed(made: Content) -> None:
        times = made["units"]["spike_times"]
        times[units] = [change(one) for one in times[units]]

    return changed


def _trials(name: str, change: Callable[[list], list]) -> Callable[[Content], None]:
    return lambda made: made["trials"].update({name: change(made["trials"][name])})


def _column(table: str, name: str, values: list) -> Callable[[Content], None]:
    return lambda made: made[table].update({name: values})


def _turned(made: Content) -> None:
    for name in TIMES:
        made["trials"][name] = made["trials"][name][::-1]


def _whole_seconds(made: Content) -> None:
    for name in TIMES:
        made["trials"][name] = list(np.rint(made["trials"][name]))


EVERY_SIXTH = [k % 6 == 0 for k in range(TRIALS)]


@pytest.mark.parametrize(
    ("change", "check", "found"),
    [
        (_spikes(lambda times: np.repeat(times, 2), slice(2, 3)), "spike-times", "1 of 7 units have several spikes"),
        (_spikes(lambda times: times.astype(np.float16).astype(float)), "spike-times", "7 of 7 units"),
        (_spikes(lambda times: np.unique(np.round(times, 2))), "spike-clock", "closer than 0.01 s"),
        (_whole_seconds, "event-times", "whole steps of 1 s"),
        (_turned, "event-times", "outside of their trial"),
        (_trials("reward_time", lambda times: [*times[1:], times[-1] + 4]), "event-times", "reward in 24 of 24"),
        (_trials("reward_time", lambda times: [np.nan, *times[1:]]), "left-out", "1 of 24 trials are left out"),
        (
            _column("units", "KSLabel", ["good", "mua", "good", "noise", "good", "good", "mua"]),
            "marked",
            "3 of 7 units",
        ),
        (_column("trials", "aborted", EVERY_SIXTH), "marked", "4 of 24 trials are marked as true"),
        (
            _column("trials", "include", [not bad for bad in EVERY_SIXTH]),
            "marked",
            "4 of 24 trials are marked as false",
        ),
    ],
)
def test_it_is_doubted(change, check, found, tmp_path):
    assert found in checks_of(tmp_path, change)[check]


def _on_the_clock_of_the_world(made: Content) -> None:
    for name in TIMES:
        made["trials"][name] = list(np.asarray(made["trials"][name]) + 1.7e9)
    made["start"], made["stop"] = made["start"] + 1.7e9, made["stop"] + 1.7e9
    made["units"]["spike_times"] = [times + 1.7e9 for times in made["units"]["spike_times"]]


@pytest.mark.parametrize(
    "change",
    [
        _on_the_clock_of_the_world,
        _spikes(lambda times: np.unique(np.round(times, 3))),
        _column("units", "quality", ["good"] * 7),
        _column("trials", "aborted", [False] * TRIALS),
    ],
)
def test_it_is_no_reason_for_a_doubt(change, tmp_path):
    assert not checks_of(tmp_path, change)
