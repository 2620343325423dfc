"""One change to a session export, of any kind that files have: read to the same, refused, or flagged, in both containers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from neurocli.recordings import RecordingSet
from neurocli_eirnn.data.readers.matfile import SessionMatReader
from tests.plugins.eirnn.data.small import AREAS, NEURONS, TRIALS, became, variables
from tests.variants import SILENT

Fields = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

LABELS = ["trial_reward", "trial_probability", "trial_location", "trial_identity", "trial_salience"]
INPUTS = [name for name in variables() if name.startswith("input_")]
TASK = [name for name in INPUTS if "eye" not in name]
COUNTED = [*LABELS, *TASK, "neuron_type", "neuron_ids", "n_trials", "n_neurons", "n_time_bins", "bin_size_ms"]
TYPES = ["int8", "uint8", "int16", "uint16", "int32", "int64", "float32", "bool"]


def padded(fields: Fields, draw: Draw) -> None:
    """Anything but NaN after the end of trials, with durations, with reward signals only, or with neither."""
    rates = fields["firing_rates"]
    missing = np.isnan(rates)
    fill = draw(st.sampled_from([0.0, -1.0, -999.0, 9999.0, np.inf, "held", "mean"]))
    if fill == "held":
        last = (~missing[0]).sum(axis=0) - 1
        held = rates[:, last, np.arange(TRIALS)]
        rates = np.where(missing, held[:, None, :], rates)
    elif fill == "mean":
        rates = np.where(missing, np.nanmean(rates, axis=(1, 2))[:, None, None], rates)
    else:
        rates = np.where(missing, fill, rates)
    kind = draw(st.sampled_from(["float64", "float32", "int16", "int32", "uint16"]))
    fits = kind.startswith("float") or (np.isfinite(rates).all() and (kind != "uint16" or rates.min() >= 0))
    fields["firing_rates"] = rates.astype(kind) if fits else rates
    known = draw(st.sampled_from(["durations", "rewards", "neither"]))
    if known != "durations":
        fields["trial_duration_ms"] = np.full((TRIALS, 1), np.nan)
    if known == "neither":
        fields["input_reward_on"] = np.zeros_like(fields["input_reward_on"])


def cast_to_integers(fields: Fields, draw: Draw) -> None:
    """NaN becomes what the machine makes of it."""
    with np.errstate(invalid="ignore"):
        fields["firing_rates"] = fields["firing_rates"].astype(draw(st.sampled_from(TYPES)))


def bin_unit(fields: Fields, draw: Draw) -> None:
    fields["bin_size_ms"] = fields["bin_size_ms"] * draw(st.sampled_from([1e-3, 1e3, 1 / 6e4, 1 / 25, 2.0, 0.5, 10.0]))
    if draw(st.booleans()):
        del fields["time_axis"]


def time_unit(fields: Fields, draw: Draw) -> None:
    scale = draw(st.sampled_from([1e-3, 1e3, 1 / 6e4, 1 / 25, -1.0]))
    fields["time_axis"] = fields["time_axis"] * scale


def time_shift(fields: Fields, draw: Draw) -> None:
    fields["time_axis"] = fields["time_axis"] + draw(st.sampled_from([-12.5, 12.5, 187.5, 200.0, -500.0, 1e6]))


def duration_unit(fields: Fields, draw: Draw) -> None:
    scale, shift = draw(
        st.sampled_from(
            [(1e-3, 0), (1e3, 0), (1 / 6e4, 0), (1 / 25, 0), (1, 700), (1, 200), (1, -200), (0, -1), (0, 0)]
        )
    )
    fields["trial_duration_ms"] = fields["trial_duration_ms"] * scale + shift
    if draw(st.booleans()):
        fields["input_reward_on"] = np.zeros_like(fields["input_reward_on"])


def rate_unit(fields: Fields, draw: Draw) -> None:
    rates = fields["firing_rates"]
    per_neuron = (1, 2)
    changes: dict[str, Callable[[], Any]] = {
        "counts": lambda: rates * 0.025,
        "per ms": lambda: rates / 1000,
        "per minute": lambda: rates * 60,
        "double": lambda: rates * 2,
        "tenfold": lambda: rates * 10,
        "a third": lambda: rates / 3,
        "of the highest": lambda: rates / np.nanmax(rates),
        "of each highest": lambda: rates / np.nanmax(rates, axis=per_neuron, keepdims=True),
        "z": lambda: (rates - np.nanmean(rates)) / np.nanstd(rates),
        "z of each": lambda: (
            (rates - np.nanmean(rates, per_neuron, keepdims=True)) / np.nanstd(rates, per_neuron, keepdims=True)
        ),
        "less a baseline": lambda: rates - 40,
        "root": lambda: np.sqrt(rates),
        "smooth": lambda: np.where(np.isnan(rates), np.nan, gaussian_filter1d(np.nan_to_num(rates), 2, axis=1)),
        "logarithm": lambda: np.log1p(rates),
    }
    fields["firing_rates"] = changes[draw(st.sampled_from(sorted(changes)))]()


def axes(fields: Fields, draw: Draw) -> None:
    name = draw(st.sampled_from(["firing_rates", *INPUTS]))
    order = draw(st.permutations(range(fields[name].ndim)))
    fields[name] = fields[name].transpose(order)


def all_axes(fields: Fields, draw: Draw) -> None:
    for name, value in fields.items():
        if isinstance(value, np.ndarray) and max(value.shape) > 1:
            fields[name] = value.T


def order_of_trials(fields: Fields, draw: Draw) -> None:
    """Rates, one input or durations with their trials in another order, or backwards in time."""
    name = draw(st.sampled_from(["firing_rates", "input_target_loc", "trial_duration_ms", "trial_location", "time"]))
    if name == "time":
        fields["firing_rates"] = fields["firing_rates"][:, ::-1]
    elif name.startswith("trial_"):
        fields[name] = fields[name][::-1]
    else:
        fields[name] = fields[name][..., ::-1]


def number_type(fields: Fields, draw: Draw) -> None:
    name = draw(st.sampled_from(COUNTED))
    kind = draw(st.sampled_from(TYPES))
    fields[name] = fields[name].astype(kind)


def text_in_place(fields: Fields, draw: Draw) -> None:
    """Numbers written as texts."""
    name = draw(st.sampled_from([*LABELS, "neuron_type", "neuron_ids", "n_trials", "bin_size_ms"]))
    texts = [f"{value:g}" for value in np.ravel(fields[name])]
    form = draw(st.sampled_from(["cells", "rows", "one"]))
    if form == "cells":
        fields[name] = np.array(texts, object)[:, None]
    else:
        fields[name] = np.array(texts) if form == "rows" else " ".join(texts)


def names_of_labels(fields: Fields, draw: Draw) -> None:
    """Words for codes, right ones and unknown ones."""
    words = {
        "trial_reward": {0: "low", 1: "High"},
        "trial_identity": {1: "face", 2: "nonface", 3: "Bullseye"},
        "trial_salience": {0: "n/a", 1: "high", 2: "low"},
        "neuron_type": {1: "E", 2: "i"},
    }
    name = draw(st.sampled_from(sorted(words)))
    chosen = [words[name][int(code)] for code in np.ravel(fields[name])]
    if draw(st.booleans()):
        chosen[-1] = "other"
    fields[name] = np.array(chosen, object)[:, None]


def coding(fields: Fields, draw: Draw) -> None:
    """Labels from another number on; of salience, whose 0 is none, and reward nothing else than the code can be told."""
    name = draw(st.sampled_from(["trial_location", "trial_identity", "trial_reward", "neuron_type"]))
    shift = draw(st.sampled_from([-1, 1, 0.5, 10]))
    fields[name] = fields[name] + shift
    if draw(st.booleans()) and name == "neuron_type":
        fields[name] = np.where(variables()[name] == 1, 1.0, -1.0)


def identities(fields: Fields, draw: Draw) -> None:
    ids = np.ravel(fields["neuron_ids"]).copy()
    kind = draw(st.sampled_from(["same", "twice", "nan", "negative", "cells", "rows", "long"]))
    if kind == "same":
        ids[:] = 1
    elif kind == "twice":
        ids[2] = ids[1]
    elif kind == "nan":
        ids[draw(st.integers(0, NEURONS - 1)) :] = np.nan
    elif kind == "long":
        ids = ids[:-1]
    fields["neuron_ids"] = ids[:, None]
    if kind in ("cells", "rows"):
        texts = [f"{value:g}" for value in ids]
        fields["neuron_ids"] = np.array(texts, object)[:, None] if kind == "cells" else np.array(texts)
    if draw(st.booleans()):
        fields["brain_area"] = np.array(AREAS, object)[:, None]


def spelling(fields: Fields, draw: Draw) -> None:
    name = draw(st.sampled_from(sorted(fields)))
    change = draw(st.sampled_from([str.upper, str.title, lambda text: text.replace("_", "")]))
    fields[change(name)] = fields.pop(name)


def sizes(fields: Fields, draw: Draw) -> None:
    one, other = draw(st.sampled_from(list(itertools.permutations(["n_trials", "n_neurons", "n_time_bins"], 2))))
    if draw(st.booleans()):
        fields[one], fields[other] = fields[other], fields[one]
    else:
        fields[one] = fields[one] + draw(st.sampled_from([1, -1, 0.5, np.nan]))


def scale_of_inputs(fields: Fields, draw: Draw) -> None:
    """Task signals otherwise than 0 and 1. (Eye traces are z-scored before use, so that any unit is theirs.)"""
    name = draw(st.sampled_from([name for name in TASK if fields[name].any()]))
    scale, shift = draw(st.sampled_from([(255, 0), (2, -1), (0.5, 0), (1, 1), (-1, 0), (100, 0)]))
    fields[name] = fields[name] * scale + shift


def holes(fields: Fields, draw: Draw) -> None:
    """Values that are none within trials."""
    name = draw(st.sampled_from(["firing_rates", *INPUTS]))
    values = fields[name].copy()
    trial, width = draw(st.integers(0, TRIALS - 1)), draw(st.integers(1, 6))
    at = draw(st.integers(4, 40))
    values[..., at : at + width, trial] = draw(st.sampled_from([np.nan, np.inf]))
    fields[name] = values


CHANGES = [
    padded,
    cast_to_integers,
    bin_unit,
    time_unit,
    time_shift,
    duration_unit,
    rate_unit,
    axes,
    all_axes,
    order_of_trials,
    number_type,
    text_in_place,
    names_of_labels,
    coding,
    identities,
    spelling,
    sizes,
    scale_of_inputs,
    holes,
]


def write5(fields: Fields, path: Path) -> None:
    scipy.io.savemat(str(path), fields)


def write73(fields: Fields, path: Path) -> None:
    """As MATLAB does: axes reversed, text as codes, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in fields.items():
            _put73(file, file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM")


def _put73(file: h5py.File, group: h5py.Group, name: str, value: Any) -> h5py.Dataset:
    array = np.atleast_2d(np.asarray(value))
    if array.dtype == object:
        cells = file.require_group("#refs#")
        refs = [_put73(file, cells, f"{name}{k}", cell).ref for k, cell in enumerate(array.ravel())]
        made = group.create_dataset(name, data=np.array(refs, h5py.ref_dtype).reshape(array.shape).T)
        kind = "cell"
    elif array.dtype.kind == "U":
        texts = [str(text) for text in array.ravel()]
        width = max(1, *map(len, texts))
        codes = np.array([[ord(letter) for letter in text.ljust(width)] for text in texts], np.uint16)
        made, kind = group.create_dataset(name, data=codes.T), "char"
    else:
        made = group.create_dataset(name, data=array.T.astype("u1" if array.dtype == bool else array.dtype))
        kind = {"float64": "double", "float32": "single", "bool": "logical"}.get(array.dtype.name, array.dtype.name)
    made.attrs["MATLAB_class"] = np.bytes_(kind)
    return made


WRITERS = {"v5": write5, "v7.3": write73}


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> dict[str, tuple[Path, RecordingSet]]:
    folder = tmp_path_factory.mktemp("variants")
    made = {}
    for kind, write in WRITERS.items():
        path = folder / f"{kind}.mat"
        write(variables(), path)
        read = SessionMatReader().read([path])
        assert not [note for note in read.notes if note.is_doubt]
        made[kind] = path, read
    return made


def _tried(data: st.DataObject, base: tuple[Path, RecordingSet], kind: str) -> None:
    change = data.draw(st.sampled_from(CHANGES), "change")
    fields = variables()
    change(fields, data.draw)
    path = base[0].with_name("changed.mat")
    path.unlink(missing_ok=True)
    WRITERS[kind](fields, path)
    assert became(base[1], lambda: SessionMatReader().read([path])) != SILENT


@pytest.mark.parametrize("kind", WRITERS)
@settings(deadline=None, derandomize=True, database=None, max_examples=30)
@given(data=st.data())
def test_a_changed_export_is_never_read_to_other_numbers_in_silence(kind, data, bases):
    _tried(data, bases[kind], kind)


def _many(kind: str, examples: int, bases: dict[str, tuple[Path, RecordingSet]]) -> None:
    @settings(deadline=None, derandomize=True, database=None, max_examples=examples)
    @given(data=st.data())
    def every(data: st.DataObject) -> None:
        _tried(data, bases[kind], kind)

    every()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "examples"), [("v5", 700), ("v7.3", 80)])
def test_many_changes_of_an_export(kind, examples, bases):
    """The container of HDF5 takes twenty times as long, and what is read from it is read by the same code."""
    _many(kind, examples, bases)
