"""The published text files: run_N_voltages.dat (t_ms, then mV per neuron), run_N_spikes.dat (ms, neuron), a summary."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording, Spikes
from neurocli.recordings.recordingset import RecordingSet
from neurocli.runs.atomic import replacing, write_text

SUMMARY = "simulation_summary.txt"
_VOLTAGES = re.compile(r"^(?P<stem>.*?(?P<number>\d+)?)_?voltages\.dat$")
_SIZES = re.compile(r"\((\d+)\s*E\s*/\s*(\d+)\s*I\)")
_LARGEST = float(np.finfo(np.float32).max)
_LAYOUT = "each line holds a time in ms and the voltage of every neuron in mV, separated by blanks"
_REPAIR = "correct the line, or leave the run out"
_STEPS_MS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


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


def write_summary(folder: Path, excitatory: int, inhibitory: int, rates_hz: list[float], cvs: list[float]) -> Path:
    """Write what was simulated, in words; one rate and one CV per run."""
    path = folder / SUMMARY
    lines = [
        "Brunel network simulation",
        f"Network: {excitatory + inhibitory} neurons ({excitatory}E/{inhibitory}I)",
        f"Runs: {len(rates_hz)}",
        f"Mean firing rate: {np.mean(rates_hz):.2f} ± {np.std(rates_hz):.2f} Hz",
        f"Mean CV_ISI: {np.mean(cvs):.3f} ± {np.std(cvs):.3f}",
    ]
    write_text(path, "\n".join(lines) + "\n")
    return path


class BrunelDatReader(Reader):
    """Reads voltage files, or folders of them; a spike file of the same run beside them is taken along."""

    def can_read(self, path: Path) -> bool:
        files = sorted(path.glob("*voltages.dat")) if path.is_dir() else [path]
        return bool(files) and files[0].is_file() and (_looks_right(files[0]) or _is_spikes_of_a_run(files[0]))

    def read(self, paths: list[Path]) -> RecordingSet:
        files: list[Path] = []
        for path in paths:
            voltage_files = sorted(path.glob("*voltages.dat"), key=_order) if path.is_dir() else [path]
            if path.is_dir() and not voltage_files:
                raise DataError("the folder holds no file *voltages.dat", where=str(path), hint="name another folder")
            # A folder opened up by the caller brings its spike files too: they come in with their voltages.
            files += [file for file in voltage_files if not _is_spikes_of_a_run(file)]
        loaders: dict[str, Any] = {}
        for position, file in enumerate(sorted(dict.fromkeys(files), key=_order)):
            check_file(file)
            number = _number(file)
            group = f"run-{position if number is None else number:04d}"
            if group in loaders:
                raise DataError(
                    "two files hold a run of the same number", where=str(file), hint="rename one: run_N_voltages.dat"
                )
            loaders[group] = lambda file=file, group=group: read_run(file, group)
        if not loaders:
            raise DataError(
                "there is no voltage file",
                where=", ".join(str(path) for path in paths),
                hint="name the file run_N_voltages.dat; run_N_spikes.dat beside it is read too",
            )
        columns = _columns(next(file for file in files))
        excitatory = _num_excitatory(files[0].parent, columns)
        truth = (
            {}
            if excitatory is None
            else {"neuron_type": np.where(np.arange(columns) < excitatory, 1, 2).astype(np.int8)}
        )
        return RecordingSet(
            loaders, meta={"simulator": "brunel-dat"}, truth=truth, sources=[str(path) for path in paths]
        )


def read_run(path: Path, group: str) -> Recording:
    """One file of voltages with its spikes. Raises DataError that names file and line."""
    table = _read_table(path)
    if table.shape[1] < 2:
        raise DataError(
            "a voltage file needs a column of times and at least one of voltages", where=f"{path}:1", hint=_LAYOUT
        )
    if len(table) < 2:
        raise DataError(
            "a voltage file needs at least two rows, from which its time step is read", where=f"{path}:1", hint=_LAYOUT
        )
    dt_ms = _even_step(path, table[:, 0])
    neurons = table.shape[1] - 1
    excitatory = _num_excitatory(path.parent, neurons)
    number = _number(path)
    labels: dict[str, Any] = {"file": path.name, "neurons": neurons}
    if number is not None:
        labels["index"] = number
    return Recording(
        group=group,
        signal=table[:, 1:].astype(np.float32),
        dt_ms=dt_ms,
        unit="mV",
        channels=channel_names(range(neurons), excitatory, neurons),
        spikes=_read_spikes(_spikes_of(path), neurons),
        labels=labels,
    )


def channel_names(indices: Any, num_excitatory: int | None, neurons: int) -> list[str]:
    """E000, I080, ... ; N000 where nobody knows what the neurons are."""
    width = max(3, len(str(neurons - 1)))
    kinds = ("N" if num_excitatory is None else "E" if k < num_excitatory else "I" for k in indices)
    return [f"{kind}{k:0{width}d}" for kind, k in zip(kinds, indices, strict=True)]


def _read_table(path: Path) -> NDArray[np.float64]:
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty table is our own error, below
            table = np.loadtxt(path, ndmin=2, comments=None, dtype=np.float64)
    except (ValueError, UnicodeDecodeError):
        raise _fault(path) from None
    if table.size == 0:
        raise DataError("the file holds no numbers", where=str(path), hint=_LAYOUT)
    if not (np.abs(table) <= _LARGEST).all():
        raise _fault(path)
    return table


def _fault(path: Path) -> DataError:
    """What is wrong in a text table, with the line: read again, slowly."""
    columns: int | None = None
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            cells = line.split()
            if not cells:
                continue
            where = f"{path}:{number}"
            for column, cell in enumerate(cells, start=1):
                try:
                    value = float(cell)
                except ValueError:
                    return DataError(f"column {column} is not a number: {cell[:40]!r}", where=where, hint=_REPAIR)
                if not abs(value) <= _LARGEST:
                    return DataError(f"column {column} is {cell[:40]}", where=where, hint=_REPAIR)
            columns = columns or len(cells)
            if len(cells) != columns:
                message = f"the line has {len(cells)} columns, those before it {columns}"
                return DataError(message, where=where, hint=_REPAIR)
    return DataError("the file is not a table of numbers", where=str(path), hint=_LAYOUT)


def _even_step(path: Path, times: NDArray[np.float64]) -> float:
    dt_ms = float((times[-1] - times[0]) / (len(times) - 1))
    dt_ms = round(dt_ms, 6)
    steps = np.diff(times)
    # Times carry three decimals: half of the last one may be rounded away at both ends of a step.
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else 0.0
    bad = np.flatnonzero(~(steps > 0) | (np.abs(steps - usual) > 1.1e-3))
    if bad.size or not dt_ms > 0:
        line = _line_of(path, int(bad[0]) + 1 if bad.size else 1)
        raise DataError("the times of the first column are not evenly spaced", where=f"{path}:{line}", hint=_REPAIR)
    return dt_ms


def _read_spikes(path: Path, neurons: int) -> Spikes | None:
    """Spikes [n] of a file, in steps of the coarsest usual step that all times are multiples of."""
    if not path.exists():
        return None
    if path.stat().st_size == 0:  # a run without a spike
        return Spikes(np.zeros(0, np.int32), np.zeros(0, np.int32), _STEPS_MS[0])
    table = _read_table(path)
    if table.shape[1] != 2:
        message = f"a spike file has two columns, ms and neuron, not {table.shape[1]}"
        raise DataError(message, where=f"{path}:1", hint=_REPAIR)
    times, index = table.T
    dt_ms = next((dt for dt in _STEPS_MS if np.abs(times / dt - np.rint(times / dt)).max() * dt < 4e-4), _STEPS_MS[-1])
    most = np.iinfo(np.int32).max
    wrong = (times < 0) | (times > most * dt_ms) | (index < 0) | (index > most) | (index != np.rint(index))
    if wrong.any():
        line = _line_of(path, int(np.argmax(wrong)))
        raise DataError(
            "a spike is a time of 0 ms or more and a whole neuron number", where=f"{path}:{line}", hint=_REPAIR
        )
    order = np.argsort(times, kind="stable")
    return Spikes(np.rint(times[order] / dt_ms).astype(np.int32), index[order].astype(np.int32), dt_ms)


def _line_of(path: Path, row: int) -> int:
    """The line of row number `row`, counting that blank lines are no rows."""
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = (number for number, line in enumerate(file, start=1) if line.strip())
        return next((line for position, line in enumerate(lines) if position == row), row + 1)


def _looks_right(path: Path) -> bool:
    if not _VOLTAGES.match(path.name):
        return False
    with path.open("rb") as file:
        return b"\x00" not in file.read(4096)


def _is_spikes_of_a_run(path: Path) -> bool:
    voltages = path.with_name(path.name.removesuffix("spikes.dat") + "voltages.dat")
    return path.name.endswith("spikes.dat") and voltages.is_file()


def _spikes_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix("voltages.dat") + "spikes.dat")


def _number(path: Path) -> int | None:
    match = _VOLTAGES.match(path.name)
    return int(match["number"]) if match and match["number"] else None


def _order(path: Path) -> tuple[int, str]:
    number = _number(path)
    return (-1 if number is None else number, str(path))


def _columns(path: Path) -> int:
    """Number of neurons by the first line."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return max(0, len(next((line for line in file if line.strip()), "").split()) - 1)


def _num_excitatory(folder: Path, neurons: int) -> int | None:
    """How many neurons are excitatory: the summary says it, or the size is the published one; else unknown."""
    summary = folder / SUMMARY
    if summary.is_file():
        match = _SIZES.search(summary.read_text(encoding="utf-8", errors="replace")[:10_000])
        if match and int(match[1]) + int(match[2]) == neurons:
            return int(match[1])
    return 80 if neurons == 100 else None
