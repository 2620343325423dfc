"""One change to an NWB session, of any kind that files have: binned to the same, refused, or flagged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocli.recordings import RecordingSet
from neurocli_eirnn.data.readers.nwb import SessionNwbReader
from tests.plugins.eirnn.data.small import AREAS, FIXATION_S, NEURONS, TRIALS, became, events, spike_times
from tests.variants import SILENT

Content = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]
TIMES = ["fixation_on_time", "target_on_time", "go_time", "reward_time"]
LABELS = ["location", "reward", "identity", "salience"]


def content() -> Content:
    """units and trials: column → a value for each row; start and stop of trials; the name of their table."""
    trials = {
        "fixation_on_time": FIXATION_S,
        "target_on_time": FIXATION_S + [trial.target_ms * 1e-3 for trial in events()],
        "go_time": FIXATION_S + [trial.go_ms * 1e-3 for trial in events()],
        "reward_time": FIXATION_S + [trial.reward_ms * 1e-3 for trial in events()],
        "location": [trial.location for trial in events()],
        "reward": ["high" if k % 5 > 1 else "low" for k in range(TRIALS)],
        "identity": [("face", "nonface", "bullseye")[trial.identity - 1] for trial in events()],
        "salience": [("none", "high", "low")[trial.salience] for trial in events()],
    }
    units = {
        "spike_times": list(spike_times()),
        "neuron_type": ["E", "E", "I", "E", "I", "E", "E"],
        "brain_area": list(AREAS),
    }
    return {
        "trials": {name: list(values) for name, values in trials.items()},
        "units": units,
        "start": FIXATION_S - 0.6,
        "stop": FIXATION_S + 2.5,
        "table": "trials",
        "ids": list(range(NEURONS)),
    }


def write(made: Content, path: Path) -> None:
    import pynwb
    from pynwb.epoch import TimeIntervals

    file = pynwb.NWBFile("a session", "id-1", datetime(2025, 8, 13, tzinfo=UTC), session_id="Small_01")
    for name, values in made["units"].items():
        if name not in ("spike_times", "obs_intervals"):
            file.add_unit_column(name, name, index=any(isinstance(value, list) for value in values))
    for row, number in enumerate(made["ids"]):
        file.add_unit(id=number, **{name: values[row] for name, values in made["units"].items()})
    table = TimeIntervals(made["table"], "trials")
    characters = {}
    for name, values in made["trials"].items():
        if isinstance(values, np.ndarray) and values.dtype.kind == "S" and values.ndim == 2:
            characters[name], values = values, ["x"] * len(values)
        table.add_column(name, name, index=any(isinstance(value, list) for value in values))
        made["trials"][name] = values
    for row in range(TRIALS):
        cells = {name: values[row] for name, values in made["trials"].items()}
        table.add_interval(float(made["start"][row]), float(made["stop"][row]), **cells)
    if made["table"] == "trials":
        file.trials = table
    else:
        file.add_time_intervals(table)
    # In memory, and without the copy of the standard that pynwb adds: it takes longer than all the rest.
    with h5py.File(path, "w", driver="core", block_size=2**20) as raw, pynwb.NWBHDF5IO(file=raw, mode="w") as io:
        io.write(file, cache_spec=False)
        _put_characters(raw, made["table"], characters)


def _put_characters(raw: h5py.File, table: str, columns: dict[str, Any]) -> None:
    """What pynwb does not write, and other programs do."""
    for name, values in columns.items():
        column = raw[f"intervals/{table}/{name}"]
        kept = dict(column.attrs)
        del raw[column.name]
        again = raw.create_dataset(f"intervals/{table}/{name}", data=values)
        for key, value in kept.items():
            again.attrs[key] = value


def unit_of_spikes(made: Content, draw: Draw) -> None:
    factor = draw(st.sampled_from([1e3, 1e6, 3e4, 1 / 60, 1e-3]))
    made["units"]["spike_times"] = [times * factor for times in made["units"]["spike_times"]]


def unit_of_trials(made: Content, draw: Draw) -> None:
    factor = draw(st.sampled_from([1e3, 1e6, 3e4, 1 / 60, 1e-3]))
    names = draw(st.sampled_from([TIMES, TIMES[:1], TIMES[1:2], TIMES[2:3], TIMES[3:], TIMES[1:]]))
    for name in names:
        made["trials"][name] = [time * factor for time in made["trials"][name]]
    if draw(st.booleans()):
        made["start"], made["stop"] = made["start"] * factor, made["stop"] * factor


def everything_in_another_unit(made: Content, draw: Draw) -> None:
    factor = draw(st.sampled_from([1e3, 1e6, 3e4, 1 / 60]))
    for name in TIMES:
        made["trials"][name] = [time * factor for time in made["trials"][name]]
    made["start"], made["stop"] = made["start"] * factor, made["stop"] * factor
    made["units"]["spike_times"] = [times * factor for times in made["units"]["spike_times"]]


def relative_events(made: Content, draw: Draw) -> None:
    """Event times from the start of the trial, or from fixation."""
    zero = np.asarray(draw(st.sampled_from([list(made["start"]), list(FIXATION_S)])))
    names = draw(st.sampled_from([TIMES, TIMES[1:], TIMES[3:], TIMES[1:2], TIMES[:1]]))
    for name in names:
        made["trials"][name] = list(np.asarray(made["trials"][name]) - zero)


def relative_spikes(made: Content, draw: Draw) -> None:
    """Spike times that start again in every trial, in order of trials or sorted."""
    is_sorted = draw(st.booleans())
    begin, end = FIXATION_S - 0.6, FIXATION_S + 2.5
    for unit, times in enumerate(made["units"]["spike_times"]):
        parts = [times[(times >= b) & (times < e)] - b for b, e in zip(begin, end, strict=True)]
        joined = np.concatenate(parts)
        made["units"]["spike_times"][unit] = np.sort(joined) if is_sorted else joined


def another_clock(made: Content, draw: Draw) -> None:
    """A zero that is far away. (A shift by less than a trial is one of neural latency as well: nothing in a file can tell.)"""
    shift = draw(st.sampled_from([1e3, -1e3, 1.7e9, -90.0, 90.0]))
    made["units"]["spike_times"] = [times + shift for times in made["units"]["spike_times"]]


def form_of_labels(made: Content, draw: Draw) -> None:
    name = draw(st.sampled_from(LABELS))
    values = made["trials"][name]
    forms: dict[str, Callable[[], Any]] = {
        "float": lambda: [float(v) for v in values] if name == "location" else values,
        "text": lambda: [str(v) for v in values],
        "bytes": lambda: np.array([str(v).encode() for v in values], "S"),
        "capitals": lambda: [str(v).upper() for v in values],
        "spaces": lambda: [f" {v} " for v in values],
        "characters": lambda: np.array([list(str(v).ljust(9)) for v in values], "S1"),
        "lists": lambda: [[v] for v in values],
        "pairs": lambda: [[v, "second"] if isinstance(v, str) else [v, 9] for v in values],
        "from 0": lambda: [v - 1 for v in values] if name == "location" else values,
        "from 2": lambda: [v + 1 for v in values] if name == "location" else values,
        "half": lambda: [v + 0.5 for v in values] if name == "location" else values,
        "unknown": lambda: [*(str(v) for v in values[:-1]), "other"],
        "nan": lambda: [*(float(v) for v in values[:-1]), np.nan] if name == "location" else values,
        "bool": lambda: [v == "high" for v in values] if name == "reward" else values,
    }
    made["trials"][name] = forms[draw(st.sampled_from(sorted(forms)))]()


def form_of_times(made: Content, draw: Draw) -> None:
    name = draw(st.sampled_from(TIMES))
    values = made["trials"][name]
    forms: dict[str, Callable[[], Any]] = {
        "lists": lambda: [[v] for v in values],
        "pairs": lambda: [[v, v + 0.1] for v in values],
        "text": lambda: [f"{v:.9f}" for v in values],
        "words": lambda: [f"{v:.3f} s" for v in values],
    }
    made["trials"][name] = forms[draw(st.sampled_from(sorted(forms)))]()


def sentinels(made: Content, draw: Draw) -> None:
    """A number in the place of an event that did not happen."""
    name = draw(st.sampled_from(TIMES[1:3]))
    values = list(made["trials"][name])
    for row in range(0, TRIALS, draw(st.sampled_from([2, 5, 12]))):
        values[row] = draw(st.sampled_from([0.0, -1.0, 1e9, 9999.0]))
    made["trials"][name] = values


def names_of_columns(made: Content, draw: Draw) -> None:
    name = draw(st.sampled_from([*TIMES, "location", "reward", "neuron_type"]))
    changes = [str.upper, lambda text: text.replace("_", ""), lambda text: f"my_{text}"]
    table = made["units"] if name == "neuron_type" else made["trials"]
    table[draw(st.sampled_from(changes))(name)] = table.pop(name)


def types(made: Content, draw: Draw) -> None:
    kinds = made["units"]["neuron_type"]
    excitatory = [kind == "E" for kind in kinds]
    pairs = draw(
        st.sampled_from([(1, 2), (1, 0), (0, 1), (1, -1), (1.0, 2.0), ("exc", "inh"), ("Classic", "FS"), ("1", "2")])
    )
    made["units"]["neuron_type"] = [pairs[0] if is_e else pairs[1] for is_e in excitatory]


def areas(made: Content, draw: Draw) -> None:
    """Areas as lists, which pynwb keeps with an index; not a value that anything is fitted on."""
    made["units"]["brain_area"] = [[area] * (1 + k % 2) for k, area in enumerate(AREAS)]


def identities(made: Content, draw: Draw) -> None:
    made["ids"] = draw(st.sampled_from([[1] * NEURONS, [0, 0, 1, 2, 3, 4, 5]]))


def spikes_of_a_unit(made: Content, draw: Draw) -> None:
    unit = draw(st.integers(0, NEURONS - 1))
    kind = draw(st.sampled_from(["none", "unsorted", "nan", "half"]))
    times = made["units"]["spike_times"][unit].copy()
    if kind == "none":
        times = times[:0]
    elif kind == "unsorted":
        times = times[::-1].copy()
    elif kind == "nan":
        times[3] = np.nan
    else:
        times = times[times < 50]
        stops = [50.0 if k == unit else 200.0 for k in range(NEURONS)]
        made["units"]["obs_intervals"] = [np.array([[0.0, stop]]) for stop in stops]
    made["units"]["spike_times"][unit] = times


def observation(made: Content, draw: Draw) -> None:
    """Intervals in which units were observed: all of the session, in pieces, in part, or in ms."""
    intervals = draw(
        st.sampled_from([[[0, 200]], [[0, 50], [50, 200]], [[0, 30]], [[40, 60], [70, 99]], [[0, 2e5]], [[1e6, 2e6]]])
    )
    made["units"]["obs_intervals"] = [np.array(intervals, float)] * NEURONS


def another_table(made: Content, draw: Draw) -> None:
    made["table"] = draw(st.sampled_from(["trials_4factors", "behavior"]))


CHANGES = [
    unit_of_spikes,
    unit_of_trials,
    everything_in_another_unit,
    relative_events,
    relative_spikes,
    another_clock,
    form_of_labels,
    form_of_times,
    sentinels,
    names_of_columns,
    types,
    areas,
    identities,
    spikes_of_a_unit,
    observation,
    another_table,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> tuple[Path, RecordingSet]:
    pytest.importorskip("pynwb")
    path = tmp_path_factory.mktemp("variants") / "base.nwb"
    write(content(), path)
    read = SessionNwbReader().read([path])
    assert not read.notes
    return path, read


def _tried(data: st.DataObject, base: tuple[Path, RecordingSet]) -> None:
    change = data.draw(st.sampled_from(CHANGES), "change")
    made = content()
    change(made, data.draw)
    path = base[0].with_name("changed.nwb")
    path.unlink(missing_ok=True)
    write(made, path)
    assert became(base[1], lambda: SessionNwbReader().read([path])) != SILENT


@settings(deadline=None, derandomize=True, database=None, max_examples=20)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_a_changed_nwb_session_is_never_read_to_other_numbers_in_silence(data, base):
    _tried(data, base)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, database=None, max_examples=36)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_many_changes_of_an_nwb_session(data, base):
    _tried(data, base)
