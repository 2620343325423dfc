"""Text files of voltages and spikes as laboratories have them: read, or told what is wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings import RecordingSet
from neurocli.recordings.readers import open_paths
from neurocli_cnn_lstm.data.readers.dat import BrunelDatReader

CARD = ReaderCard(
    "brunel-dat", "the published text files", "neurocli_cnn_lstm.data.readers.dat:BrunelDatReader", (".dat",)
)
TIMES = np.arange(300) * 0.1
VOLTS = np.cumsum(np.random.default_rng(0).normal(0, 0.3, (300, 3)), axis=0).round(3) - 60


def put(folder: Path, text: str, name: str = "run_0_voltages.dat", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder


def text(times: np.ndarray = TIMES, volts: np.ndarray = VOLTS, digits: str = "%.9g", separator: str = " ") -> str:
    table = np.column_stack([times, volts]).tolist()
    return "\n".join(separator.join(digits % value for value in row) for row in table) + "\n"


def spikes(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def opened(path: Path) -> RecordingSet:
    return open_paths([path], [(CARD, BrunelDatReader())])


def doubts(path: Path) -> dict[str, str]:
    return {note.check: note.found for note in opened(path).notes if note.is_doubt}


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (text(), "utf-8-sig"),
        (text(), "utf-16"),
        (text().replace("\n", "\r\n"), "utf-8"),
        (text().replace("\n", "\r"), "utf-8"),
        (text(separator=","), "utf-8"),
        (text(separator="\t"), "utf-8"),
        (text(separator=";").replace(".", ","), "utf-8"),
        (text().replace(".", ","), "utf-8"),
        (text(digits="%.9e").replace("e", "D"), "utf-8"),
        (text() + "\n\n\x1a", "utf-8"),
        ("# by hand\n" + text(), "utf-8"),
        ("# t_ms v0 v1 v2\n" + text(), "utf-8"),
        ("t,0,1,2\n" + text(separator=","), "utf-8"),
        ("time;Vm;Vm;Vm\nms;mV;mV;mV\n" + text(separator=";"), "cp1252"),
        ("t_s a b c\n" + text(TIMES / 1e3), "utf-8"),
        ("t[µs] a b c\n" + text(TIMES * 1e3), "cp1252"),
        ("t_s V V V\n" + text(TIMES / 1e3, VOLTS / 1e3), "utf-8"),
        ("t_ms v0_µV v1_µV v2_µV\n" + text(TIMES, VOLTS * 1e3), "utf-8"),
    ],
)
def test_every_way_of_writing_a_table_gives_the_same_numbers(tmp_path, content, encoding):
    recordings = opened(put(tmp_path, content, encoding=encoding))
    recording = recordings["run-0000"]
    np.testing.assert_allclose(recording.signal, VOLTS, rtol=1e-5)
    assert recording.dt_ms == pytest.approx(0.1) and recording.unit == "mV"
    assert {note.check for note in recordings.notes if note.is_doubt} <= {"time-unit"}  # 30 ms are a short run


def test_a_header_is_noted_with_its_line_and_units(tmp_path):
    notes = opened(put(tmp_path, "# by hand\n# t_s Vm[V] Vm[V] Vm[V]\n" + text(TIMES / 1e3, VOLTS / 1e3))).notes
    [note] = [note for note in notes if note.check == "header"]
    assert (
        "line 2 looks like a header" in note.found and "times in s, voltages in V" in note.found and not note.is_doubt
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (text(volts=VOLTS / 1e3), "is it in V?"),
        (text(volts=VOLTS * 1e3), "is it in µV?"),
        (text(volts=VOLTS * 10), "is it in tenths of mV?"),
        (text(volts=(VOLTS - VOLTS.mean(0)) / VOLTS.std(0)), "z-scores"),
        (text(times=TIMES / 1e3), "is it in s"),
        (text(times=TIMES / 6e4), "is it in minutes?"),
        (text(times=TIMES * 1e3), "is it in µs?"),
        ("t_ms V_z V_z V_z\n" + text(), "the header speaks of z-scores"),
        ("t_ms I[pA] I[pA] I[pA]\n" + text(), "the header speaks of currents"),
        ("sample a b c\n" + text(), "the header speaks of sample numbers"),
        ("t_ms v[V] v[V] v[V]\n" + text(), "is it in mV?"),
        ("t_ms v[V] v[mV] v[mV]\n" + text(), "columns in V and mV"),
        (text(volts=np.where(np.arange(3) == 1, np.nan, VOLTS), separator=",").replace("nan", ""), "column 3 is empty"),
    ],
)
def test_other_units_and_contents_are_refused_by_name(tmp_path, content, says):
    with pytest.raises(DataError) as caught:
        opened(put(tmp_path, content))["run-0000"]
    assert says in caught.value.message and "run_0_voltages.dat" in caught.value.where and caught.value.hint


@pytest.mark.parametrize(
    ("content", "check"),
    [
        (text(times=np.arange(300.0)), "time-unit"),
        (text(times=TIMES / 10), "time-unit"),
        (text(times=TIMES * 50), "time-unit"),
        (text(volts=VOLTS + 75), "voltage-unit"),
        (text(volts=VOLTS * np.array([1, 1e-3, 1])), "voltage-unit"),
        (text(volts=np.rint(VOLTS)), "voltage-digits"),
        (text(volts=VOLTS[np.minimum(np.arange(300), 250)]), "held"),
        (text(digits="%.3f")[:-3], "cut-off"),
        ("t_ms v2 v0 v1\n" + text(), "column-order"),
    ],
)
def test_what_may_be_and_is_not_likely_is_a_doubt(tmp_path, content, check):
    assert check in doubts(put(tmp_path, content))


def test_names_in_capitals_are_read_with_their_spikes(tmp_path):
    put(tmp_path, text(), "RUN_7_VOLTAGES.DAT")
    put(tmp_path, spikes("1.5 0", "29.1 2"), "RUN_7_SPIKES.DAT")
    recording = opened(tmp_path)["run-0007"]
    assert recording.spikes is not None and recording.spikes.step.size == 2
    put(tmp_path, spikes("1.5 0"), "run_7_spikes.dat")
    if len(list(tmp_path.iterdir())) == 3:  # not where names know no case
        with pytest.raises(DataError, match="differ in case only"):
            opened(tmp_path)


@pytest.mark.parametrize("name", ["run_0_voltages.txt", "run_0.csv", "voltages_0.dat"])
def test_another_name_is_told_what_it_must_be(tmp_path, name):
    path = put(tmp_path, text(separator=","), name) / name
    for place in (path, tmp_path):
        with pytest.raises(DataError) as caught:
            opened(place)
        assert (
            "its name is not run_N_voltages.dat" in caught.value.message and "holds 3 voltages" in caught.value.message
        )


def test_files_beside_that_are_not_read_are_named(tmp_path):
    put(tmp_path, text())
    put(tmp_path, text(), "run_1_voltages.txt")
    put(tmp_path, spikes("1.5 0"), "run_0_spikes.csv")
    (tmp_path / "run_2_voltages.dat.gz").write_bytes(gzip.compress(text().encode()))
    notes = [note for note in opened(tmp_path).notes if note.check == "left-out"]
    assert [Path(note.where).name for note in notes] == [
        "run_0_spikes.csv",
        "run_1_voltages.txt",
        "run_2_voltages.dat.gz",
    ]
    assert "gunzip" in notes[-1].advice


def test_a_packed_file_is_refused_by_its_own_name(tmp_path):
    for name in ("run_0_voltages.dat.gz", "run_0_voltages.dat"):
        (tmp_path / name).write_bytes(gzip.compress(text().encode()))
        with pytest.raises(DataError, match="packed") as caught:
            opened(tmp_path / name)
        assert caught.value.where == str(tmp_path / name) and "gunzip" in caught.value.hint


LATE = [f"{t:.1f} {k % 3}" for k, t in enumerate(np.linspace(0.3, 29.9, 60))]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([f"{float(line.split()[0]) / 1e3:.4f} {line.split()[1]}" for line in LATE], "are they in s?"),
        ([f"{float(line.split()[0]) * 10:.0f} {line.split()[1]}" for line in LATE], "or sample numbers"),
        ([*LATE, "45.0 1"], "are they of another run?"),
        ([f"{k % 3} {float(line.split()[0]) * 10:.0f}" for k, line in enumerate(LATE)], "the other way round"),
    ],
)
def test_spikes_that_do_not_fit_the_voltages_are_refused(tmp_path, lines, says):
    put(tmp_path, text())
    put(tmp_path, spikes(*lines), "run_0_spikes.dat")
    with pytest.raises(DataError) as caught:
        opened(tmp_path)["run-0000"]
    assert says in caught.value.message and "run_0_spikes.dat" in caught.value.where


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([f"{line[:-1]}{int(line[-1]) + 1}" for line in LATE], "counted from 1"),
        ([*LATE, "29.9 7"], "above 2"),
        ([line for line in LATE if line[-1] != "0"], "but the one with number 0"),
    ],
)
def test_numbers_of_neurons_that_may_count_from_1_are_a_doubt(tmp_path, lines, found):
    put(tmp_path, text())
    put(tmp_path, spikes(*lines), "run_0_spikes.dat")
    assert found in doubts(tmp_path)["neuron-numbers"]


def test_neurons_counted_from_1_are_read_as_such(tmp_path):
    put(tmp_path, text())
    put(tmp_path, spikes(*[f"{line[:-1]}{int(line[-1]) + 1}" for line in LATE]), "run_0_spikes.dat")
    assert set(opened(tmp_path)["run-0000"].spikes.channel.tolist()) == {0, 1, 2}


def test_the_header_of_a_spike_file_tells_unit_and_order(tmp_path):
    put(tmp_path, text())
    lines = [f"{line.split()[1]};{float(line.split()[0]) / 1e3:.6f}".replace(".", ",") for line in LATE]
    put(tmp_path, spikes("neuron;time_s", *lines), "run_0_spikes.dat")
    read = opened(tmp_path)["run-0000"].spikes
    assert [f"{t:.1f} {c}" for t, c in zip(read.time_ms, read.channel, strict=True)] == LATE


def test_spikes_of_a_run_that_begins_late_count_from_its_first_row(tmp_path):
    put(tmp_path, text(times=TIMES + 500))
    put(tmp_path, spikes("501.5 0", "529.9 2"), "run_0_spikes.dat")
    assert opened(tmp_path)["run-0000"].spikes.time_ms == pytest.approx([1.5, 29.9])
    put(tmp_path, spikes("1.5 0", "29.9 2"), "run_0_spikes.dat")
    with pytest.raises(DataError, match="the voltages at 500 ms"):
        opened(tmp_path)["run-0000"]


def test_a_summary_of_another_network_leaves_the_types_open(tmp_path):
    put(tmp_path, text(volts=np.repeat(VOLTS[:, :1], 100, axis=1) + np.arange(100) / 50))
    assert opened(tmp_path)["run-0000"].channels[0] == "E000"
    put(tmp_path, "Network: 500 neurons (400E/100I)\n", "simulation_summary.txt")
    assert "speaks of 500 neurons" in doubts(tmp_path)["neuron-types"]
    assert opened(tmp_path)["run-0000"].channels[0] == "N000"
    put(tmp_path, "Network: 100 neurons (70E/30I)\r\n", "simulation_summary.txt", encoding="utf-16")
    recordings = opened(tmp_path)
    assert recordings["run-0000"].channels[70] == "I070" and int((recordings.truth["neuron_type"] == 1).sum()) == 70


def test_a_summary_tells_which_neurons_were_recorded(tmp_path):
    put(tmp_path, text())
    put(tmp_path, spikes("1.5 0", "3.1 7", "29.1 9"), "run_0_spikes.dat")
    put(tmp_path, "Network: 10 neurons (8E/2I)\nRecorded neurons: 0 4 9\n", "simulation_summary.txt")
    recordings = opened(tmp_path)
    assert recordings["run-0000"].channels == ["E000", "E004", "I009"]
    assert recordings.truth["neuron_type"].tolist() == [1] * 8 + [2] * 2
    assert not {"neuron-types", "neuron-numbers"} & doubts(tmp_path).keys()


def found(folder: Path, check: str) -> str:
    return "; ".join(note.found for note in opened(folder).notes if note.check == check and note.is_doubt)


def test_two_columns_of_one_neuron_are_a_doubt(tmp_path):
    put(tmp_path, text(volts=VOLTS[:, [0, 1, 0]]))
    assert found(tmp_path, "same-neurons") == "columns hold the same voltages as one before them: 4"


def test_a_neuron_that_no_longer_changes_is_a_doubt(tmp_path):
    held = np.where((np.arange(300)[:, None] > 60) & (np.arange(3) == 1), VOLTS[60], VOLTS)
    put(tmp_path, text(volts=held))
    assert "no longer change in the last 239 rows or more: 3" in found(tmp_path, "held")


def test_rows_within_a_run_in_which_nothing_changes_are_a_doubt(tmp_path):
    rows = np.arange(300)[:, None]
    put(tmp_path, text(volts=np.where((rows > 100) & (rows < 200), VOLTS[100], VOLTS)))
    assert "no voltage changes in 99 rows" in found(tmp_path, "held")


def test_rows_of_zeros_within_a_run_are_refused(tmp_path):
    volts = VOLTS.copy()
    volts[100:130] = 0
    recordings = opened(put(tmp_path, text(volts=volts)))
    with pytest.raises(DataError, match="30 rows within the run hold 0 for every neuron") as raised:
        recordings["run-0000"]
    assert raised.value.where.endswith(":101")


def test_spikes_that_stand_there_twice_are_a_doubt(tmp_path):
    put(put(tmp_path, text()), spikes("3.1 0", "7.2 1", "25.3 2", "28.3 0") * 2, "run_0_spikes.dat")
    assert "4 of 8 spikes are at the time of another" in found(tmp_path, "spikes-twice")


@pytest.mark.parametrize("blank", ["", "\n", "\r\n"])
def test_a_spike_file_without_a_line_is_a_run_without_spikes(blank, tmp_path):
    recordings = opened(put(put(tmp_path, text()), blank, "run_0_spikes.dat"))
    assert not recordings.notes
    assert recordings["run-0000"].spikes.step.size == 0


def test_more_inhibitory_neurons_than_excitatory_ones_are_a_doubt(tmp_path):
    put(put(tmp_path, text()), "Network: 3 neurons (1E/2I)\n", "simulation_summary.txt")
    assert "2 of 3 neurons are inhibitory" in found(tmp_path, "neuron-types")


def test_a_unit_that_the_file_states_wrongly_is_to_be_corrected(tmp_path):
    recordings = opened(put(tmp_path, "t_min a b c\n" + text()))
    with pytest.raises(DataError, match=r"0\.1 minutes.*is it in ms") as raised:
        recordings["run-0000"]
    assert raised.value.hint == "correct its unit, or the number"


@pytest.mark.parametrize("content", [b"\n", b"0.1 -60.0 "])
def test_a_text_without_an_end_of_its_first_row_is_refused_by_its_start(content, tmp_path):
    (tmp_path / "run_0_voltages.dat").write_bytes(content * (2**21 // len(content)))
    recordings = opened(tmp_path)
    with pytest.raises(DataError, match="no line with numbers ends in the first 1 MiB"):
        recordings["run-0000"]


def test_a_large_table_that_is_not_plain_is_not_taken_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("neurocli.recordings.files.tables._LARGEST_ODD", 1000)
    recordings = opened(put(tmp_path, text() + "1\n"))
    with pytest.raises(DataError, match=r"cannot be read: .*columns"):
        recordings["run-0000"]
