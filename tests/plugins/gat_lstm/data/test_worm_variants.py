"""A worm's file with one change, in every format: read to the same values, refused, or flagged; never to others in silence.

Changes of the content (units, axes, padding, types, names) are made alike in all formats; those of the packing are each format's own.
Not among them is what no file can show: traces in arbitrary units times a factor (a.u. have none, and models take z-scores), and
neurons that change places together with their names.
"""

from __future__ import annotations

import dataclasses
import gzip
import importlib.util
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neurocli
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.diagnosis.data import data_findings

_spec = importlib.util.spec_from_file_location("variants", Path(__file__).parents[3] / "variants.py")
assert _spec is not None and _spec.loader is not None
_variants = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_variants)

STEPS, STEP_S = 200, 0.36
NAMES = ("AVAL", "AVAR", "AVBL", "RIML", "AIBR", "VB02", "", "17")
COLUMNS = len(NAMES)


@dataclasses.dataclass
class Content:
    """What a lab has in hands before it writes a file: traces [time, neuron], times in s, names, and how it is written."""

    traces: np.ndarray
    times: np.ndarray
    names: list[str]
    step_s: float = STEP_S
    upper: bool = False
    packing: str = ""


def base(regular: bool = False) -> Content:
    """dF/F0 of slow fluctuations with noise, as calcium has them."""
    random = np.random.default_rng(3)
    noise = random.normal(size=(STEPS + 100, COLUMNS))
    slow = np.zeros_like(noise)
    for step in range(1, len(noise)):
        slow[step] = 0.96 * slow[step - 1] + 0.05 * noise[step]
    traces = slow[100:] + 0.02 * random.normal(size=(STEPS, COLUMNS))
    uneven = 0 if regular else random.uniform(0, 0.004, STEPS)
    return Content(np.abs(traces) + 0.1, np.arange(STEPS) * STEP_S + uneven, list(NAMES))


# -- changes of the content: each takes a content and a number from 0 to 1 ------------------------------------------------------


def in_unit(factor: float) -> Callable[[Content, float], Content]:
    def change(c: Content, u: float) -> Content:
        return dataclasses.replace(c, times=c.times * factor, step_s=c.step_s * factor)

    return change


def only_times(factor: float) -> Callable[[Content, float], Content]:
    return lambda c, u: dataclasses.replace(c, times=c.times * factor)


def traces_as(change: Callable[[np.ndarray, float], np.ndarray]) -> Callable[[Content, float], Content]:
    return lambda c, u: dataclasses.replace(c, traces=change(c.traces, u))


def named(change: Callable[[str], str]) -> Callable[[Content, float], Content]:
    """One of the first six names is changed."""

    def apply(c: Content, u: float) -> Content:
        names, at = list(c.names), int(u * 5.99)
        names[at] = change(names[at])
        return dataclasses.replace(c, names=names)

    return apply


def padded(value: float, times: str) -> Callable[[Content, float], Content]:
    """Up to 40 frames more at the end, of one value, with times that go on, are 0, or are none."""

    def apply(c: Content, u: float) -> Content:
        more = 1 + int(40 * u)
        after = {"go on": c.times[-1] + STEP_S * np.arange(1, more + 1), "zero": np.zeros(more), "nan": np.full(more, np.nan)}
        traces = np.concatenate([c.traces, np.full((more, COLUMNS), value)])
        return dataclasses.replace(c, traces=traces, times=np.concatenate([c.times, after[times]]))

    return apply


def held(traces: np.ndarray, u: float) -> np.ndarray:
    traces = traces.copy()
    start = int(u * 150)
    traces[start : start + 20] = traces[start]
    return traces


def filled(value: float) -> Callable[[np.ndarray, float], np.ndarray]:
    def change(traces: np.ndarray, u: float) -> np.ndarray:
        traces, at = traces.copy(), int(u * 5.99)
        traces[40 : 60 + int(60 * u), at] = value
        return traces

    return change


def disorder(c: Content, u: float) -> Content:
    times, at = c.times.copy(), int(u * (STEPS - 2))
    times[[at, at + 1]] = times[[at + 1, at]]
    return dataclasses.replace(c, times=times)


def twice(c: Content, u: float) -> Content:
    names = list(c.names)
    names[1 + int(u * 4.99)] = "AVAL"
    return dataclasses.replace(c, names=names)


CHANGES: dict[str, Callable[[Content, float], Content]] = {
    "times in ms": in_unit(1e3),
    "times in µs": in_unit(1e6),
    "times in minutes": in_unit(1 / 60),
    "times in hours": in_unit(1 / 3600),
    "only the times in ms": only_times(1e3),
    "only the times in minutes": only_times(1 / 60),
    "frame numbers": lambda c, u: dataclasses.replace(c, times=np.arange(STEPS) + float(u > 0.5)),
    "frames per minute": lambda c, u: dataclasses.replace(c, times=np.arange(STEPS) * 60 / STEP_S, step_s=60 / STEP_S),
    "times backwards": lambda c, u: dataclasses.replace(c, times=c.times[::-1]),
    "times in disorder": disorder,
    "times that stand still": lambda c, u: dataclasses.replace(c, times=c.times * 0),
    "times as float32": lambda c, u: dataclasses.replace(c, times=c.times.astype(np.float32)),
    "times as integers": lambda c, u: dataclasses.replace(c, times=c.times.astype(np.int64)),
    "a time too few": lambda c, u: dataclasses.replace(c, times=c.times[:-1]),
    "traces as float32": traces_as(lambda t, u: t.astype(np.float32)),
    "traces as integers": traces_as(lambda t, u: np.rint(t * 10).astype(np.int32)),
    "traces as bytes": traces_as(lambda t, u: np.rint(t * 10).astype(np.uint8)),
    "traces turned": traces_as(lambda t, u: np.ascontiguousarray(t.T)),
    "traces flat": traces_as(lambda t, u: t.ravel()),
    "a square": lambda c, u: dataclasses.replace(c, traces=c.traces[:COLUMNS], times=c.times[:COLUMNS]),
    "a neuron too few": traces_as(lambda t, u: t[:, :-1]),
    "padded with zeros, times go on": padded(0.0, "go on"),
    "padded with zeros, times are 0": padded(0.0, "zero"),
    "padded with zeros, no times": padded(0.0, "nan"),
    "padded with NaN, times go on": padded(np.nan, "go on"),
    "padded with NaN, times are 0": padded(np.nan, "zero"),
    "padded with NaN, no times": padded(np.nan, "nan"),
    "padded with -1": padded(-1.0, "go on"),
    "frames held": traces_as(held),
    "a neuron lost as 0": traces_as(filled(0.0)),
    "a neuron lost as -999": traces_as(filled(-999.0)),
    "a neuron saturated": traces_as(filled(4.0)),
    "nothing but NaN": traces_as(lambda t, u: t * np.nan),
    "AVAL?": named(lambda name: name + "?"),
    "AVAL*": named(lambda name: name + "*"),
    "AVAL (?)": named(lambda name: name + " (?)"),
    "aval": named(str.lower),
    "' AVAL '": named(lambda name: f" {name} "),
    "AVA_L": named(lambda name: f"{name[:-1]}_{name[-1]}"),
    "AVB-L": named(lambda name: f"{name[:-1]}-{name[-1]}"),
    "AVA (L)": named(lambda name: f"{name[:-1]} ({name[-1]})"),
    "AVAL-alt": named(lambda name: f"{name}-alt"),
    "AVAL-AVDR": named(lambda name: f"{name}-AVDR"),
    "AVAL/AVDR": named(lambda name: f"{name}/AVDR"),
    "a misspelt name": named(lambda name: name[:1] + "Q" + name[1:]),
    "a Cyrillic letter": named(lambda name: "А" + name[1:]),
    "AVAL twice": twice,
    "a name too few": lambda c, u: dataclasses.replace(c, names=c.names[:-1]),
    "capital letters": lambda c, u: dataclasses.replace(c, upper=True),
}
OF_DFF: dict[str, Callable[[Content, float], Content]] = {
    "percent": traces_as(lambda t, u: 100 * t),
    "raw counts": traces_as(lambda t, u: np.rint(800 * (1 + t))),
    "raw fluorescence": traces_as(lambda t, u: 300 * (1 + t) + u),
    "F/F0": traces_as(lambda t, u: 1 + t),
    "z-scores": traces_as(lambda t, u: (t - t.mean(0)) / t.std(0)),
    "a hundredth": traces_as(lambda t, u: t / 100),
}


# -- writers ---------------------------------------------------------------------------------------------------------------------


def cells(names: list[str]) -> np.ndarray:
    array = np.empty((1, len(names)), object)
    array[0, :] = names
    return array


def write_mat(c: Content, path: Path) -> Path:
    struct: dict[str, Any] = {"deltaFOverF_bc": c.traces, "NeuronNames": cells(c.names), "tv": c.times[:, None], "fps": 1 / c.step_s}
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
    scipy.io.savemat(str(path), struct if c.packing == "no struct" else variables, do_compression=c.packing == "compressed")
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
        file.create_dataset(letter("neuron_names"), data=names, **({"dtype": h5py.string_dtype()} if c.packing == "variable" else {}))
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
    series: dict[str, Any] = {"name": "SignalCalcium", "data": c.traces, "rois": region, "unit": "n.a.", "timestamps": c.times}
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
        other = [{**row, "slot": row["slot"] + 50, "original_calcium_data": row["original_calcium_data"][::-1]} for row in rows]
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
        ("names as rows", "names down", "other field", "no times", "strings", "struct in a struct", "no struct", "compressed", "gzip"),
    ),
    "wormwideweb": Format(
        write_json,
        ".json",
        False,
        ("only the mean step", "no times", "labels from 0", "labels by name", "low confidence", "other key", "numbers as texts")
        + ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "CRLF", "twice", "gzip"),
    ),
    "wormwideweb-h5": Format(
        write_h5,
        ".h5",
        False,
        ("compressed", "other key", "only trace_array", "numbers as texts", "no times", "a column", "characters", "variable")
        + ("names as numbers", "gzip"),
    ),
    "worm-nwb": Format(
        write_nwb,
        ".nwb",
        True,
        ("characters", "other column", "notes", "ragged", "other table", "rate", "step in place of rate", "rate per minute")
        + ("conversion", "with a reference", "two signals", "turned", "cut times", "gzip"),
    ),
    "worm-parquet": Format(
        write_parquet, ".parquet", True, ("two worms of one name", "other column", "one list for all", "dictionary", "compressed", "gzip")
    ),
}


def bare(recordings: RecordingSet) -> RecordingSet:
    """Without the file's own texts of the names, and on the nominal times where only these are in the file."""

    def load(group: str) -> Any:
        recording = recordings[group]
        kept = {k: v for k, v in recording.labels.items() if k not in ("written", "series")}
        events = {k: v for k, v in recording.events.items() if not k.startswith("series:")}
        return dataclasses.replace(recording, labels=kept, events=events)

    return recordings.with_loaders({g: lambda g=g: load(g) for g in recordings})  # type: ignore[misc]


def read(path: Path) -> RecordingSet:
    return bare(neurocli.open_recordings(path))


def checks(recordings: RecordingSet) -> Any:
    return data_findings(recordings, V3Config())


def changes_of(name: str) -> list[str]:
    of_format = FORMATS[name]
    rows = {"a neuron too few", "a name too few"} if name == "worm-parquet" else set()  # a row less is another file, not a wrong one
    return [*(change for change in CHANGES if change not in rows), *(OF_DFF if of_format.is_dff else ()), *(f"packed: {packing}" for packing in of_format.packings)]


@cache
def unchanged_set(name: str, regular: bool) -> RecordingSet:
    with tempfile.TemporaryDirectory() as folder:
        recordings = read(FORMATS[name].write(base(regular), Path(folder) / f"base_w1{FORMATS[name].suffix}"))
        return RecordingSet.of(list(recordings.values()), meta=recordings.meta, notes=recordings.notes)


def ends_well(name: str, change: str, u: float, folder: Path) -> None:
    regular = change in ("packed: rate", "packed: only the mean step")  # nothing but these are in such a file
    of_format, content = FORMATS[name], base(regular)
    unchanged = unchanged_set(name, regular)
    path = folder / f"changed_w1{of_format.suffix}"
    if change.startswith("packed: "):
        content = dataclasses.replace(content, packing=change.removeprefix("packed: "))
    else:
        content = (CHANGES | OF_DFF)[change](content, u)
    try:
        of_format.write(content, path)
    except (ValueError, TypeError, KeyError):
        return  # no program can write such a file
    if content.packing == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    result = _variants.outcome(unchanged, lambda: read(path), checks)
    assert result != _variants.SILENT, f"{name}: {change} ({u}) is read to other values in silence"


def drawn(examples: int) -> Any:
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


EVERY_FORMAT = pytest.mark.parametrize("name", FORMATS)


@EVERY_FORMAT
def test_a_few_changed_worms_are_never_read_to_others_in_silence(name, tmp_path):
    @drawn(12)
    @given(st.sampled_from(changes_of(name)), st.floats(0, 1))
    def property_holds(change, u):
        ends_well(name, change, u, tmp_path)

    property_holds()


@pytest.mark.slow
@EVERY_FORMAT
def test_a_changed_worm_is_never_read_to_another_in_silence(name, tmp_path):
    for change in changes_of(name):  # each at least once
        ends_well(name, change, 0.5, tmp_path)

    @drawn(150)
    @given(st.sampled_from(changes_of(name)), st.floats(0, 1))
    def property_holds(change, u):
        ends_well(name, change, u, tmp_path)

    property_holds()
