"""A worm's content as a file of each format, and the ways in which such a file may be packed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from tests.plugins.gat_lstm.data.worm_changes import COLUMNS, STEPS, Content


def cells(names: list[str]) -> np.ndarray:
    array = np.empty((1, len(names)), object)
    array[0, :] = names
    return array


def write_mat(c: Content, path: Path) -> Path:
    struct: dict[str, Any] = {
        "deltaFOverF_bc": c.traces,
        "NeuronNames": cells(c.names),
        "tv": c.times[:, None],
        "fps": 1 / c.step_s,
    }
    if c.packing == "names as rows":
        struct["NeuronNames"] = np.array([name.ljust(8) for name in c.names])
    if c.packing == "names down":
        struct["NeuronNames"] = cells(c.names).T
    if c.packing == "other field":
        struct["deltaFOverF"] = struct.pop("deltaFOverF_bc")
    if c.packing == "no times":
        del struct["tv"]
    if c.packing == "strings":
        struct["deltaFOverF_bc"] = np.array([" ".join(map(str, row)) for row in np.atleast_2d(c.traces)])
    if c.upper:
        struct = {name.upper(): value for name, value in struct.items()}
    variables = {"wt": {"simple": struct}} if c.packing == "struct in a struct" else {"other": struct}
    scipy.io.savemat(
        str(path), struct if c.packing == "no struct" else variables, do_compression=c.packing == "compressed"
    )
    return path


def write_json(c: Content, path: Path) -> Path:
    rows = np.asarray(c.traces).T if c.traces.ndim == 2 else c.traces
    content: dict[str, Any] = {
        "uid": "2022-06-14-01",
        "max_t": STEPS,
        "num_neurons": COLUMNS,
        "avg_timestep": c.step_s / 60,
        "timestamp_confocal": c.times.tolist(),
        "trace_original": rows.tolist(),
        "labeled": {str(k): {"label": n, "neuron_class": n[:2]} for k, n in enumerate(c.names, start=1) if n},
    }
    if c.packing == "only the mean step":
        del content["timestamp_confocal"]
    if c.packing == "no times":
        del content["timestamp_confocal"], content["avg_timestep"]
    if c.packing == "labels from 0":
        content["labeled"] = {str(int(key) - 1): value for key, value in content["labeled"].items()}
    if c.packing == "labels by name":
        content["labeled"] = {value["label"]: key for key, value in content["labeled"].items()}
    if c.packing == "low confidence":
        content["labeled"]["2"]["confidence"] = 1
    if c.packing == "other key":
        content["traces"] = content.pop("trace_original")
    if c.packing == "numbers as texts":
        content["trace_original"] = [[str(value) for value in row] for row in rows.tolist()]
    if c.upper:
        content = {name.upper(): value for name, value in content.items()}
    text = json.dumps(content, indent=1 if c.packing == "CRLF" else None)
    if c.packing == "twice":
        text = text[:-1] + ', "trace_original": [[1, 2], [3, 4]]}'
    encoding = c.packing if c.packing.startswith("utf") else "utf-8"
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding) if c.packing == "CRLF" else text.encode(encoding))
    return path


def write_h5(c: Content, path: Path) -> Path:
    letter = str.upper if c.upper else str
    with h5py.File(path, "w") as file:
        options = {"compression": "gzip"} if c.packing == "compressed" and np.ndim(c.traces) else {}
        key = "gcamp/traces" if c.packing == "other key" else "gcamp/trace_array_original"
        traces = c.traces.T if c.traces.ndim == 2 else c.traces
        if c.packing == "only trace_array":
            key = "gcamp/trace_array"
        if c.packing == "numbers as texts":
            traces = traces.astype("S12")
        file.create_dataset(letter(key), data=traces, **options)
        if c.packing != "no times":
            file[letter("timing/timestamp_confocal")] = c.times[:, None] if c.packing == "a column" else c.times
        names: Any = [name.encode() for name in c.names]
        if c.packing == "characters":
            names = np.array([[letter.encode() for letter in name.ljust(10)[:10]] for name in c.names])
        if c.packing == "names as numbers":
            names = np.arange(len(c.names))
        if c.packing == "variable":
            names = np.array(c.names, object)
        file.create_dataset(
            letter("neuron_names"), data=names, **({"dtype": h5py.string_dtype()} if c.packing == "variable" else {})
        )
    return path


def write_nwb(c: Content, path: Path) -> Path:
    pynwb = pytest.importorskip("pynwb")
    from pynwb import ophys

    content = pynwb.NWBFile("a worm", "id-7", datetime(2023, 1, 2, tzinfo=UTC))
    channel = ophys.OpticalChannel(name="channel", description="green", emission_lambda=500.0)
    plane = content.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="head",
        device=content.create_device("microscope"),
        excitation_lambda=488.0,
        imaging_rate=1 / c.step_s,
        indicator="GCaMP6s",
        location="head",
    )
    module = content.create_processing_module("ophys", "traces")
    segmentation = ophys.ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(name="PlaneSegmentation", description="neurons", imaging_plane=plane)
    for number in range(len(c.names)):
        table.add_roi(pixel_mask=[(number, 0, 1.0)])
    names: list[Any] = list(c.names)
    if c.packing == "characters":
        names = [list(name.ljust(10)[:10]) for name in names]
    column = "NeuroPAL_ID" if c.packing == "other column" else "notes" if c.packing == "notes" else "ID_labels"
    if c.packing == "ragged":
        table.add_column(column, "names", data=[[n] if n else [] for n in names], index=True)
    elif c.packing == "other table":
        other = pynwb.core.DynamicTable(name="NeuroPALNeurons", description="names", id=list(range(len(names))))
        other.add_column(column, "names", data=names)
        module.add(other)
    else:
        table.add_column(column.upper() if c.upper else column, "names", data=names)
    region = table.create_roi_table_region(description="all", region=list(range(len(names))))
    series: dict[str, Any] = {
        "name": "SignalCalcium",
        "data": c.traces,
        "rois": region,
        "unit": "n.a.",
        "timestamps": c.times,
    }
    if c.packing in ("rate", "step in place of rate", "rate per minute"):
        del series["timestamps"]
        rates = {"rate": 1 / c.step_s, "step in place of rate": c.step_s, "rate per minute": 60 / c.step_s}
        series |= {"rate": rates[c.packing], "starting_time": 0.0}
    if c.packing == "conversion":
        series |= {"data": c.traces * 1e3, "conversion": 1e-3}
    holder = ophys.DfOverF(name="DfOverF")
    module.add(holder)
    if c.packing == "with a reference":
        holder.create_roi_response_series(**{**series, "name": "ReferenceRFP", "data": c.traces[::-1].copy()})
    if c.packing == "two signals":
        holder.create_roi_response_series(**{**series, "name": "AnotherCalcium", "data": c.traces[::-1].copy()})
    holder.create_roi_response_series(**series)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(content)
    if c.packing in ("turned", "cut times"):  # pynwb would not write them
        with h5py.File(path, "r+") as file:
            holder = file["processing/ophys/DfOverF/SignalCalcium"]
            name, values = ("data", c.traces.T) if c.packing == "turned" else ("timestamps", c.times[:-1])
            attributes = dict(holder[name].attrs)
            del holder[name]
            holder[name] = values
            holder[name].attrs.update(attributes)
    return path


def write_parquet(c: Content, path: Path) -> Path:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    traces = c.traces.T if c.traces.ndim == 2 else np.tile(c.traces, (COLUMNS, 1))
    rows = [
        {
            "source_dataset": "Kato2015",
            "worm": "worm0",
            "neuron": name or str(number),
            "slot": number,
            "is_labeled_neuron": bool(name) and not name.isdigit(),
            "original_calcium_data": trace.tolist() if trace.dtype.kind != "u" else trace.astype(int).tolist(),
            "original_time_in_seconds": c.times.tolist(),
        }
        for number, (name, trace) in enumerate(zip(c.names, traces, strict=False))
    ]
    table = pa.Table.from_pylist(rows)
    if c.packing == "two worms of one name":
        other = [
            {**row, "slot": row["slot"] + 50, "original_calcium_data": row["original_calcium_data"][::-1]}
            for row in rows
        ]
        table = pa.Table.from_pylist([*rows, *other])
    if c.packing == "other column":
        table = table.rename_columns([name.replace("original_calcium", "calcium") for name in table.column_names])
    if c.packing == "one list for all":
        table = table.drop_columns(["original_time_in_seconds"])
    if c.packing == "dictionary":
        at = table.column_names.index("neuron")
        table = table.set_column(at, "neuron", table["neuron"].dictionary_encode())
    if c.upper:
        table = table.rename_columns([name.upper() for name in table.column_names])
    parquet.write_table(table, path, compression="gzip" if c.packing == "compressed" else "snappy")
    return path


@dataclasses.dataclass
class Format:
    """How a file is written, in which ways it may be packed, and whether it says that its traces are dF/F0."""

    write: Callable[[Content, Path], Path]
    suffix: str
    is_dff: bool
    packings: tuple[str, ...]


FORMATS = {
    "zimmer-mat": Format(
        write_mat,
        ".mat",
        True,
        (
            "names as rows",
            "names down",
            "other field",
            "no times",
            "strings",
            "struct in a struct",
            "no struct",
            "compressed",
            "gzip",
        ),
    ),
    "wormwideweb": Format(
        write_json,
        ".json",
        False,
        (
            "only the mean step",
            "no times",
            "labels from 0",
            "labels by name",
            "low confidence",
            "other key",
            "numbers as texts",
            "utf-8-sig",
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "CRLF",
            "twice",
            "gzip",
        ),
    ),
    "wormwideweb-h5": Format(
        write_h5,
        ".h5",
        False,
        (
            "compressed",
            "other key",
            "only trace_array",
            "numbers as texts",
            "no times",
            "a column",
            "characters",
            "variable",
            "names as numbers",
            "gzip",
        ),
    ),
    "worm-nwb": Format(
        write_nwb,
        ".nwb",
        True,
        (
            "characters",
            "other column",
            "notes",
            "ragged",
            "other table",
            "rate",
            "step in place of rate",
            "rate per minute",
            "conversion",
            "with a reference",
            "two signals",
            "turned",
            "cut times",
            "gzip",
        ),
    ),
    "worm-parquet": Format(
        write_parquet,
        ".parquet",
        True,
        ("two worms of one name", "other column", "one list for all", "dictionary", "compressed", "gzip"),
    ),
}
