"""Worms as a parquet file in the schema of `qsimeon/celegans_neural_data`, one row for each neuron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.recording import Recording
from neurocli.runs.atomic import replacing
from neurocli_gat_lstm.data.readers.parquet import _pyarrow
from neurocli_gat_lstm.data.worm import STANDARD

STEP_S = 0.333
"""Step of the resampled columns, as published."""


def write_parquet(recordings: Mapping[str, Recording] | Iterable[Recording], path: Path) -> Path:
    """Write worms, atomically and one at a time; returns `path`.

    original_* keep the signal as it is; calcium_data is the signal on a grid of 0.333 s by linear interpolation, across
    gaps too, and z-scored over the whole recording, as in the published files (smooth_method none). Raises
    MissingDependency without pyarrow, StorageError where the disk refuses, DataError where there is no worm.
    """
    parquet, _ = _pyarrow()
    schema = _schema()
    worms = (recordings[group] for group in recordings) if isinstance(recordings, Mapping) else iter(recordings)
    written = 0
    with replacing(path) as temporary, parquet.ParquetWriter(temporary, schema, compression="snappy") as file:
        for worm in worms:
            file.write_table(_table(worm, schema))
            written += 1
        if not written:
            raise DataError("there is no worm to write", where=str(path), hint="simulate or name some")
    return path


def resampled(time_s: NDArray[Any], trace: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(grid, z-scores on it) of one neuron; NaN where it has no sample, and zeros where it never changes."""
    grid = np.arange(time_s[0], time_s[-1], STEP_S)
    known = np.isfinite(trace)
    if not known.any():
        return grid, np.full(len(grid), np.nan)
    values = np.interp(grid, time_s[known], trace[known].astype(np.float64))
    deviation = values.std()
    return grid, (values - values.mean()) / (deviation if deviation > 0 else 1.0)


def _schema() -> Any:
    import pyarrow as pa

    numbers = pa.list_(pa.float32())
    columns = [(name, pa.string()) for name in ("source_dataset", "raw_data_file", "worm", "neuron")]
    columns += [("slot", pa.int32()), ("is_labeled_neuron", pa.bool_())]
    columns += [(name, pa.string()) for name in ("smooth_method", "interpolate_method", "normalization_method")]
    columns += [("original_calcium_data", numbers), ("calcium_data", numbers)]
    columns += [("original_time_in_seconds", numbers), ("time_in_seconds", numbers)]
    columns += [("original_max_timesteps", pa.int32()), ("max_timesteps", pa.int32())]
    return pa.schema(columns)


def _table(worm: Recording, schema: Any) -> Any:
    """The rows of one worm."""
    import pyarrow as pa

    time_s = worm.events.get("time_s")
    if time_s is None:
        time_s = np.arange(worm.steps) * worm.dt_ms * 1e-3
    names = worm.channels or [f"unidentified-{n + 1}" for n in range(worm.num_channels)]
    rows = []
    for slot, name in enumerate(names):
        trace = worm.signal[:, slot]
        if worm.mask is not None:
            trace = np.where(worm.mask[:, slot], trace, np.nan)
        grid, values = resampled(time_s, trace)
        labelled = not name.startswith("unidentified-")
        rows.append(
            {
                "source_dataset": str(worm.labels.get("source", worm.group.partition("-")[0])),
                "raw_data_file": str(worm.labels.get("file", "")),
                "worm": str(worm.labels.get("worm", worm.group.partition("-")[2] or worm.group)),
                "neuron": name if labelled else name.removeprefix("unidentified-"),
                "slot": slot,
                "is_labeled_neuron": labelled,
                "smooth_method": "none",
                "interpolate_method": "linear",
                "normalization_method": STANDARD,
                "original_calcium_data": trace.astype(np.float32),
                "calcium_data": values.astype(np.float32),
                "original_time_in_seconds": time_s.astype(np.float32),
                "time_in_seconds": grid.astype(np.float32),
                "original_max_timesteps": len(time_s),
                "max_timesteps": len(grid),
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)
