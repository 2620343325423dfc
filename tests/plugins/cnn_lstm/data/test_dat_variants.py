"""Voltage files with one change that someone may make: read to the same values, refused, or flagged; never read to others in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocli.config import resolve
from neurocli.plugin.cards import ReaderCard
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli.recordings.readers import open_paths
from neurocli_cnn_lstm.data.readers.dat import BrunelDatReader
from neurocli_cnn_lstm.diagnosis.data import data_findings
from tests.variants import SILENT, outcome

CARD = ReaderCard(
    "brunel-dat", "the published text files", "neurocli_cnn_lstm.data.readers.dat:BrunelDatReader", (".dat",)
)
READERS = [(CARD, BrunelDatReader())]
FAMILY = registry().family("cnn-lstm-v2")
CONFIG = resolve(FAMILY.Config, sets=("data.burn_in_ms=0",)).config
RUNS = 3


class Folder(NamedTuple):
    """What is written, before it is text. values: [row, column] per run, times first; spikes: [spike, 2] per run."""

    values: list[np.ndarray]
    spikes: list[np.ndarray]
    separator: str = " "
    newline: str = "\n"
    encoding: str = "utf-8"
    digits: str = "%.3f"
    header: str = ""
    spikes_header: str = ""
    each: Callable[[str], str] = staticmethod(lambda text: text)
    voltages: str = "run_{}_voltages.dat"
    names: str = "run_{}_spikes.dat"
    summary: str = "Network: 6 neurons (5E/1I)\n"
    packed: bool = False


def small(step_ms: float, spiking: bool) -> Folder:
    """Three runs of a membrane of 20 ms, six neurons, with spikes."""
    values, spikes = [], []
    for run in range(RUNS):
        random = np.random.default_rng(run)
        noise = random.normal(0, 1, (400, 6))
        voltage = np.empty_like(noise)
        voltage[0] = noise[0]
        keep = np.exp(-step_ms / 20)
        for k in range(1, len(noise)):
            voltage[k] = keep * voltage[k - 1] + np.sqrt(1 - keep**2) * noise[k]
        times = np.arange(400) * step_ms
        values.append(np.column_stack([times, -60 + 4 * voltage]).round(3))
        # A spike in each 5 ms or so of some neuron, which is reset by it.
        row = np.sort(random.choice(np.arange(3, 399), 200, replace=False))
        neuron = random.integers(0, 6, 200)
        values[-1][row, 1 + neuron] = -70.0
        spikes.append(
            np.column_stack([values[-1][row, 0] - random.choice([0.1, 0.2], 200) * min(step_ms, 0.5), neuron])
        )
    return Folder(values, spikes if spiking else [])


def written(folder: Folder, into: Path) -> Path:
    into.mkdir(parents=True)
    for run in range(RUNS):
        tables = [(folder.voltages, folder.values[run], folder.digits, folder.header)]
        if folder.spikes:
            tables.append((folder.names, folder.spikes[run], "%.9g", folder.spikes_header))
        for name, values, digits, header in tables:
            lines = [header] * bool(header) + [
                folder.separator.join(digits % value for value in row) for row in values.tolist()
            ]
            content = (folder.each("\n".join(lines)).replace("\n", folder.newline) + folder.newline).encode(
                folder.encoding
            )
            path = into / (name.format(run) + (".gz" if folder.packed else ""))
            path.write_bytes(gzip.compress(content) if folder.packed else content)
    if folder.summary:
        (into / "simulation_summary.txt").write_bytes(folder.summary.encode(folder.encoding))
    return into


def opened(path: Path) -> RecordingSet:
    return open_paths([path], READERS)


def voltages(folder: Folder, change: Callable[[np.ndarray], np.ndarray]) -> Folder:
    """The columns of voltages changed in all runs."""
    return folder._replace(values=[np.column_stack([v[:, 0], change(v[:, 1:])]) for v in folder.values])


def times(folder: Folder, change: Callable[[np.ndarray], np.ndarray], digits: str = "%.9g") -> Folder:
    return folder._replace(values=[np.column_stack([change(v[:, 0]), v[:, 1:]]) for v in folder.values], digits=digits)


def tables(folder: Folder, change: Callable[[np.ndarray], np.ndarray], **also: str) -> Folder:
    return folder._replace(values=[change(v) for v in folder.values], **also)


def spikes(folder: Folder, change: Callable[[np.ndarray], np.ndarray]) -> Folder:
    return folder._replace(spikes=[change(s) for s in folder.spikes])


def spike_times(folder: Folder, change: Callable[[np.ndarray], np.ndarray]) -> Folder:
    return spikes(folder, lambda s: np.column_stack([change(s[:, 0]), s[:, 1]]))


def numbers(word: Callable[[str], str]) -> Callable[[str], str]:
    """Every word of a text that is a number, rewritten."""
    return lambda text: "\n".join(
        " ".join(word(w) if w[-1].isdigit() else w for w in line.split(" ")) for line in text.split("\n")
    )


def comma(text: str) -> str:
    return text.replace(".", ",")


def step_of(folder: Folder) -> float:
    return float(folder.values[0][1, 0])


HEADERS = ["t_ms v0 v1 v2 v3 v4 v5", "# t_ms v0 v1 v2 v3 v4 v5", "time 0 1 2 3 4 5", "% t V V V V V V", "t a b c d e f"]
IN_SECONDS = ["t_s v0 v1 v2 v3 v4 v5", "time[s] 0 1 2 3 4 5", "# t_s V V V V V V"]
IN_VOLTS = ["t_ms V V V V V V", "ms v0_V v1_V v2_V v3_V v4_V v5_V", "t Vm[V] Vm[V] Vm[V] Vm[V] Vm[V] Vm[V]"]

ENCODINGS = st.builds(
    lambda encoding, newline: lambda f: f._replace(encoding=encoding, newline=newline),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n", " \n", "\t\n"]),
)
NUMBERS = st.sampled_from(
    [
        lambda f: f._replace(each=comma),
        lambda f: f._replace(each=lambda text: comma(text.replace(" ", ";"))),
        lambda f: f._replace(each=lambda text: comma(text.replace(" ", ","))),
        lambda f: f._replace(each=lambda text: comma(text.replace(" ", "\t"))),
        lambda f: f._replace(each=numbers(lambda w: w + "D+00")),
        lambda f: f._replace(each=numbers(lambda w: w + "e0")),
        lambda f: f._replace(each=numbers(lambda w: f'"{w}"')),
        lambda f: f._replace(each=lambda text: text.replace("-", "\u2212")),
        lambda f: f._replace(each=lambda text: text + "\n\x1a"),
        lambda f: f._replace(each=lambda text: text + "\n\n\n"),
        lambda f: f._replace(each=lambda text: "# made by hand\n" + text.replace("\n", "\n# a remark\n", 1)),
        lambda f: f._replace(each=lambda text: text[:-4]),
        lambda f: f._replace(each=lambda text: text.replace("\n", ";\n") + ";"),
        lambda f: f._replace(digits="%.7e"),
        lambda f: f._replace(digits="%d"),
        lambda f: f._replace(digits="%.2g"),
        lambda f: f._replace(digits="%25.3f"),
    ]
)
SEPARATORS = st.builds(
    lambda separator, header: lambda f: f._replace(separator=separator, header=header.replace(" ", separator)),
    st.sampled_from([" ", "  ", "\t", ",", ";", ", ", " ; ", "|", " \t"]),
    st.sampled_from(["", *HEADERS]),
)
TIMES = st.one_of(
    st.builds(
        lambda factor, digits: lambda f: times(f, lambda t: t * factor, digits),
        st.sampled_from([1e-3, 1e3, 1 / 6e4, 1e-6, 1e6, 10.0]),
        st.sampled_from(["%.9g", "%.3f", "%.6f"]),
    ),
    st.builds(
        lambda first, digits: lambda f: times(f, lambda t: np.arange(len(t)) + first, digits),
        st.sampled_from([0, 1]),
        st.sampled_from(["%.3f", "%.9g"]),
    ),
    st.builds(
        lambda header: lambda f: times(f, lambda t: t / 1e3)._replace(header=header), st.sampled_from(IN_SECONDS)
    ),
    st.builds(lambda later: lambda f: times(f, lambda t: t + later), st.sampled_from([-50.0, 0.4, 500.0, 1e5])),
    st.builds(lambda row: lambda f: tables(f, lambda v: np.delete(v, row, 0)), st.integers(1, 398)),
)
VOLTS = st.one_of(
    st.sampled_from(
        [
            lambda f: voltages(f, lambda v: v / 1e3)._replace(digits="%.6f"),
            lambda f: voltages(f, lambda v: v * 1e3),
            lambda f: voltages(f, lambda v: v * 10),
            lambda f: voltages(f, lambda v: (v - v.mean(0)) / v.std(0)),
            lambda f: voltages(f, lambda v: (v - v.min(0)) / np.ptp(v, 0)),
            lambda f: voltages(f, lambda v: v + 60),
            lambda f: voltages(f, lambda v: v - 100),
            lambda f: voltages(f, lambda v: -v),
            lambda f: voltages(f, np.rint),
            lambda f: voltages(f, lambda v: np.float32(v)),
            lambda f: voltages(f, lambda v: v * np.where(np.arange(6) == 2, 1e-3, 1)),
            lambda f: voltages(f, lambda v: np.where(np.arange(len(v))[:, None] > 390, 0, v)),
            lambda f: voltages(f, lambda v: np.where(np.arange(len(v))[:, None] > 350, v[350], v)),
            lambda f: voltages(f, lambda v: np.where(np.arange(len(v))[:, None] > 390, np.nan, v)),
            lambda f: voltages(f, lambda v: np.where(v < -66, -9999, v)),
        ]
    ),
    st.builds(
        lambda header: lambda f: voltages(f, lambda v: v / 1e3)._replace(header=header, digits="%.6f"),
        st.sampled_from(IN_VOLTS),
    ),
    st.builds(lambda header: lambda f: f._replace(header=header), st.sampled_from(IN_VOLTS + IN_SECONDS + HEADERS)),
)
AXES = st.sampled_from(
    [
        lambda f: tables(f, np.transpose),
        lambda f: tables(f, lambda v: v[:, 1:]),
        lambda f: tables(f, lambda v: v[:, ::-1]),
        lambda f: tables(f, lambda v: np.roll(v, 2, axis=1)),
        lambda f: tables(f, lambda v: v[::-1]),
        lambda f: tables(f, lambda v: np.column_stack([np.arange(len(v)), v])),
        lambda f: tables(f, lambda v: np.column_stack([v, np.arange(len(v))])),
        lambda f: tables(f, lambda v: np.vstack([np.arange(v.shape[1]), v])),
        lambda f: tables(f, lambda v: np.vstack([v, 0 * v[:20]])),
        lambda f: tables(f, lambda v: v[:, [0, 3, 1, 2, 4, 5, 6]], header="t_ms v2 v0 v1 v3 v4 v5"),
    ]
)
SPIKES = st.one_of(
    st.builds(
        lambda factor: lambda f: spike_times(f, lambda t: t * factor), st.sampled_from([1e-3, 1e3, 1 / 6e4, 10.0, 0.1])
    ),
    st.sampled_from(
        [
            lambda f: spike_times(f, lambda t: np.rint(t / step_of(f) * 10)),
            lambda f: spike_times(f, lambda t: t + 10_000),
            lambda f: spike_times(f, lambda t: t[::-1]),
            lambda f: spikes(f, lambda s: s + np.array([0, 1])),
            lambda f: spikes(f, lambda s: s[:, ::-1]),
            lambda f: spikes(f, lambda s: np.column_stack([s, s[:, 0]])),
            lambda f: spikes(f, lambda s: s * np.array([1, 100])),
            lambda f: spike_times(f, lambda t: t / 1e3)._replace(spikes_header="t_s neuron"),
            lambda f: f._replace(spikes_header="# time_ms cell"),
            lambda f: f._replace(spikes_header="t i"),
            lambda f: spikes(f, lambda s: s[np.argsort(s[:, 1], kind="stable")]),
        ]
    ),
)
NAMES = st.sampled_from(
    [
        lambda f: f._replace(voltages="RUN_{}_VOLTAGES.DAT", names="RUN_{}_SPIKES.DAT"),
        lambda f: f._replace(voltages="Run_{}_Voltages.dat"),
        lambda f: f._replace(voltages="run_{}_voltages.DAT"),
        lambda f: f._replace(names="RUN_{}_spikes.dat"),
        lambda f: f._replace(voltages="run_{}_voltages.txt"),
        lambda f: f._replace(voltages="run_{}_voltages.csv", separator=","),
        lambda f: f._replace(voltages="run_{}_voltages.dat.txt"),
        lambda f: f._replace(voltages="volts{}.dat"),
        lambda f: f._replace(names="run_{}_spikes.txt"),
        lambda f: f._replace(names="run_{}_spike_times.dat"),
        lambda f: f._replace(packed=True),
        lambda f: f._replace(summary=""),
        lambda f: f._replace(summary="Network: 60 neurons (48E/12I)\n"),
        lambda f: f._replace(summary="Network: 6 neurons (1I/5E)\n"),
        lambda f: f._replace(summary="ours, see the notebook\n"),
    ]
)
CLOCKS = st.sampled_from([(0.1, False), (0.1, True), (0.5, False), (0.5, True), (1.0, True)])
"""Steps in ms, with and without spikes; steps of 1 ms without spikes are a doubt in themselves."""
CHANGES = st.one_of(ENCODINGS, NUMBERS, SEPARATORS, TIMES, VOLTS, AXES, SPIKES, NAMES)


@cache
def unchanged(step_ms: float, spiking: bool) -> RecordingSet:
    with TemporaryDirectory() as folder:
        recordings = opened(written(small(step_ms, spiking), Path(folder) / "base"))
        assert not any(note.is_doubt for note in recordings.notes), recordings.notes
        return RecordingSet.of(
            list(recordings.values()), meta=recordings.meta, truth=recordings.truth, notes=recordings.notes
        )


def check(change, step_ms, spiking, place: Path) -> None:  # type: ignore[no-untyped-def]
    before = small(step_ms, spiking)
    after = change(before)
    if not after.summary:  # no byte of the other files tells that there was one
        return
    changed = written(after, place)
    became = outcome(
        unchanged(step_ms, spiking), lambda: opened(changed), lambda recordings: data_findings(recordings, CONFIG)
    )
    assert became != SILENT


def draw(examples: int, place_of: Callable[[], Path]) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(CHANGES, CLOCKS)
    def every(change, clock) -> None:  # type: ignore[no-untyped-def]
        check(change, *clock, place_of())

    every()


@pytest.fixture
def place_of(tmp_path: Path) -> Callable[[], Path]:
    count = iter(range(10**6))
    return lambda: tmp_path / str(next(count))


def test_no_change_of_a_voltage_file_is_read_to_other_numbers_in_silence(place_of) -> None:
    draw(30, place_of)


@pytest.mark.slow
def test_no_change_of_a_voltage_file_is_read_to_other_numbers_in_silence_at_length(place_of) -> None:
    draw(250, place_of)
