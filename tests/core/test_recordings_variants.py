"""A file of our own with one change is refused, whatever was changed: its content sums tell. Only packing, byte order and
the type of a single number may differ.

Files of version 1 have no sums: with these a change is read to the same or refused, never to other values in silence. What nothing but
a sum can tell is not tried with them: see SUMS_ALONE.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocli.errors import DataError
from neurocli.recordings import Recording, RecordingSet, Spikes

_spec = importlib.util.spec_from_file_location("variants", Path(__file__).parents[1] / "variants.py")
assert _spec is not None and _spec.loader is not None
_variants = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_variants)
REFUSED, SILENT, outcome = _variants.REFUSED, _variants.SILENT, _variants.outcome

STEPS, CHANNELS = 120, 4
UNITS = {"mV": 1.0, "sp/s": 25.0, "dF/F0": 600.0}
Change = Callable[[h5py.Group, Any], object]


def made(unit: str) -> RecordingSet:
    """Two recordings of a unit with all that a recording can have."""
    rng = np.random.default_rng(4)
    signals = {
        "mV": rng.normal(-65, 4, (2, STEPS, CHANNELS)),
        "sp/s": rng.gamma(2.0, 5.0, (2, STEPS, CHANNELS)),
        "dF/F0": rng.normal(0.3, 0.5, (2, STEPS, CHANNELS)),
    }[unit].astype(np.float32)
    dt_ms = UNITS[unit]
    return RecordingSet.of(
        [
            Recording(
                group=f"run-{k}",
                signal=np.round(signal, 3),
                dt_ms=dt_ms,
                unit=unit,
                channels=[f"E{n}" for n in range(CHANNELS)],
                mask=rng.random((STEPS, CHANNELS)) > 0.1,
                inputs=rng.normal(size=(STEPS, 2)),
                input_names=["a", "b"],
                spikes=Spikes(
                    np.sort(rng.integers(0, STEPS, 40)).astype(np.int32), rng.integers(0, 4, 40).astype(np.int32), dt_ms
                ),
                events={"go": np.array([1.5, 2.5])},
                labels={"index": k},
            )
            for k, signal in enumerate(signals)
        ]
    )


def put(group: h5py.Group, name: str, values: Any) -> None:
    """The dataset with other values, and the attributes that it had."""
    attributes = dict(group[name].attrs)
    del group[name]
    group[name] = values
    group[name].attrs.update(attributes)


def attribute(name: str, *values: Any) -> Change:
    def changed(group: h5py.Group, data: Any) -> None:
        group.attrs[name] = data.draw(st.sampled_from(values))

    return changed


def _step(group: h5py.Group, data: Any) -> None:
    holder = data.draw(st.sampled_from([group, group["spikes"]]))
    holder.attrs["dt_ms"] = holder.attrs["dt_ms"] * data.draw(
        st.sampled_from([1e-6, 1e-3, 1e3, 1e6, -1.0, 0.0, np.nan])
    )


def _step_type(group: h5py.Group, data: Any) -> None:
    step = float(group.attrs["dt_ms"])
    group.attrs["dt_ms"] = data.draw(
        st.sampled_from([np.float32(step), str(step), [step], np.array([step, step]), b"1"])
    )


def _unit(group: h5py.Group, data: Any) -> None:
    others = [unit for unit in UNITS if unit != group.attrs["unit"]]
    likely = ["V", "µV", "uV", "mv", "MV", " mV", "Hz", "1/s", "df/f0", "dF/F", "%", "SP/S"]
    if group.attrs["unit"] == "sp/s":
        others.remove("dF/F0")
    group.attrs["unit"] = data.draw(st.sampled_from([*others, *likely]))


def _scale(group: h5py.Group, data: Any) -> None:
    name = data.draw(st.sampled_from(["scale", "offset"]))
    attrs = group["signal"].attrs
    if data.draw(st.booleans()) and name in attrs:
        del attrs[name]
    else:
        attrs[name] = data.draw(st.sampled_from([1.0, 0.0, 1e-6, 0.002, -65.0, 70.0, np.nan]))


def _axes(group: h5py.Group, data: Any) -> None:
    name = data.draw(st.sampled_from(["signal", "mask", "inputs"]))
    put(group, name, group[name][()].T)


def _shape(group: h5py.Group, data: Any) -> None:
    name = data.draw(st.sampled_from(["signal", "mask", "inputs"]))
    values = group[name][()]
    options = [values[:-1], values[:, :-1], values[None], values[:, 0], np.concatenate([values, values])]
    put(group, name, options[data.draw(st.integers(0, len(options) - 1))])


def _type(group: h5py.Group, data: Any) -> None:
    name = data.draw(st.sampled_from(["signal", "mask", "inputs", "spikes/step", "spikes/channel"]))
    values = group[name][()]
    kinds = ["<f4", ">f4", "<f8", "S8", "c16"]
    if name == "signal" and "scale" in group[name].attrs:
        kinds += ["<i4", ">i2", "<i8", "u2"]
    elif name == "signal" and group.attrs["unit"] != "sp/s":
        kinds += ["<i4", "i1", "?"]
    elif name == "mask":
        kinds += ["u1", "<i4"]
    elif name.startswith("spikes"):
        kinds += ["<i8", ">i4", "u2"]
    with np.errstate(invalid="ignore"):
        put(group, name, values.astype(data.draw(st.sampled_from(kinds))))


def _name(group: h5py.Group, data: Any) -> None:
    change = data.draw(st.sampled_from([str.upper, str.title, lambda n: n + "_", lambda n: n + " "]))
    name = data.draw(st.sampled_from(["signal", "mask", "inputs", "spikes", "events", "spikes/step", "spikes/channel"]))
    holder, _, last = name.rpartition("/")
    if change(last) != last:
        group.move(name, f"{holder}/{change(last)}" if holder else change(last))


def _attribute_name(group: h5py.Group, data: Any) -> None:
    name = data.draw(st.sampled_from(["dt_ms", "unit", "labels", "channels", "input_names"]))
    change = data.draw(st.sampled_from([str.upper, str.title, lambda n: n.replace("_", "") + "_"]))
    value = group.attrs[name]
    del group.attrs[name]
    group.attrs[change(name)] = value


def _packing(group: h5py.Group, data: Any) -> None:
    values, attributes = group["signal"][()], dict(group["signal"].attrs)
    del group["signal"]
    group.create_dataset("signal", data=values, compression=data.draw(st.sampled_from(["gzip", "lzf"])), shuffle=True)
    group["signal"].attrs.update(attributes)


CHANGES: dict[str, Change] = {
    "step": _step,
    "type of the step": _step_type,
    "unit": _unit,
    "scale": _scale,
    "axes": _axes,
    "shape": _shape,
    "type": _type,
    "name": _name,
    "attribute": _attribute_name,
    "packing": _packing,
    "number of channels": attribute(
        "channels", json.dumps(["a", "b"]), json.dumps("abcd"), "E0,E1,E2,E3", json.dumps([0, 1, 2, 3])
    ),
    "number of inputs": attribute("input_names", json.dumps(["a"]), json.dumps(["a", "b", "c"]), "a"),
    "labels": attribute("labels", "index", "[1]", "3"),
    "mask of weights": lambda group, data: put(group, "mask", np.full((STEPS, CHANNELS), 0.5)),
    "mask of -1": lambda group, data: put(group, "mask", group["mask"][()].astype(int) - 1),
    "spikes in ms of another step": lambda group, data: put(
        group["spikes"],
        "step",
        group["spikes/step"][()].astype(np.int64) * data.draw(st.sampled_from([1000, -1, 2**33])),
    ),
    "times of spikes as numbers": lambda group, data: put(group["spikes"], "step", group["spikes/step"][()] * 0.5),
    "one spike more": lambda group, data: put(group["spikes"], "step", np.append(group["spikes/step"][()], 3)),
}


def _missing(group: h5py.Group, data: Any) -> None:
    del group[data.draw(st.sampled_from(["mask", "inputs", "spikes", "events"]))]


def _exchanged(group: h5py.Group, data: Any) -> None:
    name = data.draw(st.sampled_from(["channels", "input_names"]))
    group.attrs[name] = json.dumps(json.loads(group.attrs[name])[::-1])


def _one_value(group: h5py.Group, data: Any) -> None:
    values = group[
        data.draw(st.sampled_from(["signal", "mask", "inputs", "spikes/step", "spikes/channel", "events/go"]))
    ]
    at = tuple(data.draw(st.integers(0, size - 1)) for size in values.shape)
    old = values[at]
    values[at] = not old if values.dtype.kind == "b" else old + 1


def _of_the_file(group: h5py.Group, data: Any) -> None:
    """Outside of the recording."""
    file = group.file
    ways: list[Callable[[], object]] = [
        lambda: file.attrs.__setitem__("meta", '{"seed": 3}'),
        lambda: file.attrs.__setitem__("notes", "[]"),
        lambda: file.attrs.__setitem__("version", 1),
        lambda: file.__delitem__("recordings/run-0"),
        lambda: file.copy(group, file["recordings"], "run-7"),
        lambda: put(file, "order", file["order"][()][::-1]),
        lambda: put(file, "order", file["order"][()][:1]),
        lambda: file.__setitem__("truth/weights", np.ones(3)),
        lambda: group.__setitem__("events/stop", np.array([7.0])),
        lambda: group.__setitem__("comment", np.array([7.0])),
        lambda: file.attrs.__delitem__("sum"),
        lambda: group.attrs.__delitem__("sum"),
        lambda: (group.move("events", "kept"), group.move("inputs", "events/inputs"))[0],
    ]
    ways[data.draw(st.integers(0, len(ways) - 1))]()
    if file.attrs["version"] == 1:  # with the sums still there
        group["signal"][0, 0] = group["signal"][0, 0] + 1


SUMS_ALONE: dict[str, Change] = {
    "a part is missing": _missing,
    "names exchanged": _exchanged,
    "labels of another": attribute("labels", json.dumps({"index": 7}), "{}"),
    "one value": _one_value,
    "the file": _of_the_file,
    "rates as dF/F0": lambda group, data: group.attrs.__setitem__("unit", "a.u."),
    "a plausible step": lambda group, data: group.attrs.__setitem__("dt_ms", group.attrs["dt_ms"] * 1.01),
}
"""What a sum over the content can tell, and nothing else."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RecordingSet]:
    sets = {}
    for number, unit in enumerate(UNITS):
        path = tmp_path_factory.mktemp("base") / f"{number}.h5"
        made(unit).save(path)
        sets[unit] = RecordingSet.open(path)
    return sets


def tried(bases: dict[str, RecordingSet], unit: str, name: str, data: Any, folder: Path) -> None:
    path = folder / "changed.h5"
    shutil.copy(bases[unit].sources[0], path)
    with h5py.File(path, "a") as file:
        if name in CHANGES:
            without_sums(file)
        (CHANGES | SUMS_ALONE)[name](file["recordings/run-1"], data)
    became = outcome(bases[unit], lambda: RecordingSet.open(path), lambda _: [])
    assert became != SILENT if name in CHANGES else became == REFUSED
    if name not in CHANGES:
        return
    shutil.copy(bases[unit].sources[0], path)
    before = content_of(path)
    with h5py.File(path, "a") as file:
        CHANGES[name](file["recordings/run-1"], data)
    became = outcome(bases[unit], lambda: RecordingSet.open(path), lambda _: [])
    assert became == REFUSED or (became == "same" and content_of(path) == before), (name, became)


def without_sums(file: h5py.File) -> None:
    """As a file of version 1 is."""
    file.attrs["version"] = 1
    for holder in (file, *file["recordings"].values()):
        del holder.attrs["sum"]


def content_of(path: Path) -> dict[str, Any]:
    """What is in a file, whatever its packing and the types of single numbers."""
    content: dict[str, Any] = {}

    def note(name: str, entry: Any) -> None:
        content[name] = {
            k: repr(v.item() if np.ndim(v) == 0 and hasattr(v, "item") else v) for k, v in entry.attrs.items()
        }
        if isinstance(entry, h5py.Dataset):
            content[name]["values"] = entry.dtype.newbyteorder("<").str, repr(entry[()].tolist())

    with h5py.File(path) as file:
        file.visititems(note)
    return content


_options: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=30, **_options)
@given(st.sampled_from(list(UNITS)), st.sampled_from(sorted(CHANGES | SUMS_ALONE)), st.data())
def test_one_change_is_never_silent(bases, tmp_path_factory, unit, name, data):
    tried(bases, unit, name, data, tmp_path_factory.mktemp("changed"))


@pytest.mark.slow
@settings(max_examples=200, **_options)
@given(st.sampled_from(list(UNITS)), st.sampled_from(sorted(CHANGES | SUMS_ALONE)), st.data())
def test_no_change_is_silent(bases, tmp_path_factory, unit, name, data):
    tried(bases, unit, name, data, tmp_path_factory.mktemp("changed"))


@pytest.mark.parametrize("unit", UNITS)
def test_the_base_is_read_as_it_was_written(unit, bases):
    assert outcome(made(unit), lambda: bases[unit], lambda _: []) == "same"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda group: group.attrs.update(unit="V"), "the unit is 'V': values in mV are known as 'mV'"),
        (lambda group: group.attrs.update(unit="sp/s"), "scale 0.001 and offset -70 of values of type int16 in sp/s"),
        (lambda group: group.move("mask", "Mask"), "there is 'Mask' in the place of 'mask'"),
        (lambda group: group["spikes"].attrs.update(dt_ms=1e-3), "is their step in s|lie within"),
        (lambda group: group["spikes"].attrs.update(dt_ms=1e3), "the signal lasts 120 ms"),
        (lambda group: put(group, "signal", np.zeros((STEPS, CHANNELS), np.float32)), "scale 0.001 .* float32"),
    ],
)
def test_the_fault_is_named(change, message, bases, tmp_path):
    path = tmp_path / "changed.h5"
    shutil.copy(bases["mV"].sources[0], path)
    with h5py.File(path, "a") as file:
        change(file["recordings/run-1"])
    with pytest.raises(DataError, match=message) as caught:
        RecordingSet.open(path)["run-1"]
    assert "run-1" in caught.value.where and caught.value.hint
