"""The collection `qsimeon/celegans_neural_data`: one parquet row for each neuron of each worm, of twelve laboratories.

Read are the columns of the native frame rate, original_calcium_data and original_time_in_seconds, and what the file says
about how it made the others. The key is (source_dataset, worm): "worm0" there is in every source.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, MissingDependency
from neurocli.recordings import Note
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_gat_lstm.data.readers.parquet_footer import values_of
from neurocli_gat_lstm.data.readers.spelling import found, missing
from neurocli_gat_lstm.data.worm import DFF, UNKNOWN, Z_SCORE, Worm, Worms, measured_unit, worm_set

SOURCE, WORM, NEURON = "source_dataset", "worm", "neuron"
TRACE, TIME = "original_calcium_data", "original_time_in_seconds"
METHODS = ("normalization_method", "smooth_method", "interpolate_method")
_TEXTS = (SOURCE, WORM, NEURON)
_OPTIONAL = ("slot", "is_labeled_neuron", "raw_data_file", *METHODS)
_MAGIC = b"PAR1"
_LARGEST_FOOTER = 2**26
_ROWS_AT_ONCE = 16
_HINT = "the columns are those of qsimeon/celegans_neural_data"
_DFF_SOURCES = frozenset({"Kato2015", "Nichols2017", "Skora2018", "Kaplan2020", "Uzel2022"})
"""Of the Zimmer laboratory, whose published traces are dF/F0; the files themselves state no unit."""


class QsimeonParquetReader(Reader):
    """Reads the worms of parquet files with pyarrow (extra `worm`)."""

    def can_read(self, path: Path) -> bool:
        """By the names of the columns in the file's footer; without pyarrow."""
        try:
            footer = _footer(path) if path.is_file() else b""
        except OSError:
            return False
        footer = footer.lower()
        return TRACE.encode() in footer or (b"calcium_data" in footer and SOURCE.encode() in footer)

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set(paths, worms_of)

    def lacks(self, path: Path) -> str | None:
        footer = _footer(path).lower()
        wanted = (*_TEXTS, TRACE, TIME)
        there = [name for name in wanted if len(name) > 6 and name.encode() in footer]
        if not there and b"calcium" not in footer:
            return None
        lacking = [name for name in wanted if name.encode() not in footer]
        return f"the columns {', '.join(lacking)} are missing" + (f"; there is {', '.join(there)}" if there else "")


def worms_of(path: Path) -> Worms:
    """The worms of a file in the order of their first rows, each with what is wrong in its rows.

    Raises MissingDependency; DataError where the file is damaged, or its columns are others.
    """
    parquet, error_type = _pyarrow()
    check_file(path)
    try:
        with memory.reading(path), parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**20) as file:
            columns = _columns(path, file)
            worms, wrong = _collected(path, file, columns)
    except (error_type, OSError, OverflowError, ValueError) as error:  # ValueError: names that are no UTF-8
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"the parquet file is damaged: {reason}", where=str(path), hint="download it again") from error
    other = sorted(name for wanted, name in columns.items() if wanted != name)
    said = [Note("spelling", str(path), f"columns in another case are read: {', '.join(other)}")]
    for name, fault in wrong.items():
        yield name, partial(_fail, fault)
    while worms:  # what has been handed over is not kept here
        key = next(iter(worms))
        yield f"{path.name}: {' '.join(key)}", partial(worms.pop(key).worm, path, said if other else [])


def _fail(error: DataError) -> Worm:
    """In the place of a worm that cannot be read."""
    raise error


@dataclass
class _Rows:
    """The rows of one worm as they come."""

    source: str
    name: str
    time_s: NDArray[Any]
    about: dict[str, str]
    slots: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labelled: list[bool] = field(default_factory=list)
    traces: list[NDArray[np.float32]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, path: Path, row: int, entry: dict[str, Any], trace: NDArray[Any], time_s: NDArray[Any]) -> None:
        name = entry[NEURON]
        where = f"{path}, row {row}"
        if len(trace) != len(time_s) or len(trace) != len(self.time_s):
            what = "its own times are" if len(trace) != len(time_s) else "the first row of this worm has"
            raise DataError(
                f"neuron {name!r:.40} of {self.source} {self.name} has {len(trace)} values, {what} "
                f"{len(time_s) if len(trace) != len(time_s) else len(self.time_s)}",
                where=where,
                hint="rows of one worm must have lists of one length; two worms of one name need names of their own",
            )
        if not np.array_equal(time_s, self.time_s):
            raise DataError(
                f"the times differ from those of row {self.rows[0]}, of the same worm {self.source} {self.name}",
                where=f"{where}, {TIME}",
                hint="two worms of one source must not have one name",
            )
        first = self.seen.setdefault(name, row)
        if first != row:
            raise DataError(
                f"the neuron {name!r:.40} of {self.source} {self.name} is there twice, in rows {first} and {row}",
                where=where,
                hint="two worms of one source must not have one name, nor two neurons of one worm",
            )
        slot = entry.get("slot")
        labelled = entry.get("is_labeled_neuron")
        self.slots.append(len(self.slots) if slot is None else int(slot))
        self.labelled.append(labelled is not False)
        self.names.append(name)
        self.rows.append(row)
        self.traces.append(np.array(trace, np.float32))

    def worm(self, path: Path, notes: list[Note]) -> Worm:
        """The worm with its neurons in the order of their slots; the rows are given up on the way."""
        order = sorted(range(len(self.slots)), key=self.slots.__getitem__)
        traces = np.empty((len(self.time_s), len(order)), np.float32)
        for column, number in enumerate(order):
            traces[:, column] = self.traces[number]
        self.traces.clear()
        measured = measured_unit(traces)
        return Worm(
            source=self.source,
            worm=self.name,
            time_s=self.time_s,
            traces=traces,
            names=[self.names[n] if self.labelled[n] else None for n in order],
            unit=DFF if measured != Z_SCORE and self.source in _DFF_SOURCES else measured,
            where=f"{path}, rows of {self.source} {self.name}",
            file=path.name,
            normalization_method=self.about.get("normalization_method", UNKNOWN),
            smooth_method=self.about.get("smooth_method", UNKNOWN),
            interpolate_method=self.about.get("interpolate_method", UNKNOWN),
            notes=list(notes),
        )


def _collected(
    path: Path, file: Any, columns: dict[str, str]
) -> tuple[dict[tuple[str, str], _Rows], dict[str, DataError]]:
    """(the rows of each worm, worms and rows that cannot be read with what is wrong).

    A few rows are in memory at a time beside what is kept: the traces once, the times once per worm.
    """
    worms: dict[tuple[str, str], _Rows] = {}
    wrong: dict[tuple[str, ...], DataError] = {}
    row = 0
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns.values()), use_threads=False):
        batch = batch.rename_columns([_wanted(columns, name) for name in batch.schema.names])
        entries = batch.select([name for name in batch.schema.names if name not in (TRACE, TIME)]).to_pylist()
        for number, entry in enumerate(entries):
            key = entry[SOURCE], entry[WORM]
            try:
                if None in key or key not in wrong:
                    _add(worms, path, row, entry, batch, number)
            except DataError as error:
                wrong[key if None not in key else (f"row {row}",)] = error
                worms.pop(key, None)
            row += 1
    if not worms and not wrong:
        raise DataError("there are no rows", where=str(path), hint=_HINT)
    return worms, {f"{path.name}: {' '.join(key)}": error for key, error in wrong.items()}


def _add(
    worms: dict[tuple[str, str], _Rows], path: Path, row: int, entry: dict[str, Any], batch: Any, number: int
) -> None:
    """Put one row to its worm. Raises DataError that names it."""
    where = f"{path}, row {row}"
    for name in _TEXTS:
        if entry[name] is None:
            raise DataError(f"the column {name} is empty", where=where, hint=_HINT)
    trace = _list(batch.column(TRACE), number, f"{where}, {TRACE}")
    time_s = _list(batch.column(TIME), number, f"{where}, {TIME}")
    key = entry[SOURCE], entry[WORM]
    if key not in worms:
        _check_ascending(time_s, f"{where}, {TIME}")
        about = {name: str(entry[name]) for name in METHODS if entry.get(name) is not None}
        worms[key] = _Rows(*key, np.array(time_s, np.float64), about)
    worms[key].add(path, row, entry, trace, time_s)


def _wanted(columns: dict[str, str], name: str) -> str:
    """Our name of a column."""
    return next(wanted for wanted, there in columns.items() if there == name)


def _list(column: Any, number: int, where: str) -> NDArray[Any]:
    """One list of a column as an array; what is null in it is NaN."""
    if not column[number].is_valid:
        raise DataError("there is no list of values", where=where, hint=_HINT)
    return np.asarray(column[number].values.to_numpy(zero_copy_only=False))


def _check_ascending(time_s: NDArray[Any], where: str) -> None:
    wrong = ~np.isfinite(time_s)
    wrong[1:] |= ~(np.diff(time_s) > 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        before = f" after {time_s[at - 1]:g} s" if at else ""
        raise DataError(
            f"value {at} (counted from 0) is {time_s[at]:g} s{before}: times must ascend",
            where=where,
            hint="correct or leave out the recording",
        )


def _columns(path: Path, file: Any) -> dict[str, str]:
    """The columns to be read: our name → that of the file, which may be in another case.

    Raises DataError where one is missing or of another type, or claims too much memory.
    """
    import pyarrow

    types, schema = pyarrow.types, file.schema_arrow
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise DataError(f"the column {repeated[0]} is there twice", where=str(path), hint=_HINT)
    columns: dict[str, str] = {}
    for name in (*_TEXTS, *_OPTIONAL, TRACE, TIME):
        there = found(name, schema.names)
        if there is not None:
            columns[name] = there
    for name in (*_TEXTS, TRACE, TIME):
        if name not in columns:
            raise DataError(
                f"the required column {missing(name, schema.names)}",
                where=str(path),
                hint=f"{_HINT}; there are: {', '.join(schema.names)[:300]}",
            )
        kind = schema.field(columns[name]).type
        if name in _TEXTS:
            fits = types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind)
        else:
            fits = (types.is_list(kind) or types.is_large_list(kind)) and types.is_floating(kind.value_type)
        if not fits:
            raise DataError(
                f"the column {columns[name]} is of type {kind}", where=f"{path}:{columns[name]}", hint=_HINT
            )
    # The footer is read without pyarrow, which ends the process over some damaged ones.
    memory.take(4 * values_of(_footer(path), (columns[TRACE], columns[TIME]), str(path)), str(path))
    return columns


def _footer(path: Path) -> bytes:
    """The description of the columns at the end of a parquet file; nothing where it is none."""
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            return b""
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        length, magic = struct.unpack("<I4s", file.read(8).ljust(8, b"\0"))
        if magic != _MAGIC or length > min(size - 8, _LARGEST_FOOTER):
            return b""
        file.seek(size - 8 - length)
        return file.read(length)


def _pyarrow() -> tuple[Any, type[Exception]]:
    """(pyarrow.parquet, the base of its errors). Raises MissingDependency."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependency.package("pyarrow", "reading and writing parquet files", extra="worm") from None
    return pyarrow.parquet, pyarrow.ArrowException
