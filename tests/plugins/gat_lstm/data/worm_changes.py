"""Changes of a worm's content, as they happen between a microscope and a file: units, axes, padding, types, names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

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
        after = {
            "go on": c.times[-1] + STEP_S * np.arange(1, more + 1),
            "zero": np.zeros(more),
            "nan": np.full(more, np.nan),
        }
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


def lost(traces: np.ndarray, u: float) -> np.ndarray:
    traces = traces.copy()
    traces[[int(u * 190), int(u * 190) + 3], 2] = -999.0
    return traces


def lost_as_infinite(traces: np.ndarray, u: float) -> np.ndarray:
    return np.where(lost(traces, u) == -999.0, np.inf, traces)


def doubled(traces: np.ndarray, u: float) -> np.ndarray:
    traces, at = traces.copy(), int(u * 4.99)
    traces[:, at + 1] = traces[:, at]
    return traces


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
    "a few samples lost as -999": traces_as(lost),
    "upside down": traces_as(lambda t, u: -t),
    "upside down about the mean": traces_as(lambda t, u: t.mean(0) - t),
    "one trace under two names": traces_as(doubled),
    "infinite samples": traces_as(lost_as_infinite),
    "times rounded to 0.1 s": lambda c, u: dataclasses.replace(c, times=np.round(c.times, 1)),
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
