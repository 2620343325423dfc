"""The diagnosis of the real recordings, every figure beside one of plain numpy from the file itself."""

from __future__ import annotations

import csv
import os
import re
import time
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from neurocli import open_recordings
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.data import smoothness
from neurocli_gat_lstm.data.summary import segments_of, summary_of
from neurocli_gat_lstm.diagnosis.data import data_findings

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set"),
]
FOLDER = Path(os.environ.get("NEUROCLI_REAL_DATA", ".")) / "worm"
KATO = {"worm0": (38, 109), "worm1": (44, 135), "worm2": (32, 131), "worm4": (31, 129)}


@pytest.fixture(scope="module")
def everything():
    pytest.importorskip("pyarrow")
    pytest.importorskip("pynwb")
    start = time.process_time()
    recordings = open_recordings([FOLDER])
    results = data_findings(recordings, V2Config())
    return recordings, results, time.process_time() - start


def kato(worm: str) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(traces [time, neuron], names as spelled, seconds) as scipy reads them."""
    struct = scipy.io.loadmat(str(FOLDER / f"Kato2015_{worm}.mat"))["WT_NoStim"][0, 0]
    return (
        struct["deltaFOverF_bc"].astype(float),
        [n.item() for n in struct["NeuronNames"].ravel()],
        struct["tv"].ravel(),
    )


def atanas() -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(FOLDER / "Atanas2023_2022-08-02-01.h5") as file:
        return file["gcamp/trace_array"][()].T.astype(float), file["timing/timestamp_confocal"][()]


def scholz(number: int) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(FOLDER / f"ScholzEtAl2018_{number}.nwb") as file:
        series = [file["acquisition"][name] for name in sorted(file["acquisition"]) if name.startswith("Activity")]
        return np.stack([entry["data"][()] for entry in series], axis=1).astype(float), series[0]["timestamps"][()]


def of(results, check, subject=""):
    return [f for f in results if f.check == check and subject in f.subject]


def test_the_whole_folder_in_time(everything):
    recordings, results, seconds = everything
    assert len(recordings) == 15 and seconds < 30
    assert of(results, "usable")[0].value.startswith("4 of 15: ") and of(results, "usable")[0].verdict == "PASS"
    assert len([f for f in results if f.check == "duplicate" and f.verdict == "WARN"]) == 8
    assert of(results, "worm-names")[0].subject == "7 worms"
    assert {f.check for f in results if f.verdict == "FAIL"} == {"smoothness"}  # of the two with GFP
    assert {f.check for f in results if f.verdict == "WARN"} == {
        "duplicate",
        "indicator",
        "time-gaps",
        "frame-rates",
        "whole-z-score",
        "calcium-memory",
    }


def test_worms_of_one_name_in_three_sources():
    pytest.importorskip("pyarrow")
    results = data_findings(open_recordings([FOLDER / "worm_data_open.parquet"]), V2Config())
    (names,) = of(results, "worm-names")
    assert names.verdict == "PASS"
    assert (
        names.value
        == "7 different names; worm0 in 3 laboratories, worm2 in 2 laboratories, which count as different worms"
    )
    # There the worms with GFP say nothing of it: their traces do.
    assert {f.subject for f in of(results, "calcium-memory") if f.verdict == "WARN"} == {
        "Scholz2018-worm0",
        "Scholz2018-worm2",
    }
    assert all(f.verdict == "PASS" for f in of(results, "indicator"))
    assert {f.subject for f in of(results, "left-out")} == {"Atanas2023-worm0", "Scholz2018-worm0", "Scholz2018-worm2"}


def table() -> list[tuple[str, str]]:
    """(pre, post) of every pair in the table of Cook et al., read as text."""
    text = (files("neurocli_gat_lstm") / "tables" / "cook2019.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    pairs = set()
    for row in rows:
        values = list(row.values())
        a, b, chemical, gap = values[0], values[1], float(values[2] or 0), float(values[3] or 0)
        if chemical > 0 or gap > 0:
            pairs.add((a, b))
        if gap > 0:
            pairs.add((b, a))
    return [(a, b) for a, b in pairs if a != b]


def test_neurons_and_edges(everything):
    _, results, _ = everything
    edges = table()
    union: set[str] = set()
    for worm, (named, neurons) in KATO.items():
        names = {re.sub(r"(\D)0(\d)$", r"\1\2", n) for n in kato(worm)[1] if not n.isdigit()}
        union |= names
        inside = sum(a in names and b in names for a, b in edges)
        (finding,) = of(results, "neurons", f"Kato2015-{worm}")
        share = f"{named / neurons:.0%}"
        assert (
            finding.value
            == f"{named} of {neurons} identified ({share}), {named} in the connectome, {inside} edges among them"
        )
    inside = [(a, b) for a, b in edges if a in union and b in union]
    assert (len(union), len(inside)) == (50, 374)
    (coverage,) = of(results, "coverage")
    assert coverage.value == f"50 of 302 neurons of cook2019 (16.6%), 374 of its {len(edges)} edges"
    alone = sorted(union - {name for pair in inside for name in pair})
    (isolated,) = of(results, "isolated-nodes")
    assert isolated.value == (
        f"{len(alone)} of 50 neurons: {', '.join(alone)}" if alone else "none of 50 neurons, 374 edges"
    )


def ar10(z: np.ndarray, cuts: list[int]) -> float:
    """S(1) of an AR(10) by normal equations in plain loops over neurons; `cuts` are first frames after gaps."""
    last = int(0.8 * len(z))
    gram, right = np.zeros((10, 10)), np.zeros(10)
    tested = []
    bounds = [0, *cuts, len(z)]
    for k in range(z.shape[1]):
        for a, b in pairwise(bounds):
            for first, stop, fit in ((a, min(b, last), True), (max(a, last), b, False)):
                rows = [(z[t - 9 : t + 1, k][::-1], z[t + 1, k] - z[t, k]) for t in range(first + 9, stop - 1)]
                if not rows:
                    continue
                past, change = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
                if fit:
                    gram, right = gram + past.T @ past, right + past.T @ change
                else:
                    tested.append((past, change))
    weights = np.linalg.solve(gram, right)
    past, change = np.concatenate([p for p, _ in tested]), np.concatenate([c for _, c in tested])
    return 1 - ((change - past @ weights) ** 2).sum() / (change**2).sum()


def test_skill_of_an_autoregression(everything):
    recordings, results, _ = everything
    values = {}
    for worm in KATO:
        traces, names, _ = kato(worm)
        traces = traces[:, [not n.isdigit() for n in names]]
        values[worm] = ar10((traces - traces.mean(0)) / traces.std(0), [])
        group = next(g for g in recordings if g.endswith(f"Kato2015-{worm}"))
        assert summary_of(recordings[group], V2Config().data).error_reduction == pytest.approx(values[worm], abs=1e-6)
    traces, _ = atanas()
    values["Atanas"] = ar10((traces - traces.mean(0)) / traces.std(0), [])
    (finding,) = [f for f in of(results, "smoothness") if f.verdict == "PASS"]
    assert finding.value.startswith(f"{min(values.values()):.3g} to {max(values.values()):.3g} (S of AR(10)")
    assert values["Atanas"] == pytest.approx(0.101, abs=0.002)


@pytest.mark.parametrize("number", [0, 2])
def test_gfp_is_smooth_and_forgets(everything, number):
    """Smoothness by an independent AR(10), and the half-time by an autocorrelation that is averaged in plain loops."""
    recordings, results, _ = everything
    traces, times = scholz(number)
    z = (traces - traces.mean(0)) / traces.std(0)
    steps = np.diff(times)
    gaps = np.flatnonzero(steps > 1.5 * np.median(steps))
    groups = [g for g in recordings if recordings[g].labels["file"] == f"ScholzEtAl2018_{number}.nwb"]
    (group,) = groups
    (gap,) = of(results, "time-gaps", group)
    assert gap.value == f"{len(gaps)} gaps, the longest {steps.max():.3g} s" and len(gaps) == {0: 7, 2: 10}[number]
    (smooth,) = of(results, "smoothness", group)
    assert smooth.verdict == "FAIL" and smooth.value > 0.99
    assert smooth.value == pytest.approx(ar10(z, (gaps + 1).tolist()), abs=2e-3)  # normal equations lose digits there
    half = summary_of(recordings[group], V2Config().data).half_time
    lags = np.arange(1, 40)
    within = []
    for lag in lags:
        later = times[lag:] - times[:-lag]
        pairs = np.flatnonzero(np.abs(later - lag * np.median(steps)) < 0.5 * np.median(steps))
        within.append(np.median(((z[pairs + lag] - z[pairs]) ** 2).mean(0)))
    expected = lags[np.argmax(1 - np.array(within) / 2 < 0.5)] * np.median(steps)
    assert half == pytest.approx(expected, rel=0.1) and half < 4
    (memory,) = of(results, "calcium-memory", group)
    assert memory.verdict == "WARN" and "no calcium indicator or heavy smoothing" in memory.advice


def test_calcium_is_remembered_far_beyond_the_limit(everything):
    """The margins of the criterion: what GFP shows is a factor away from what every worm with an indicator shows."""
    recordings, _, _ = everything
    by_indicator: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for group in recordings:
        summary = summary_of(recordings[group], V2Config().data)
        by_indicator[summary.source == "Scholz2018"].append((summary.half_time, summary.memory_ratio))
    assert max(half for half, _ in by_indicator[True]) < 4 and max(ratio for _, ratio in by_indicator[True]) < 1.6
    assert min(half for half, _ in by_indicator[False]) > 7 and min(ratio for _, ratio in by_indicator[False]) > 4


def test_persistence_and_drift(everything):
    recordings, results, _ = everything
    for worm in KATO:
        traces, names, _ = kato(worm)
        z = (traces - traces.mean(0)) / traces.std(0)
        named = z[:, [not n.isdigit() for n in names]]
        target, error = named[1:], ((named[1:] - named[:-1]) ** 2).sum(0)
        spread = ((target - target.mean(0)) ** 2).sum(0)
        (finding,) = of(results, "persistence", f"Kato2015-{worm}")
        assert finding.value.startswith(
            f"R2 {1 - error.sum() / spread.sum():.3f} pooled, {np.median(1 - error / spread):.3f} median neuron"
        )
        slopes = [np.polyfit(np.linspace(0, 1, len(z)), column, 1)[0] for column in z.T]
        group = next(g for g in recordings if g.endswith(f"Kato2015-{worm}"))
        assert summary_of(recordings[group], V2Config().data).drift == pytest.approx(np.median(slopes), abs=1e-5)


def test_whole_z_scores(everything):
    _, results, _ = everything
    flagged = {f.subject for f in of(results, "whole-z-score") if f.verdict == "WARN"}
    assert len(flagged) == 3 and all("Kato" not in subject for subject in flagged)
    for traces in (atanas()[0], scholz(0)[0], scholz(2)[0]):
        assert np.abs(traces.mean(0)).max() < 1e-3 and np.abs(traces.std(0) - 1).max() < 1e-2


@pytest.mark.parametrize(
    ("step_s", "found_as"), [(0.333, {"smoothness", "resampled"}), (0.1, {"smoothness", "resampled", "upsampled"})]
)
def test_upsampled_atanas(step_s, found_as):
    """What the published collection did to slower recordings: linear interpolation to 0.333 s."""
    traces, times = atanas()
    grid = np.arange(times[0], times[-1], step_s)
    x = np.stack([np.interp(grid, times, column) for column in traces.T], axis=1)
    z = (x - x.mean(0)) / x.std(0)
    whole = [(0, len(z))]
    height, frequency = smoothness.resampling_line(z, whole)
    assert height > 500
    # The beat of the two rates, folded at half a cycle per frame, or a multiple of it.
    beats = [abs(k * step_s / 0.6016 - round(k * step_s / 0.6016)) for k in (1, 2, 3)]
    assert min(abs(frequency - beat) for beat in beats) < 0.01
    assert smoothness.autoregressive_reduction(z, whole) > 0.4
    assert (smoothness.straight_frames(z, whole).share > 0.05) == ("upsampled" in found_as)
    native = (traces - traces.mean(0)) / traces.std(0)
    assert smoothness.resampling_line(native, segments_of(times))[0] < 60


def test_gaps_that_were_filled():
    """GFP recordings on a regular grid, as the collection resampled them: straight lines where nothing was recorded."""
    traces, times = scholz(0)
    steps = np.diff(times)
    grid = np.arange(times[0], times[-1], np.median(steps))
    z = np.stack([np.interp(grid, times, column) for column in traces.T], axis=1)
    results = smoothness.straight_frames(z, [(0, len(z))])
    inside = [np.sum((grid > a) & (grid < b)) for a, b in pairwise(times) if b - a > 0.5]
    assert results.gaps == len(inside) and abs(results.longest - (max(inside) - 2)) <= 2
