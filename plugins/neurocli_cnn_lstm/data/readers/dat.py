"""The published text files: run_N_voltages.dat (t_ms, then mV per neuron), run_N_spikes.dat (ms, neuron), a summary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.files.packing import packed_how
from neurocli.recordings.files.tables import read_ends
from neurocli.recordings.files.text import encoding_of, read_start, read_text
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.runs.atomic import replacing, write_text
from neurocli_cnn_lstm.data.readers.doubts import doubts_of
from neurocli_cnn_lstm.data.readers.names import (
    SUMMARY,
    is_near,
    is_spikes_of_a_run,
    is_voltages,
    near_names,
    number_of,
    order,
    spikes_of,
    summary_of,
    voltages_in,
)
from neurocli_cnn_lstm.data.readers.spikes import Clock, read_spikes
from neurocli_cnn_lstm.data.readers.voltages import is_even, read_voltages

_SIZES = re.compile(r"\((\d+)\s*E\s*/\s*(\d+)\s*I\)")
_RECORDED = re.compile(r"^Recorded neurons:((?:[ \t,]*\d+)+)\s*$", re.MULTILINE)
_NAMES = "run_N_voltages.dat, with run_N_spikes.dat beside it"


def write_run(folder: Path, number: int, recording: Recording) -> list[Path]:
    """Write one run's voltages and, where there are any, its spikes; gives the files."""
    voltages = folder / f"run_{number}_voltages.dat"
    times = np.arange(recording.steps) * recording.dt_ms
    with replacing(voltages) as temporary:
        np.savetxt(temporary, np.column_stack([times, recording.signal.astype(np.float64)]), fmt="%.3f")
    if recording.spikes is None:
        return [voltages]
    spikes = folder / f"run_{number}_spikes.dat"
    with replacing(spikes) as temporary:
        np.savetxt(temporary, np.column_stack([recording.spikes.time_ms, recording.spikes.channel]), fmt="%.3f %d")
    return [spikes, voltages]


def write_summary(
    folder: Path,
    excitatory: int,
    inhibitory: int,
    rates_hz: list[float],
    cvs: list[float],
    recorded: Sequence[int] | None = None,
) -> Path:
    """Write what was simulated, in words; one rate and one CV per run. recorded: numbers of the neurons in the columns, where not all."""
    path = folder / SUMMARY
    lines = [
        "Brunel network simulation",
        f"Network: {excitatory + inhibitory} neurons ({excitatory}E/{inhibitory}I)",
        f"Runs: {len(rates_hz)}",
        f"Mean firing rate: {np.mean(rates_hz):.2f} ± {np.std(rates_hz):.2f} Hz",
        f"Mean CV_ISI: {np.mean(cvs):.3f} ± {np.std(cvs):.3f}",
    ]
    if recorded is not None:
        lines.append(f"Recorded neurons: {' '.join(map(str, recorded))}")
    write_text(path, "\n".join(lines) + "\n")
    return path


class BrunelDatReader(Reader):
    """Reads voltage files, or folders of them; a spike file of the same run beside them is taken along. Names may be in any case."""

    def can_read(self, path: Path) -> bool:
        files = voltages_in(path) if path.is_dir() else [path]
        return bool(files) and files[0].is_file() and (_looks_right(files[0]) or is_spikes_of_a_run(files[0]))

    def lacks(self, path: Path) -> str | None:
        if is_voltages(path) or path.name.lower().endswith("spikes.dat"):
            if encoding_of(path) is None:
                return "its content is no text"
            return None if is_voltages(path) else "its voltages, run_N_voltages.dat, do not lie beside it"
        ends = read_ends(path)
        if ends is None:
            return None
        values = ends[0].values
        if values.shape[1] > 1 and len(values) > 2 and (is_even(values[:, 0]) or is_near(path)):
            return f"its name is not run_N_voltages.dat: rename it, where it holds {values.shape[1] - 1} voltages after a time"
        return None

    def read(self, paths: list[Path]) -> RecordingSet:
        files: list[Path] = []
        notes: list[Note] = []
        for path in paths:
            voltage_files = voltages_in(path) if path.is_dir() else [path]
            if path.is_dir():
                if not voltage_files:
                    raise DataError(
                        "the folder holds no file *voltages.dat", where=str(path), hint="name another folder"
                    )
                notes += [_not_read(file) for file in near_names(path)]
            # A folder opened up by the caller brings its spike files too: they come in with their voltages.
            files += [file for file in voltage_files if not is_spikes_of_a_run(file)]
        loaders: dict[str, Any] = {}
        used: list[Path] = []
        for position, file in enumerate(sorted(dict.fromkeys(files), key=order)):
            check_file(file)
            number = number_of(file)
            group = f"run-{position if number is None else number:04d}"
            if group in loaders:
                raise DataError(
                    "two files hold a run of the same number", where=str(file), hint="rename one: run_N_voltages.dat"
                )
            loaders[group] = lambda file=file, group=group: read_run(file, group)
            used.append(file)
        if not loaders:
            raise DataError(
                "there is no voltage file",
                where=", ".join(str(path) for path in paths),
                hint="name the file run_N_voltages.dat; run_N_spikes.dat beside it is read too",
            )
        columns = _columns(used[0])
        network = _network_of(used[0].parent, columns, notes)
        for file in used:
            notes += doubts_of(file, spikes_of(file), _network_of(file.parent, columns).size)
        truth = (
            {}
            if network.excitatory is None
            else {"neuron_type": np.where(np.arange(network.neurons) < network.excitatory, 1, 2).astype(np.int8)}
        )
        return RecordingSet(
            loaders, meta={"simulator": "brunel-dat"}, truth=truth, sources=[str(path) for path in paths], notes=notes
        )


def read_run(path: Path, group: str) -> Recording:
    """One file of voltages with its spikes. Raises DataError that names file and line."""
    signal, dt_ms, start_ms = read_voltages(path)
    neurons = signal.shape[1]
    network = _network_of(path.parent, neurons)
    number = number_of(path)
    labels: dict[str, Any] = {"file": path.name, "neurons": network.neurons}
    if number is not None:
        labels["index"] = number
    clock = Clock(dt_ms, start_ms, start_ms + dt_ms * (len(signal) - 1), neurons, network.size)
    return Recording(
        group=group,
        signal=signal,
        dt_ms=dt_ms,
        unit="mV",
        channels=channel_names(network.recorded, network.excitatory, network.neurons),
        spikes=read_spikes(spikes_of(path), clock, []),
        labels=labels,
    )


def channel_names(indices: Any, num_excitatory: int | None, neurons: int) -> list[str]:
    """E000, I080, ... ; N000 where nobody knows what the neurons are."""
    width = max(3, len(str(neurons - 1)))
    kinds = ("N" if num_excitatory is None else "E" if k < num_excitatory else "I" for k in indices)
    return [f"{kind}{k:0{width}d}" for kind, k in zip(kinds, indices, strict=True)]


def _looks_right(path: Path) -> bool:
    return is_voltages(path) and encoding_of(path) is not None and packed_how(path) is None


def _not_read(path: Path) -> Note:
    packed = packed_how(path)
    advice = f"unpack it: {packed.command(path)}" if packed else f"name it {_NAMES}, or leave it out of the folder"
    return Note("left-out", str(path), "the file is not read, since its name is another", advice)


def _columns(path: Path) -> int:
    """Number of neurons by the first rows; 0 where they are no table."""
    ends = read_ends(path)
    if ends is not None:
        return max(0, ends[0].values.shape[1] - 1)
    first = next((line for line in read_start(path).split("\n") if line.strip()), "")
    return max(0, len(first.split()) - 1)


class _Network(NamedTuple):
    """neurons: of the network, as far as it is known; excitatory: how many of them, None where nobody knows; recorded: the number
    of each column; size: neurons that may spike, None where no summary says."""

    neurons: int
    excitatory: int | None
    recorded: Sequence[int]
    size: int | None


def _network_of(folder: Path, columns: int, notes: list[Note] | None = None) -> _Network:
    """What a summary says of the network, or what the published size does.

    notes: it is added to them where the summary does not fit the voltages.
    """
    summary = summary_of(folder)
    every = range(columns)
    if summary is None:
        return _Network(columns, 80 if columns == 100 else None, every, None)
    text = read_text(summary)[:100_000] if summary.stat().st_size else ""
    match = _SIZES.search(text)
    size = int(match[1]) + int(match[2]) if match else None
    if notes is not None and match and int(match[2]) > int(match[1]):
        found = f"{match[2]} of {size} neurons are inhibitory, and {match[1]} excitatory"
        notes.append(Note("neuron-types", str(summary), found, "is this the right way round? write (80E/20I)"))
    if match and size == columns:
        return _Network(columns, int(match[1]), every, size)
    listed = _RECORDED.search(text)
    recorded = [int(number) for number in listed[1].replace(",", " ").split()] if listed else []
    if match and size and recorded and len(set(recorded)) == len(recorded) == columns and max(recorded) < size:
        return _Network(size, int(match[1]), recorded, size)
    if notes is not None:
        what = f"speaks of {size} neurons" if size else "does not say how many neurons are excitatory"
        notes.append(
            Note(
                "neuron-types",
                str(summary),
                f"the summary {what}, and the voltages are of {columns}: which are excitatory is taken as unknown",
                "write (80E/20I) and, where not all were recorded, a line `Recorded neurons: 0 5 10`, or leave the summary out",
            )
        )
    return _Network(columns, None, every, size)
