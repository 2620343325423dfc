"""A worm's file with one change, in every format: read to the same values, refused, or flagged; never to others in silence.

Changes of the content (units, axes, padding, types, names) are made alike in all formats; those of the packing are each format's own.
Not among them is what no file can show: traces in arbitrary units times a factor (a.u. have none, and models take z-scores), and
neurons that change places together with their names; two names that are exchanged, and labels from 0 of which the first is missing
(the traces tell where eight pairs of left and right neurons are named); symmetric traces about 0 that are turned upside down.
A sample that is NaN or null is read as what it says: not recorded.
"""

from __future__ import annotations

import dataclasses
import gzip
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neurocli
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.diagnosis.data import data_findings
from tests.plugins.gat_lstm.data.worm_changes import CHANGES, OF_DFF, base
from tests.plugins.gat_lstm.data.worm_writers import FORMATS
from tests.variants import SILENT, outcome


def bare(recordings: RecordingSet) -> RecordingSet:
    """Without the file's own texts of the names, and on the nominal times where only these are in the file."""

    def load(group: str) -> Any:
        recording = recordings[group]
        kept = {k: v for k, v in recording.labels.items() if k not in ("written", "series")}
        events = {k: v for k, v in recording.events.items() if not k.startswith("series:")}
        return dataclasses.replace(recording, labels=kept, events=events)

    return recordings.with_loaders({g: lambda g=g: load(g) for g in recordings})  # type: ignore[misc]


def read(path: Path) -> RecordingSet:
    return bare(neurocli.open_recordings(path))


def checks(recordings: RecordingSet) -> Any:
    return data_findings(recordings, V3Config())


def changes_of(name: str) -> list[str]:
    of_format = FORMATS[name]
    rows = (
        {"a neuron too few", "a name too few"} if name == "worm-parquet" else set()
    )  # a row less is another file, not a wrong one
    return [
        *(change for change in CHANGES if change not in rows),
        *(OF_DFF if of_format.is_dff else ()),
        *(f"packed: {packing}" for packing in of_format.packings),
    ]


@cache
def unchanged_set(name: str, regular: bool) -> RecordingSet:
    with tempfile.TemporaryDirectory() as folder:
        recordings = read(FORMATS[name].write(base(regular), Path(folder) / f"base_w1{FORMATS[name].suffix}"))
        return RecordingSet.of(list(recordings.values()), meta=recordings.meta, notes=recordings.notes)


def ends_well(name: str, change: str, u: float, folder: Path) -> None:
    regular = change in ("packed: rate", "packed: only the mean step")  # nothing but these are in such a file
    of_format, content = FORMATS[name], base(regular)
    unchanged = unchanged_set(name, regular)
    path = folder / f"changed_w1{of_format.suffix}"
    if change.startswith("packed: "):
        content = dataclasses.replace(content, packing=change.removeprefix("packed: "))
    else:
        content = (CHANGES | OF_DFF)[change](content, u)
    try:
        of_format.write(content, path)
    except (ValueError, TypeError, KeyError):
        return  # no program can write such a file
    if content.packing == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    result = outcome(unchanged, lambda: read(path), checks)
    assert result != SILENT, f"{name}: {change} ({u}) is read to other values in silence"


def drawn(examples: int) -> Any:
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


EVERY_FORMAT = pytest.mark.parametrize("name", FORMATS)


@EVERY_FORMAT
def test_a_few_changed_worms_are_never_read_to_others_in_silence(name, tmp_path):
    @drawn(15)
    @given(st.sampled_from(changes_of(name)), st.floats(0, 1))
    def property_holds(change, u):
        ends_well(name, change, u, tmp_path)

    property_holds()


@pytest.mark.slow
@EVERY_FORMAT
def test_a_changed_worm_is_never_read_to_another_in_silence(name, tmp_path):
    for change in changes_of(name):  # each at least once
        ends_well(name, change, 0.5, tmp_path)

    @drawn(100 if name == "worm-nwb" else 150)  # pynwb writes three files a second
    @given(st.sampled_from(changes_of(name)), st.floats(0, 1))
    def property_holds(change, u):
        ends_well(name, change, u, tmp_path)

    property_holds()
