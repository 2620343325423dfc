"""The .mat export: both containers, both axis orders, what is missing, what is wrong, what is hostile."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from neurocli.errors import DataError, StorageError
from neurocli.recordings.recordingset import RecordingSet
from neurocli_eirnn.data.readers.matfile import SessionMatReader, read_session
from neurocli_eirnn.data.session import INPUT_NAMES, Session
from neurocli_eirnn.data.writers.matfile import write_mat, write_mat5

REQUIRED = [
    "firing_rates",
    "neuron_type",
    "n_trials",
    "n_neurons",
    "n_time_bins",
    "bin_size_ms",
    "input_fixation_on",
    "input_target_loc",
    "input_go_signal",
    "input_reward_on",
    "input_is_face",
    "input_is_nonface",
    "input_is_bullseye",
    "input_high_salience",
    "input_low_salience",
    "trial_reward",
    "trial_location",
]
OPTIONAL = [
    "input_eye_x",
    "input_eye_y",
    "neuron_ids",
    "brain_area",
    "trial_duration_ms",
    "trial_probability",
    "trial_identity",
    "trial_salience",
    "time_axis",
    "session_name",
]


def variables(v5: Path) -> dict[str, np.ndarray]:
    """The file's variables in MATLAB's order, to change and write again."""
    return {name: value for name, value in scipy.io.loadmat(str(v5)).items() if not name.startswith("__")}


def written(tmp_path: Path, values: dict[str, np.ndarray]) -> Path:
    path = tmp_path / "changed.mat"
    scipy.io.savemat(str(path), values)
    return path


def changed(v73: Path, tmp_path: Path) -> Path:
    """A copy of the v7.3 file, to be changed in place."""
    path = tmp_path / "changed.mat"
    path.write_bytes(v73.read_bytes())
    return path


def replace(file: h5py.File, name: str, values: np.ndarray) -> None:
    del file[name]
    file[name] = values


def assert_same(one: Session, other: Session) -> None:
    for field in dataclasses.fields(Session):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("source", "true_rates", "truth", "brain_area", "name", "missing"):
            continue
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True), field.name
        elif field.name == "labels":
            assert a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)
        else:
            assert a == b, field.name


def test_what_is_written_is_read_back_exactly(session, v73, v5):
    for path in (v73, v5):
        back = read_session(path)
        assert_same(session, back)
        assert (back.name, back.missing, set(back.brain_area)) == ("Monkey_01", (), {"SC"})
        assert back.rates.dtype == np.float32 and np.isnan(back.rates).any()


def test_writing_the_same_session_twice_gives_the_same_bytes(session, tmp_path):
    one, other = (write_mat(session, tmp_path / name).read_bytes() for name in ("a.mat", "b.mat"))
    assert one == other


def test_the_v73_file_is_what_matlab_expects(v73, session):
    start = v73.read_bytes()[:520]
    assert start.startswith(b"MATLAB 7.3 MAT-file") and start[124:128] == b"\x00\x02IM" and start[512:516] == b"\x89HDF"
    with h5py.File(v73) as file:
        assert file.userblock_size == 512
        assert file["firing_rates"].shape == (session.trials, session.bins, session.neurons)
        assert file["firing_rates"].attrs["MATLAB_class"] == b"double" and file["firing_rates"].dtype == np.float64
        assert file["input_target_loc"].shape == (session.trials, session.bins, 4)
        assert file["trial_reward"].shape == (1, session.trials)
        assert file["time_axis"].shape == (session.bins, 1)
        assert file["n_trials"].shape == (1, 1)
        assert file["session_name"].dtype == np.uint16 and file["session_name"].attrs["MATLAB_class"] == b"char"


def test_an_independent_reader_sees_the_same(session, v73, v5):
    from pymatreader import read_mat

    for path in (v73, v5):
        seen = read_mat(str(path))
        assert seen["session_name"] == "Monkey_01"
        assert np.array_equal(seen["firing_rates"], session.rates.transpose(2, 1, 0), equal_nan=True)
        assert np.array_equal(seen["input_go_signal"], session.inputs[:, :, INPUT_NAMES.index("go_signal")].T)


def test_a_refused_write_leaves_the_old_file(session, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(StorageError):
        write_mat(session, blocked / "a.mat")
    assert blocked.read_text() == "x"


def test_a_session_survives_our_own_format(v73, tmp_path):
    found = SessionMatReader().read([v73])
    found.save(tmp_path / "kept.h5")
    assert_same(read_session(v73), Session.of(RecordingSet.open(tmp_path / "kept.h5")))


@pytest.mark.realdata
def test_both_containers_of_the_real_file_agree(real):
    one = read_session(real / "rnn_export_Synth_A_SC.mat")
    other = read_session(real / "rnn_export_Synth_A_v5_SC.mat")
    assert_same(one, other)
    assert one.rates.shape == (300, 205, 30)
    assert (one.neuron_type == 1).sum() == 22 and (one.neuron_type == 2).sum() == 8
    assert (one.name, other.name, one.missing) == ("Synth_A_SC", "Synth_A_SC", ())
    assert np.isnan(one.rates).any() and not np.isnan(one.inputs).any()


@pytest.mark.realdata
def test_the_real_session(real):
    path = real / "rnn_export_Newton_08_13_2025_SC.mat"
    assert SessionMatReader().can_read(path)
    session = read_session(path)
    assert session.rates.shape == (670, 227, 14)
    assert session.neuron_type.tolist() == [1, 2, 2, 1, 1, 1, 1, 1, 2, 1, 2, 2, 2, 1]
    assert session.neuron_ids[:3] == ["2", "4", "10"]
    assert session.time_ms[0] == -187.5 and session.bin_ms == 25
    assert (session.inputs[:, :, INPUT_NAMES.index("eye_x")] == 0).all()
    with h5py.File(path) as file:
        assert np.array_equal(session.rates, file["firing_rates"][()].astype(np.float32))
        assert np.array_equal(session.inputs[:, :, 1:5], file["input_target_loc"][()].astype(np.float32))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(name, v73, v5, tmp_path):
    values = variables(v5)
    del values[name]
    path = changed(v73, tmp_path)
    with h5py.File(path, "r+") as file:
        del file[name]
    other = tmp_path / "v5"
    other.mkdir()
    for broken in (path, written(other, values)):
        with pytest.raises(DataError, match=f"{name} is missing") as caught:
            read_session(broken)
        assert caught.value.where == f"{broken}:{name}" and caught.value.hint


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_field_may_be_absent_or_empty(name, v5, tmp_path, session):
    values = variables(v5)
    without = {k: v for k, v in values.items() if k != name}
    for some in (without, {**values, name: np.zeros((0, 0))}):
        found = read_session(written(tmp_path, some))
        assert found.missing == (name,)
        assert np.array_equal(found.rates, session.rates, equal_nan=True)
        assert np.array_equal(found.time_ms, session.time_ms)
        assert found.neuron_ids == session.neuron_ids
    if name.startswith("input_"):
        assert (found.inputs[:, :, INPUT_NAMES.index(name.removeprefix("input_"))] == 0).all()
    if name == "session_name":
        assert found.name == "changed"
    if name == "trial_duration_ms":
        assert np.isnan(found.duration_ms).all()


def test_an_empty_v73_array_counts_as_absent(v73, tmp_path):
    path = changed(v73, tmp_path)
    with h5py.File(path, "r+") as file:
        replace(file, "input_eye_x", np.zeros(2, np.uint64))
        file["input_eye_x"].attrs["MATLAB_empty"] = np.uint8(1)
    assert read_session(path).missing == ("input_eye_x",)


def test_either_order_of_axes(session, v73, v5, tmp_path):
    values = {k: v.T if v.dtype.kind == "f" and v.ndim > 1 else v for k, v in variables(v5).items()}
    assert_same(session, read_session(written(tmp_path, values)))
    path = changed(v73, tmp_path)
    with h5py.File(path, "r+") as file:
        for name in [name for name in file if name == "firing_rates" or name.startswith("input_")]:
            replace(file, name, file[name][()].T.copy())
    assert_same(session, read_session(path))


def test_integers_singles_and_logicals_are_welcome(session, v5, tmp_path):
    values = variables(v5)
    for name in values:
        if name.startswith(("n_", "trial_")) and name != "trial_duration_ms":
            values[name] = values[name].astype(np.int64)
        elif name.startswith("input_") and "eye" not in name:
            values[name] = values[name].astype(bool)
        elif name == "firing_rates":
            values[name] = values[name].astype(np.float32)
    assert_same(session, read_session(written(tmp_path, values)))


def test_a_single_trial_lost_its_last_axis(session, tmp_path):
    from neurocli_eirnn.data.session import select

    one = select(session, np.array([4]))
    path = write_mat5(one, tmp_path / "one.mat")
    values = variables(path)
    values["firing_rates"] = values["firing_rates"][:, :, 0]
    values["input_target_loc"] = values["input_target_loc"][:, :, 0]
    assert_same(one, read_session(written(tmp_path, values)))


def test_nan_is_cleared_in_padding_and_kept_in_the_window(v5, tmp_path, session):
    values = variables(v5)
    eye = values["input_eye_x"].copy()
    trial = int(np.argmin(session.duration_ms))
    end = int(np.isfinite(session.rates[trial, :, 0]).sum())
    eye[end:, trial] = np.nan
    eye[20, trial] = np.nan
    found = read_session(written(tmp_path, {**values, "input_eye_x": eye}))
    channel = found.inputs[trial, :, INPUT_NAMES.index("eye_x")]
    assert np.isnan(channel[20]) and np.isnan(channel).sum() == 1
    assert (channel[end:] == 0).all()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("firing_rates", lambda v: v[:, :, :-1], "shape is"),
        ("firing_rates", lambda v: v * 1j, "complex"),
        ("firing_rates", lambda v: np.array([["text"]], dtype=object), "type cell"),
        ("input_go_signal", lambda v: v[:, 1:].T, "shape is"),
        ("input_eye_y", lambda v: v[:-1], "shape is"),
        ("input_target_loc", lambda v: v[:3], "shape is"),
        ("input_is_face", lambda v: np.array("face"), "type char"),
        ("neuron_type", lambda v: v[:-1], "shape is"),
        ("neuron_type", lambda v: v + 1, "not a whole number from 1 to 2"),
        ("trial_location", lambda v: v * 0, "trial 0 .* not a whole number from 1 to 4"),
        ("trial_location", lambda v: v * np.nan, "has the value nan"),
        ("trial_reward", lambda v: v + 0.5, "not a whole number"),
        ("trial_duration_ms", lambda v: v[:3], "shape is"),
        ("n_trials", lambda v: v + 1, "shape is"),
        ("n_trials", lambda v: v * 0, "not a number of at least 1"),
        ("n_neurons", lambda v: v * np.nan, "not a number of at least 1"),
        ("n_time_bins", lambda v: v * 0 + 1e15, "shape is"),
        ("bin_size_ms", lambda v: v * 0, "the bin width is 0 ms"),
        ("bin_size_ms", lambda v: v * 2, "steps of bin_size_ms"),
        ("time_axis", lambda v: v * np.nan, "steps of bin_size_ms"),
    ],
)
def test_a_wrong_field_is_named(name, change, message, v5, tmp_path):
    values = variables(v5)
    path = written(tmp_path, {**values, name: change(values[name])})
    with pytest.raises(DataError, match=message) as caught:
        read_session(path)
    # A wrong count shows at the first array that does not have it.
    assert str(path) in caught.value.where and (name in caught.value.where or name.startswith(("n_", "bin_")))


def test_foreign_files_are_left_to_others(v73, tmp_path):
    reader = SessionMatReader()
    scipy.io.savemat(str(tmp_path / "other5.mat"), {"firing_rates": np.zeros((2, 3)), "voltage": np.ones(4)})
    with h5py.File(tmp_path / "other73.mat", "w", userblock_size=512) as file:
        file["traces"] = np.zeros(3)
    (tmp_path / "text.mat").write_text("hello " * 100)
    (tmp_path / "empty.mat").touch()
    (tmp_path / "noise.mat").write_bytes(np.random.default_rng(0).bytes(1000))
    for name in ("other5.mat", "other73.mat", "text.mat", "empty.mat", "noise.mat", "absent.mat"):
        assert not reader.can_read(tmp_path / name), name
    assert not reader.can_read(tmp_path)
    for name in ("text.mat", "empty.mat", "absent.mat"):
        with pytest.raises(DataError):
            read_session(tmp_path / name)


def test_the_name_of_a_file_says_nothing(v73, v5, tmp_path, session):
    for source, name in ((v73, "session.txt"), (v5, "session.h5")):
        path = tmp_path / name
        path.write_bytes(source.read_bytes())
        assert SessionMatReader().can_read(path)
        assert_same(session, read_session(path))


def test_two_sessions_are_refused(v73, v5):
    with pytest.raises(DataError, match="2 sessions") as caught:
        SessionMatReader().read([v73, v5])
    assert caught.value.hint == "give one session at a time"


def test_the_command_line_finds_the_reader(v73):
    from neurocli import open_recordings

    found = open_recordings([v73])
    assert found.meta["session"] == "Monkey_01" and len(found) == 30
