"""The collection as parquet: keys, order, what is read and what is not; and files that are wrong, damaged or hostile."""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.errors import DataError, MissingDependency
from neurocli.recordings import Recording, RecordingSet
from neurocli_gat_lstm.data.readers.parquet import QsimeonParquetReader
from neurocli_gat_lstm.data.writers.parquet import write_parquet

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

STEPS = 30
TIMES = (np.arange(STEPS) * 0.25).astype(np.float32)


def row(source: str, worm: str, neuron: str, slot: int = 0, **changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(zlib.crc32(f"{source} {worm} {slot}".encode()))
    values = {
        "source_dataset": source,
        "raw_data_file": "raw.mat",
        "worm": worm,
        "neuron": neuron,
        "slot": slot,
        "is_labeled_neuron": not neuron.isdigit(),
        "smooth_method": "moving",
        "interpolate_method": "linear",
        "normalization_method": "standard",
        "original_calcium_data": random.uniform(100, 200, STEPS).astype(np.float32),
        "calcium_data": np.zeros(22, np.float32),
        "original_time_in_seconds": TIMES,
        "time_in_seconds": np.arange(22, dtype=np.float32) * np.float32(0.333),
        "original_max_timesteps": STEPS,
        "max_timesteps": 22,
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def rows() -> list[dict[str, Any]]:
    """Two sources with a worm0 each, the rows of one not together and not in order."""
    return [
        row("A2020", "worm0", "VB02", 2),
        row("B2021", "worm0", "AVAL", 0),
        row("A2020", "worm0", "17", 1),
        row("A2020", "worm0", "AVAL", 0),
        row("A2020", "worm1", "AVAR", 0),
    ]


def write(path: Path, table_rows: list[dict[str, Any]], **kwargs: Any) -> Path:
    parquet.write_table(pa.Table.from_pylist(table_rows), path, **kwargs)
    return path


def read(path: Path) -> RecordingSet:
    assert QsimeonParquetReader().can_read(path)
    return QsimeonParquetReader().read([path])


def fails(path: Path, message: str) -> DataError:
    with pytest.raises(DataError, match=message) as caught:
        QsimeonParquetReader().read([path])
    assert str(path) in caught.value.where and caught.value.hint
    return caught.value


@pytest.mark.parametrize("group", [1, 2, 100])
def test_worms_are_kept_apart_by_source_and_ordered_by_slot(group, tmp_path):
    table_rows = rows()
    recordings = read(write(tmp_path / "worms.parquet", table_rows, row_group_size=group))
    assert recordings.groups == ["A2020-worm0", "B2021-worm0", "A2020-worm1"] and recordings.meta == {"kind": "worm"}
    worm = recordings["A2020-worm0"]
    assert worm.channels == ["AVAL", "unidentified-2", "VB2"]
    for column, number in enumerate((3, 2, 0)):
        assert np.array_equal(worm.signal[:, column], table_rows[number]["original_calcium_data"])
    assert worm.dt_ms == 250 and np.array_equal(worm.events["time_s"], TIMES) and worm.unit == "a.u."
    assert worm.labels["smooth_method"] == "moving" and worm.labels["normalization_method"] == "standard"


def test_only_the_key_and_the_native_columns_are_needed(tmp_path):
    optional = ("slot", "is_labeled_neuron", "raw_data_file", "calcium_data", "time_in_seconds", "max_timesteps")
    optional += ("smooth_method", "interpolate_method", "normalization_method", "original_max_timesteps")
    table_rows = [{name: value for name, value in entry.items() if name not in optional} for entry in rows()]
    recordings = read(write(tmp_path / "few.parquet", table_rows))
    assert recordings["A2020-worm0"].channels == ["VB2", "unidentified-2", "AVAL"]  # as they come
    assert recordings["A2020-worm0"].labels["smooth_method"] == "unknown"


def test_a_name_that_is_not_marked_as_a_label_is_none(tmp_path):
    table_rows = [row("A", "w", "AVAL", 0, is_labeled_neuron=False), row("A", "w", "AVAR", 1)]
    assert read(write(tmp_path / "a.parquet", table_rows))["A-w"].channels == ["unidentified-1", "AVAR"]


def test_a_name_that_is_code_is_a_name(tmp_path):
    marker = tmp_path / "executed"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    table_rows = [row(code, "worm0", "AVAL"), row(code, code, "__import__('os')")]
    recordings = read(write(tmp_path / "code.parquet", table_rows))
    assert {worm.labels["source"] for worm in recordings.values()} == {code} and not marker.exists()


def test_what_is_null_in_a_list_is_masked(tmp_path):
    values = [1.0, None, float("nan"), *range(STEPS - 3)]
    recordings = read(write(tmp_path / "gaps.parquet", [row("A", "w", "AVAL", original_calcium_data=values)]))
    assert np.flatnonzero(~recordings["A-w"].mask[:, 0]).tolist() == [1, 2]


@pytest.mark.parametrize(
    "column", ["source_dataset", "worm", "neuron", "original_calcium_data", "original_time_in_seconds"]
)
def test_a_missing_column_is_named(column, tmp_path):
    table_rows = [{name: value for name, value in entry.items() if name != column} for entry in rows()]
    path = write(tmp_path / "missing.parquet", table_rows)
    assert QsimeonParquetReader().can_read(path)
    fails(path, f"required column {column} is missing")


BACK = TIMES.copy()
BACK[[10, 11]] = BACK[[11, 10]]


@pytest.mark.parametrize(
    ("changed", "message", "place"),
    [
        (row("A2020", "worm0", "AVAL", 5), "is there twice, in rows 3 and 5", "row 5"),
        (row("A2020", "worm0", "17", 5), "is there twice, in rows 2 and 5", "row 5"),
        (row("C", "w", "AVAL", original_time_in_seconds=BACK), "value 11 .*times must ascend", "row 5"),
        (row("C", "w", "AVAL", original_time_in_seconds=TIMES[:9]), "30 values, its own times are 9", "row 5"),
        (
            row("A2020", "worm0", "x", 3, original_time_in_seconds=TIMES[:9], original_calcium_data=TIMES[:9]),
            "9 values, the first row of this worm has 30",
            "row 5",
        ),
        (row("A2020", "worm0", "x", 3, original_time_in_seconds=TIMES + 1), "differ from those of row 0", "row 5"),
        (row("C", "w", "AVAL") | {"worm": None}, "column worm is empty", "row 5"),
        (row("C", "w", "AVAL") | {"neuron": None}, "column neuron is empty", "row 5"),
        (row("C", "w", "AVAL") | {"original_calcium_data": None}, "no list of values", "row 5, original_calcium_data"),
        (row("C", "w", "AVAL", original_calcium_data=[1.0], original_time_in_seconds=[0.0]), "1 frames", "rows of C w"),
        (row("C", "w", "AVAL", original_calcium_data=[np.nan] * STEPS), "not one sample", "rows of C w"),
    ],
)
def test_a_wrong_row_is_named(changed, message, place, tmp_path):
    recordings = read(write(tmp_path / "wrong.parquet", [*rows(), changed]))
    (left,) = [note for note in recordings.notes if note.check == "left-out"]
    assert re.search(message, left.found) and place in left.found and left.is_doubt
    others = {"A2020-worm0", "B2021-worm0", "A2020-worm1"}
    spoilt = {"A2020-worm0"} if changed["source_dataset"] == "A2020" else set()
    assert set(recordings.groups) == others - spoilt


@pytest.mark.parametrize(
    ("column", "values"), [("worm", [0, 1]), ("original_calcium_data", ["a", "b"]), ("neuron", [[1.0], [2.0]])]
)
def test_a_column_of_another_type_is_named(column, values, tmp_path):
    table_rows = [row("A", "w", "AVAL", 0), row("A", "w", "AVAR", 1)]
    for entry, value in zip(table_rows, values, strict=True):
        entry[column] = value
    assert fails(write(tmp_path / "type.parquet", table_rows), f"column {column} is of type").where.endswith(
        f":{column}"
    )


def test_two_columns_of_one_name_and_no_rows(tmp_path):
    table = pa.Table.from_pylist(rows())
    parquet.write_table(table.append_column("worm", table["worm"]), tmp_path / "twice.parquet")
    fails(tmp_path / "twice.parquet", "column worm is there twice")
    parquet.write_table(table.slice(0, 0), tmp_path / "empty.parquet")
    fails(tmp_path / "empty.parquet", "no rows")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_or_damaged_file_is_said_to_be_one(share, tmp_path):
    whole = write(tmp_path / "whole.parquet", rows()).read_bytes()
    path = tmp_path / "damaged.parquet"
    path.write_bytes(whole[: int(share * len(whole))])
    fails(path, "empty" if share == 0 else "damaged")
    broken = bytearray(whole)
    at = 4 + int(share * (len(whole) - 2000))
    broken[at : at + 200] = bytes(200)
    path.write_bytes(broken)
    try:  # zeros in the place of some numbers are numbers
        QsimeonParquetReader().read([path])
    except DataError as error:
        assert str(path) in error.where


def test_a_small_file_that_claims_much_is_refused(tmp_path):
    """Twenty million equal values in a few kilobytes: run-length coding makes it possible."""
    table = pa.table({name: ["A"] for name in ("source_dataset", "worm", "neuron")})
    many = pa.ListArray.from_arrays([0, 20_000_000], pa.array(np.zeros(20_000_000, np.float32)))
    for name in ("original_calcium_data", "original_time_in_seconds"):
        table = table.append_column(name, many)
    path = tmp_path / "bomb.parquet"
    parquet.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 80_000
    before = pa.total_allocated_bytes()
    fails(path, "claims 153 MiB")
    assert pa.total_allocated_bytes() - before < 1e6


def test_memory_stays_near_the_native_columns(tmp_path):
    """600 rows of one group: what arrow holds at once is a small part of the 24 MB that are returned."""
    times, random = np.arange(10_000, dtype=np.float32), np.random.default_rng(0)
    schema = pa.Table.from_pylist(rows()).schema
    with parquet.ParquetWriter(tmp_path / "large.parquet", schema) as file:
        table_rows = []
        for number in range(600):
            values = random.normal(size=10_000).astype(np.float32)
            lists = {"original_calcium_data": values, "calcium_data": values}
            table_rows.append(
                row("A", f"w{number // 100}", str(number), number, original_time_in_seconds=times, **lists)
            )
        file.write_table(pa.Table.from_pylist(table_rows, schema=schema))
    del table_rows
    pool = pa.system_memory_pool()
    previous = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        recordings = read(tmp_path / "large.parquet")
    finally:
        pa.set_memory_pool(previous)
    assert sum(worm.signal.nbytes for worm in recordings.values()) == 24_000_000
    assert 0 < pool.max_memory() < 12_000_000


def test_knowing_the_format_does_not_import_pyarrow(tmp_path, monkeypatch):
    path = write(tmp_path / "worms.parquet", rows())
    (tmp_path / "text.parquet").write_text("hello")
    (tmp_path / "magic.parquet").write_bytes(b"PAR1\xff\xff\xff\xffPAR1")
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    reader = QsimeonParquetReader()
    assert reader.can_read(path)
    names = ("text.parquet", "magic.parquet", "other.parquet", "absent.parquet", ".")
    assert not any(reader.can_read(tmp_path / name) for name in names)
    with pytest.raises(MissingDependency) as caught:
        reader.read([path])
    assert caught.value.hint == 'pip install "neurocli[worm]"' and caught.value.exit_code == 6


def test_what_is_written_is_read_again(tmp_path):
    random = np.random.default_rng(2)
    signal = random.normal(size=(40, 3)).astype(np.float32)
    signal[:, 2] = 4.0
    mask = np.ones(signal.shape, bool)
    mask[5:9, 0] = False
    time_s = np.cumsum(random.uniform(0.2, 0.4, 40)).astype(np.float32).astype(np.float64)
    labels = {"source": "celegans-simulated", "worm": "worm3", "file": "truth.h5"}
    channels = ["AVAL", "unidentified-2", "VB2"]
    worm = Recording("g", signal, 300.0, "dF/F0", channels, mask=mask, events={"time_s": time_s}, labels=labels)
    path = write_parquet(RecordingSet.of([worm]), tmp_path / "deep" / "worms.parquet")
    back = read(path)["celegans-simulated-worm3"]
    assert back.channels == channels and np.array_equal(back.mask, mask)
    assert np.array_equal(back.signal[mask], signal[mask]) and np.array_equal(back.events["time_s"], time_s)
    table = parquet.read_table(path).to_pylist()
    grid = np.arange(time_s[0], time_s[-1], 0.333)
    for slot, entry in enumerate(table):
        known = mask[:, slot]
        expected = np.interp(grid, time_s[known], signal[known, slot])
        expected = (expected - expected.mean()) / expected.std() if slot < 2 else expected * 0
        assert np.allclose(entry["calcium_data"], expected, atol=1e-5) and entry["max_timesteps"] == len(grid)
    with pytest.raises(DataError, match="no worm to write"):
        write_parquet([], tmp_path / "none.parquet")
    assert [entry.name for entry in tmp_path.iterdir()] == ["deep"] and len(list(path.parent.iterdir())) == 1
