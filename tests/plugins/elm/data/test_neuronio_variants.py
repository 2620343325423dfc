"""A NeuronIO file with one change is read to the same, refused or flagged; never to other values in silence.

What no number in a file can tell, and is not tried here: excitation and inhibition swapped as wholes, segments in another order,
input times shifted by a step or two, an offset of the voltage by a few mV in both of its samplings.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.readers.neuronio import read_file
from neurocli_elm.data.readers.reader import NeuronIoReader
from neurocli_elm.diagnosis.data import data_findings

_spec = importlib.util.spec_from_file_location("variants", Path(__file__).parents[3] / "variants.py")
assert _spec is not None and _spec.loader is not None
_variants = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_variants)
SILENT, outcome = _variants.SILENT, _variants.outcome

SEGMENTS, STEPS, PER_MS = 6, 2600, 8
ARRAYS = ("somaVoltageLowRes", "somaVoltageHighRes", "recordingTimeLowRes", "outputSpikeTimes")
INPUTS = ("exInputSpikeTimes", "inhInputSpikeTimes")
Change = Callable[[dict[str, Any], Any], object]


def simulation(seed: int) -> dict[str, Any]:
    """A cell at -66 mV with spikes of 2 ms, and input all the time."""
    rng = np.random.default_rng(seed)
    fine = -66 + np.repeat(np.cumsum(rng.normal(0, 0.2, STEPS)) % 4, PER_MS) + rng.normal(0, 0.05, STEPS * PER_MS)
    times = np.sort(rng.choice(np.arange(200, STEPS - 200, 100), 5, replace=False)) + rng.integers(0, 8, 5) / 8
    for t in times:
        at = int(t * PER_MS)
        fine[at - 8 : at + 1] = np.linspace(-60, 30, 9)
        fine[at + 1 : at + 12] = np.linspace(25, -60, 11)
    fine16 = fine.astype(np.float16)
    return {
        "recordingTimeLowRes": np.arange(STEPS, dtype=np.float32),
        "somaVoltageLowRes": fine16[::PER_MS],
        "somaVoltageHighRes": fine16,
        "outputSpikeTimes": times.astype(np.float16),
        **{
            name: {
                np.int64(k): [np.int64(t) for t in np.sort(rng.choice(STEPS, 80, replace=False))]
                for k in range(SEGMENTS)
            }
            for name in INPUTS
        },
    }


def content() -> dict[str, Any]:
    simulations = [simulation(seed) for seed in range(3)]
    params = {
        "numSimulations": 3,
        "totalSimDurationInSec": STEPS / 1000,
        "numSamplesPerMS_HighRes": PER_MS,
        "allSegmentsType": ["basal"] * 2 + ["apical"] * (SEGMENTS - 2),
        "allSegments_DistFromSoma": [float(k) for k in range(SEGMENTS)],
        "numOutputSpikesPerSim": [len(one["outputSpikeTimes"]) for one in simulations],
    }
    return {"Params": params, "Results": {"listOfSingleSimulationDicts": simulations}}


def each(change: Callable[[dict[str, Any]], object]) -> Change:
    """The change in every simulation."""

    def changed(stored: dict[str, Any], data: Any) -> None:
        for one in stored["Results"]["listOfSingleSimulationDicts"]:
            change(one)

    return changed


def voltage(change: Callable[[np.ndarray], np.ndarray], names: tuple[str, ...] = ARRAYS[:2]) -> Change:
    def changed(stored: dict[str, Any], data: Any) -> None:
        for one in stored["Results"]["listOfSingleSimulationDicts"]:
            for name in names:
                one[name] = change(one[name].astype(np.float64))

    return changed


def trains(change: Callable[[list[int]], Any]) -> Change:
    def one(simulation: dict[str, Any]) -> None:
        for name in INPUTS:
            simulation[name] = {k: change([int(t) for t in times]) for k, times in simulation[name].items()}

    return each(one)


def keys(change: Callable[[int], Any]) -> Change:
    return each(lambda one: one.update({n: {change(int(k)): v for k, v in one[n].items()} for n in INPUTS}))


def _output(change: Callable[[np.ndarray], Any]) -> Change:
    return each(lambda one: one.update(outputSpikeTimes=change(one["outputSpikeTimes"].astype(np.float64))))


def _factor(stored: dict[str, Any], data: Any) -> None:
    factor = data.draw(st.sampled_from([1e-3, 1e-2, 0.1, 10.0, 100.0, 1e3, 1e6, -1.0]))
    names = data.draw(st.sampled_from([ARRAYS[:2], ARRAYS[:1], ARRAYS[1:2], ARRAYS[3:]]))
    voltage(lambda v: v * factor, names)(stored, data)


def _times_factor(stored: dict[str, Any], data: Any) -> None:
    factor = data.draw(st.sampled_from([1e-3, 1e-2, 0.1, 8.0, 10.0, 40.0, 1e3]))
    kind = data.draw(st.sampled_from([float, round, np.float32, lambda t: np.int64(round(t))]))
    trains(lambda times: [kind(t * factor) for t in times])(stored, data)


def _type(stored: dict[str, Any], data: Any) -> None:
    kind = data.draw(st.sampled_from(["<f4", ">f4", "<f8", ">f2", "<i2", "<i4", "U8", "S8", "<i8", "?"]))
    voltage(lambda v: v.astype(kind), (data.draw(st.sampled_from(ARRAYS)),))(stored, data)


def _rename(stored: dict[str, Any], data: Any) -> None:
    change = data.draw(st.sampled_from([str.upper, str.lower, lambda name: name + " ", lambda name: "_" + name]))
    which = data.draw(st.sampled_from(["top", "params", "simulation"]))
    for holder in {
        "top": [stored],
        "params": [stored["Params"]],
        "simulation": stored["Results"]["listOfSingleSimulationDicts"],
    }[which]:
        needed = [name for name in holder if name in ("Params", "Results", "allSegmentsType", *INPUTS, *ARRAYS[::3])]
        name = data.draw(st.sampled_from(sorted(needed)))
        holder[change(name)] = holder.pop(name)


def _missing(stored: dict[str, Any], data: Any) -> None:
    name = data.draw(st.sampled_from([*INPUTS, ARRAYS[0], ARRAYS[3]]))
    each(lambda one: one.pop(name))(stored, data)


def _params(stored: dict[str, Any], data: Any) -> None:
    name, value = data.draw(
        st.sampled_from(
            [
                ("totalSimDurationInSec", STEPS),
                ("totalSimDurationInSec", 10**9),
                ("totalSimDurationInSec", "2.6"),
                ("numSimulations", 2),
                ("numSamplesPerMS_HighRes", 40),
                ("allSegmentsType", ["basal"] * 20),
                ("allSegmentsType", ["basal"] * 4),
                ("allSegmentsType", [0, 0, 1, 1, 1, 1]),
                ("allSegmentsType", ["soma", "axon"] * 3),
                ("allSegments_DistFromSoma", [1.0] * 5),
                ("numOutputSpikesPerSim", [7, 7, 7]),
            ]
        )
    )
    stored["Params"][name] = value


def _padded(stored: dict[str, Any], data: Any) -> None:
    value = data.draw(st.sampled_from([0, np.nan, -1, STEPS]))
    name = data.draw(st.sampled_from(["output", "input", "voltage"]))
    if name == "output":
        _output(lambda t: np.concatenate([t, np.full(12, value, float)]))(stored, data)
    elif name == "input":
        trains(lambda times: [*times, *[value] * 3] if value != 0 else [-1, *times])(stored, data)
    else:
        voltage(lambda v: np.concatenate([v, np.full(len(v), value, float)]))(stored, data)


CHANGES: dict[str, Change] = {
    "factor": _factor,
    "factor of the input times": _times_factor,
    "type": _type,
    "name": _rename,
    "missing": _missing,
    "params": _params,
    "padded": _padded,
    "above rest": voltage(lambda v: v + 67.7),
    "cut off in both": voltage(lambda v: np.minimum(v, -60)),
    "cut off": voltage(lambda v: np.minimum(v, -60), ARRAYS[:1]),
    "z-scores": voltage(lambda v: (v - v.mean()) / v.std()),
    "reversed": voltage(lambda v: v[::-1]),
    "reversed one": voltage(lambda v: v[::-1], ARRAYS[:1]),
    "fine for coarse": each(lambda one: one.update(somaVoltageLowRes=one["somaVoltageHighRes"])),
    "coarse for fine": each(lambda one: one.update(somaVoltageHighRes=one["somaVoltageLowRes"])),
    "fine alone": each(
        lambda one: one.update(
            somaVoltageLowRes=one.pop("somaVoltageHighRes"), recordingTimeLowRes=np.arange(STEPS * PER_MS) / PER_MS
        )
    ),
    "two axes": voltage(lambda v: v[None]),
    "a column": voltage(lambda v: v[:, None]),
    "output in samples": _output(lambda t: t * 8),
    "output in s": _output(lambda t: t / 1000),
    "output as a list": _output(lambda t: t.tolist()),
    "output as whole numbers": _output(lambda t: t.astype(int)),
    "output as a train": _output(lambda t: np.isin(np.arange(STEPS), t.astype(int)).astype(float)),
    "output of another simulation": _output(lambda t: (t + 1234) % STEPS),
    "output is half of it": _output(lambda t: t[::2]),
    "times of the samples in s": each(lambda one: one.update(recordingTimeLowRes=np.arange(STEPS) / 1000)),
    "times of the samples from another start": each(lambda one: one.update(recordingTimeLowRes=np.arange(STEPS) + 500)),
    "input as float16": trains(lambda times: np.array(times, np.float16)),
    "input as floats": trains(lambda times: [float(t) for t in times]),
    "input as plain numbers": trains(list),
    "input as int32": trains(lambda times: [np.int32(t) for t in times]),
    "input as a train": trains(lambda times: np.isin(np.arange(STEPS), times).astype(int)),
    "input as texts": trains(lambda times: [str(t) for t in times]),
    "input in any order": trains(lambda times: times[::-1]),
    "segments from 1": keys(lambda k: k + 1),
    "segments as texts": keys(str),
    "segments as bytes": keys(lambda k: str(k).encode()),
    "segments as floats": keys(float),
    "segments as float64": keys(np.float64),
    "input as a list of lists": each(lambda one: one.update({n: list(one[n].values()) for n in INPUTS})),
    "input as an array": each(lambda one: one.update({n: np.zeros((SEGMENTS, STEPS)) for n in INPUTS})),
    "the same simulation": lambda stored, data: stored["Results"].update(
        listOfSingleSimulationDicts=[stored["Results"]["listOfSingleSimulationDicts"][0]] * 3
    ),
    "keys are bytes": lambda stored, data: stored.update({key.encode(): stored.pop(key) for key in list(stored)}),
}


def checks(recordings: RecordingSet) -> Any:
    return data_findings(recordings, ElmConfig(), lambda dataset: [])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RecordingSet:
    path = tmp_path_factory.mktemp("base") / "sim__x_randomSeed_7.p"
    path.write_bytes(pickle.dumps(content(), 2))
    return NeuronIoReader().read([path])


def tried(name: str, data: Any, base: RecordingSet, tmp_path: Path) -> None:
    stored = pickle.loads(pickle.dumps(content()))
    CHANGES[name](stored, data)
    path = tmp_path / "sim__x_randomSeed_7.p"
    buffer = io.BytesIO()
    pickle.dump(stored, buffer, data.draw(st.sampled_from([0, 1, 2, 3, 4, 5])))
    path.write_bytes(buffer.getvalue())
    assert outcome(base, lambda: NeuronIoReader().read([path]), checks) != SILENT


_options: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=30, **_options)
@given(st.sampled_from(sorted(CHANGES)), st.data())
def test_one_change_is_never_silent(base, tmp_path_factory, name, data):
    tried(name, data, base, tmp_path_factory.mktemp("changed"))


@pytest.mark.slow
@settings(max_examples=250, **_options)
@given(st.sampled_from(sorted(CHANGES)), st.data())
def test_no_change_is_silent(base, tmp_path_factory, name, data):
    tried(name, data, base, tmp_path_factory.mktemp("changed"))


@pytest.mark.parametrize("protocol", range(6))
def test_the_base_has_no_doubt(base, protocol, tmp_path):
    path = tmp_path / "sim__x_randomSeed_7.p"
    path.write_bytes(pickle.dumps(content(), protocol))
    assert outcome(base, lambda: NeuronIoReader().read([path]), checks) == "same"
    doubts = {finding.check for finding in checks(base) if finding.verdict != "PASS"}
    assert not doubts & {
        "spikes-in-voltage",
        "spikes-counted",
        "input-span",
        "input-grid",
        "soma-resolution",
        "soma-cut",
        "output-grid",
    }


def write(folder: Path, stored: dict[str, Any], name: str = "sim__x_randomSeed_7.p", protocol: int = 2) -> Path:
    (folder / name).write_bytes(pickle.dumps(stored, protocol))
    return folder / name


def test_what_simulations_share_counts_each_time(tmp_path):
    stored = content()
    shared = list(range(STEPS)) * 4
    one = stored["Results"]["listOfSingleSimulationDicts"][0] | {
        name: dict.fromkeys(range(SEGMENTS), shared) for name in ("exInputSpikeTimes", "inhInputSpikeTimes")
    }
    stored["Params"]["numSimulations"] = 3000
    stored["Results"]["listOfSingleSimulationDicts"] = [dict(one) for _ in range(3000)]
    with pytest.raises(DataError, match=r"the content claims .* in a file of"):
        read_file(write(tmp_path, stored, protocol=4))
    stored["Results"]["listOfSingleSimulationDicts"] = [one] * 3000
    with pytest.raises(DataError, match="more than once"):
        read_file(write(tmp_path, stored, protocol=4))


def test_a_declared_dendrite_is_held_against_the_file(tmp_path):
    for segments, message in ((10**6, "a cell of 1000000 segments"), (19_000, "the content claims")):
        stored = content()
        stored["Params"]["allSegmentsType"] = ["basal"] * segments
        del stored["Params"]["allSegments_DistFromSoma"]
        with pytest.raises(DataError, match=message):
            read_file(write(tmp_path, stored))


def test_a_near_miss_is_told_what_it_misses(tmp_path):
    path = write(tmp_path, {"PARAMS": content()["Params"]}, "upper.p")
    assert not NeuronIoReader().can_read(path)
    assert "there is PARAMS" in NeuronIoReader().lacks(path)
    assert NeuronIoReader().lacks(write(tmp_path, {"a": 1}, "other.p")) is None
    stored = content()
    stored["params"] = stored.pop("Params")
    with pytest.raises(DataError, match="the key Params is missing; there is 'params'"):
        read_file(write(tmp_path, stored))
