"""A worm's recording: names, times, states and units, and what does not fit together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.data.strains import indicator
from neurocli_gat_lstm.data.worm import Worm, measured_unit, split_name, worm_set

TIME_S = np.array([0.0, 0.5, 1.0, 1.6])


def worm(**changes) -> Worm:
    random = np.random.default_rng(1)
    values = {
        "source": "Lab2020",
        "worm": "worm0",
        "time_s": TIME_S,
        "traces": random.normal(size=(4, 3)),
        "names": ["AVAL", "17", "VB02"],
        "unit": "dF/F0",
        "where": "file.mat:WT.traces",
        "file": "file.mat",
    }
    return Worm(**{**values, **changes})


def test_a_recording_keeps_what_the_file_says():
    first = worm(state=np.array([[0, 1, 1, 7]]), indicator="gcamp")
    recording = first.recording()
    assert recording.group == "Lab2020-worm0" and recording.unit == "dF/F0" and recording.dt_ms == 500
    assert recording.channels == ["AVAL", "unidentified-2", "VB2"]
    assert recording.signal.dtype == np.float32 and np.array_equal(recording.signal, first.traces.astype(np.float32))
    assert recording.mask is None
    assert recording.events["time_s"].tolist() == TIME_S.tolist() and recording.events["time_s"].dtype == np.float64
    assert recording.events["state"].tolist() == [0, 1, 1, 7] and recording.events["state"].dtype == np.int64
    assert recording.labels == {
        "source": "Lab2020",
        "worm": "worm0",
        "indicator": "gcamp",
        "normalization_method": "unknown",
        "smooth_method": "unknown",
        "interpolate_method": "unknown",
        "file": "file.mat",
        "written": {"unidentified-2": "17", "VB2": "VB02"},
    }


def test_a_class_of_neurons_names_one_column_at_most():
    assert worm(names=["AVA", "AVAL", "IL1?"]).recording().channels == ["AVA", "AVAL", "IL1"]
    assert worm(names=["AVA", "AVAL", "ava?"]).recording().channels == ["unidentified-1", "AVAL", "unidentified-3"]


def test_what_is_not_a_number_is_masked():
    traces = np.ones((4, 3))
    traces[1, 0], traces[2, 1], traces[3, 2] = np.nan, np.inf, 1e300
    mask = worm(traces=traces).recording().mask
    assert mask.tolist() == [[True, True, True], [False, True, True], [True, False, True], [True, True, False]]
    with pytest.raises(DataError, match="not one sample"):
        worm(traces=np.full((4, 3), np.nan)).recording()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_s": np.array([0.0, 1.0, 0.9, 2.0])}, r"row 2 \(counted from 0\) is 0.9 s after 1 s"),
        ({"time_s": np.array([0.0, 1.0, 1.0, 0.5])}, "row 2"),
        ({"time_s": np.array([np.nan, 1.0, 2.0, 3.0])}, "row 0"),
        ({"time_s": np.arange(3.0)}, "3 times and 3 names do not fit"),
        ({"names": ["AVAL", "AVAR"]}, "2 names do not fit"),
        ({"time_s": TIME_S * 1e3}, "500 s, and can be 10 to 20000 ms: is it in ms"),
        ({"time_s": TIME_S / 60}, "is it in minutes"),
        ({"traces": np.zeros((4, 0)), "names": []}, "shape"),
        ({"traces": np.zeros(4)}, "shape"),
        ({"traces": np.zeros((1, 3)), "time_s": np.zeros(1)}, "1 frames"),
        ({"state": np.array([0, 1, 2])}, "4 whole numbers"),
        ({"state": np.array([0, 1, 2, 0.5])}, "4 whole numbers"),
        ({"state": np.array([0, 1, 2, np.nan])}, "4 whole numbers"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        worm(**changes).recording()
    assert caught.value.where == "file.mat:WT.traces" and caught.value.hint


def test_a_name_that_is_code_is_a_name():
    recording = worm(source="__import__('os').system('false')", worm="../x").recording()
    assert recording.group == "__import____os__.system__false__-.._x"
    assert recording.labels["source"] == "__import__('os').system('false')"


def as_set(*worms: Worm | DataError, files: int = 1):
    """The worms as those of one file."""

    def make(one):
        def read():
            if isinstance(one, DataError):
                raise one
            return one

        return read

    return worm_set([Path("a")] * files, lambda path: iter([(f"worm {n}", make(w)) for n, w in enumerate(worms)]))


def test_worms_of_one_name():
    """Alike in two formats: taken once. Different: both, with another name, which is a doubt. In another source: another worm."""
    twin = worm(traces=worm().traces + 1e-6, file="same.json")
    assert as_set(worm(), twin).groups == ["Lab2020-worm0"]
    assert as_set(worm(), twin).meta == {"kind": "worm"}
    other = worm(traces=worm().traces + 1, file="other.mat")
    both = as_set(worm(), other)
    assert both.groups == ["Lab2020-worm0", "Lab2020-worm0-other"]
    assert both["Lab2020-worm0-other"].labels["worm"] == "worm0-other"
    (doubt,) = [note for note in both.notes if note.check == "worm-names"]
    assert doubt.is_doubt and "two different worms are called Lab2020-worm0" in doubt.found
    assert doubt.where == "file.mat, other.mat"
    assert len(as_set(worm(), other, files=2)) == 2
    assert len(as_set(worm(), worm(source="Lab2021"))) == 2


def test_a_worm_that_cannot_be_read_stops_no_other():
    bad = worm(worm="worm1", time_s=TIME_S[::-1])
    recordings = as_set(bad, DataError("lost", where="file", hint="find it"), worm())
    assert recordings.groups == ["Lab2020-worm0"]
    left = [note for note in recordings.notes if note.check == "left-out"]
    assert [note.where for note in left] == ["worm 0", "worm 1"] and all(note.is_doubt for note in left)
    with pytest.raises(DataError, match="row 1"):
        as_set(bad, bad)


def test_names_of_files():
    assert split_name("Kato2015_worm0") == ("Kato2015", "worm0")
    assert split_name("Atanas2023_2022-08-02-01") == ("Atanas2023", "2022-08-02-01")
    assert split_name("my_data") == ("my_data", "worm0")
    assert split_name("plain") == ("plain", "worm0")


def test_the_unit_is_measured_where_none_is_stated():
    values = np.random.default_rng(0).normal(3, 2, (500, 4))
    scored = (values - values.mean(0)) / values.std(0)
    assert measured_unit(values) == "a.u." and measured_unit(scored) == "z-score"
    scored[3, 1] = scored[9, 2] = np.nan
    assert measured_unit(scored) == "z-score"
    scored[:, 0] *= 1.1
    assert measured_unit(scored) == "a.u."
    assert measured_unit(np.full((4, 2), np.nan)) == "a.u."


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["taken from file AML175_moving.hdf5"], "gfp"),
        (["strain AML32"], "gcamp"),
        (["AML1750"], "unknown"),
        (["rab-3p::NLS::GCaMP6s"], "gcamp"),
        (["pan-neuronal EGFP and tagRFP"], "gfp"),
        (["", "nothing said"], "unknown"),
        (["GCaMP7f", "control was GFP"], "gcamp"),
        ([], "unknown"),
    ],
)
def test_the_indicator_is_what_the_texts_say(texts, expected):
    assert indicator(texts) == expected
