"""Faults that are put into clean worms one at a time: the diagnosis names them, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from neurocli.recordings import Recording, RecordingSet
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.diagnosis.data import data_findings
from neurocli_gat_lstm.simulation.parameters import CelegansConfig
from neurocli_gat_lstm.simulation.simulator import simulate_worm


@pytest.fixture(scope="module")
def worms() -> list[Recording]:
    """Four worms of 1450 frames and 16 neurons, all connected."""
    config = CelegansConfig(neurons=16, duration_s=500, step_ms=60, seed=3, added=0.2)
    return [simulate_worm(config, index) for index in range(4)]


def findings(worms: list[Recording], **data) -> list:
    return data_findings(RecordingSet.of(worms), V2Config(data=data))


def faults(worms: list[Recording], **data) -> dict[str, str]:
    return {f.check: f.verdict for f in findings(worms, **data) if f.verdict != "PASS"}


def of(results: list, check: str) -> list:
    return [f for f in results if f.check == check]


def with_signal(recording: Recording, signal: np.ndarray, **other) -> Recording:
    return replace(recording, signal=signal.astype(np.float32), mask=None, **other)


def at_times(recording: Recording, time_s: np.ndarray) -> Recording:
    """The same worm, interpolated to other times."""
    times = recording.events["time_s"]
    signal = np.stack([np.interp(time_s, times, column) for column in recording.signal.T], axis=1)
    dt_ms = float(np.median(np.diff(time_s)) * 1e3)
    return with_signal(recording, signal, dt_ms=dt_ms, events={"time_s": time_s})


def at_step(recording: Recording, step_s: float) -> Recording:
    return at_times(recording, np.arange(0.0, recording.events["time_s"][-1], step_s))


def test_clean_worms_pass(worms):
    results = findings(worms)
    assert {f.verdict for f in results} == {"PASS"}
    checks = {f.check for f in results}
    assert {"usable", "duplicate", "neurons", "coverage", "isolated-nodes", "persistence", "smoothness"} <= checks
    assert all(f.advice == "" for f in results)


# -- who is who ----------------------------------------------------------------------------------------------------------


def test_the_same_worm_in_another_file_is_found_in_spite_of_rounding_order_and_unit(worms):
    first = worms[0]
    random = np.random.default_rng(0)
    order = random.permutation(first.num_channels)
    signal = 100 * first.signal[:, order] + 3 + 1e-6 * random.standard_normal(first.signal.shape)
    channels = [first.channels[k] for k in order]
    copy = with_signal(first, signal, channels=channels, group="other", labels={**first.labels, "worm": "other"})
    results = findings([*worms, copy])
    assert {f.check: f.verdict for f in results if f.verdict != "PASS"} == {"duplicate": "WARN"}
    (finding,) = of(results, "duplicate")
    assert finding.subject == "other" and "the same traces as" in finding.value and first.group in finding.value
    # One worm is one worm in every other check.
    assert of(results, "worm-names")[0].subject == "4 worms" and of(results, "usable")[0].value.startswith("4 of 5")


def test_a_resampled_copy_is_found_and_not_trained_on(worms):
    first = worms[0]
    copy = replace(at_step(first, 0.31), group="other", labels={**first.labels, "worm": "other"})
    (finding,) = of(findings([*worms, copy]), "duplicate")
    assert finding.verdict == "WARN" and "smoothed or resampled" in finding.value
    assert "other" not in WormData(RecordingSet.of([*worms, copy], meta={"kind": "worm"}), V2Config()).worms


def test_different_worms_of_one_name(worms):
    clash = replace(worms[1], labels=worms[0].labels)
    results = faults([worms[0], clash, *worms[2:]])
    assert results == {"worm-names": "FAIL", "usable": "FAIL"}
    (finding,) = of(findings([worms[0], clash, *worms[2:]]), "worm-names")
    assert worms[0].group in finding.value and clash.group in finding.value


def test_one_worm_name_in_several_sources_is_fine_and_said(worms):
    same = [replace(w, labels={**w.labels, "source": f"lab{k}", "worm": "worm0"}) for k, w in enumerate(worms)]
    results = findings(same)
    assert {f.verdict for f in results} == {"PASS"}
    assert "worm0 in 4 laboratories" in of(results, "worm-names")[0].value


def test_names_that_the_connectome_lacks(worms):
    channels = ["QQQ1", *worms[0].channels[1:]]
    results = findings([replace(worms[0], channels=channels), *worms[1:]])
    (bad,) = [f for f in of(results, "unmatched-names") if f.verdict != "PASS"]
    assert bad.verdict == "FAIL" and bad.value == "1 of 16 (6.2%): QQQ1"
    assert {f.check for f in results if f.verdict != "PASS"} == {"unmatched-names", "isolated-nodes"}


def test_a_small_share_of_unmatched_names_only_warns(worms):
    from neurocli_gat_lstm.graph.names import hermaphrodite

    wide = []
    for worm in worms:
        more = [name for name in hermaphrodite() if name not in worm.channels][:24]
        signal = np.concatenate(
            [worm.signal, np.roll(worm.signal, 300, axis=0), np.roll(worm.signal, 700, axis=0)[:, :8]], 1
        )
        wide.append(with_signal(worm, signal, channels=[*worm.channels, *more]))
    wide[0] = replace(wide[0], channels=[*wide[0].channels[:-1], "QQQ1"])
    bad = [f for f in of(findings(wide), "unmatched-names") if f.verdict != "PASS"]
    assert [(f.verdict, f.value) for f in bad] == [("WARN", "1 of 40 (2.5%): QQQ1")]


@pytest.mark.parametrize("graph", ["none", "full"])
def test_isolated_nodes_are_those_of_the_graph_asked_for(worms, graph):
    config = V2Config(model={"graph": graph})
    (finding,) = of(data_findings(RecordingSet.of(worms), config), "isolated-nodes")
    assert finding.verdict == "PASS"


def test_an_unknown_connectome_is_a_finding(worms):
    config = V2Config(model={"connectome": "nonsense"})
    (finding,) = of(data_findings(RecordingSet.of(worms), config), "connectome")
    assert finding.verdict == "FAIL" and "nonsense" in finding.value


# -- traces --------------------------------------------------------------------------------------------------------------


def bleached(worm: Recording) -> Recording:
    time = np.linspace(0, 1, worm.steps)[:, None]
    return with_signal(worm, worm.signal + 8 * worm.signal.std(axis=0) * np.exp(-2 * time))


def z_scored(worm: Recording) -> Recording:
    return with_signal(worm, (worm.signal - worm.signal.mean(0, dtype=float)) / worm.signal.std(0, dtype=float))


def filled(worm: Recording) -> Recording:
    frames = np.r_[0:200, 240:600, 603 : worm.steps]
    signal = np.stack([np.interp(np.arange(worm.steps), frames, column[frames]) for column in worm.signal.T], axis=1)
    return with_signal(worm, signal)


def holes(worm: Recording) -> Recording:
    signal = worm.signal.copy()
    signal[100:200] = np.nan
    return with_signal(worm, signal)


def lost_neuron(worm: Recording) -> Recording:
    mask = np.ones(worm.signal.shape, bool)
    mask[: int(0.6 * worm.steps), 0] = False
    return replace(worm, mask=mask)


def constant(worm: Recording) -> Recording:
    signal = worm.signal.copy()
    signal[:, 2] = 0.25
    return with_signal(worm, signal)


def with_gap(worm: Recording) -> Recording:
    time_s = worm.events["time_s"].copy()
    time_s[700:] += 20
    return replace(worm, events={"time_s": time_s})


def uneven(worm: Recording) -> Recording:
    jitter = np.random.default_rng(0).uniform(-0.15, 0.15, worm.steps) * worm.dt_ms / 1e3
    return replace(worm, events={"time_s": worm.events["time_s"] + jitter})


def backwards(worm: Recording) -> Recording:
    time_s = worm.events["time_s"].copy()
    time_s[500] = time_s[499] - 1
    return replace(worm, events={"time_s": time_s})


def labelled_gfp(worm: Recording) -> Recording:
    return replace(worm, labels={**worm.labels, "indicator": "gfp"})


def other_rate(worm: Recording) -> Recording:
    return replace(worm, dt_ms=2 * worm.dt_ms, events={"time_s": 2 * worm.events["time_s"]})


def stated(worm: Recording) -> Recording:
    return replace(worm, labels={**worm.labels, "smooth_method": "moving"})


def smoothed_noise(worm: Recording) -> Recording:
    noise = np.random.default_rng(1).standard_normal(worm.signal.shape)
    return with_signal(worm, gaussian_filter1d(noise, 4, axis=0))


FAULTS = {
    bleached: {"drift": "WARN"},
    z_scored: {"whole-z-score": "WARN"},
    filled: {"interpolated-gaps": "WARN"},
    holes: {"missing-values": "WARN"},
    lost_neuron: {"missing-values": "WARN", "lost-neurons": "WARN"},
    constant: {"constant-neurons": "WARN"},
    with_gap: {"time-gaps": "WARN"},
    uneven: {"uneven-time": "WARN"},
    backwards: {"time": "FAIL"},
    labelled_gfp: {"indicator": "WARN"},
    other_rate: {"frame-rates": "WARN"},
    stated: {"stated-smoothing": "WARN"},
    smoothed_noise: {"smoothness": "FAIL", "calcium-memory": "WARN"},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_alone_and_in_its_worm(worms, fault):
    results = [f for f in findings([fault(worms[0]), *worms[1:]]) if f.verdict != "PASS"]
    assert {f.check: f.verdict for f in results} == FAULTS[fault]
    assert {f.subject for f in results} <= {worms[0].group, "data"} and all(f.advice for f in results)


def test_the_numbers_in_the_findings(worms):
    def value(fault, check):
        return next(
            f.value for f in findings([fault(worms[0]), *worms[1:]]) if f.check == check and f.verdict != "PASS"
        )

    assert value(holes, "missing-values") == pytest.approx(100 / worms[0].steps)
    assert value(filled, "interpolated-gaps") == "2 stretches, the longest 40 frames"
    assert value(constant, "constant-neurons") == f"1 neuron: {worms[0].channels[2]}"
    assert value(with_gap, "time-gaps") == f"1 gap, the longest {20 + worms[0].dt_ms / 1e3:.3g} s"
    assert value(backwards, "time").startswith("row 500 (counted from 0)")


def test_smoothing(worms):
    """In all worms, so that nothing else differs between them."""
    for sd in (0.8, 1.5):
        smooth = [with_signal(w, gaussian_filter1d(w.signal, sd, axis=0)) for w in worms]
        results = [f for f in findings(smooth) if f.verdict != "PASS"]
        assert {f.subject for f in of(results, "smoothness")} == {w.group for w in worms}
        for finding in of(results, "smoothness"):
            assert finding.verdict == ("FAIL" if finding.value > 0.4 else "WARN") and finding.value > 0.2
        assert sd < 1 or {f.verdict for f in of(results, "smoothness")} == {"FAIL"}
        # Traces that forget within 5 s cannot be told from no calcium once they are smoothed.
        assert {f.check for f in results} <= {"smoothness", "calcium-memory"}


def test_measurement_noise_is_no_smoothness(worms):
    """AR(10) sees through white noise and beats persistence by far; that says nothing about smoothing."""
    random = np.random.default_rng(0)
    noisy = [with_signal(w, w.signal + w.signal.std(0) * random.standard_normal(w.signal.shape)) for w in worms]
    (finding,) = of(findings(noisy), "smoothness")
    assert finding.verdict == "PASS" and float(finding.value.split()[0]) > 0.3 and "changes reverse" in finding.value


@pytest.mark.parametrize("step_s", [0.1, 0.17])
def test_upsampling(worms, step_s):
    results = faults([at_step(worm, step_s) for worm in worms])
    assert results["smoothness"] == "FAIL" and results.get("upsampled" if step_s < 0.15 else "resampled")
    assert set(results) <= {"smoothness", "upsampled", "resampled", "calcium-memory"}


def test_doubling_frames_is_found_where_the_beat_of_rates_has_no_line(worms):
    doubled = [
        at_times(w, np.interp(np.arange(2 * w.steps - 1) / 2, np.arange(w.steps), w.events["time_s"])) for w in worms
    ]
    results = findings(doubled)
    (upsampled,) = [f for f in of(results, "upsampled") if f.subject == worms[0].group]
    assert upsampled.verdict == "FAIL" and upsampled.value == "50.0% of frames lie on straight lines"


def test_resampling_to_a_near_rate_is_found(worms):
    results = findings([at_step(worm, 0.9 * worm.dt_ms / 1e3) for worm in worms])
    lines = [f for f in of(results, "resampled") if f.verdict == "WARN"]
    assert len(lines) == 4 and all("at 0.100 cycles per frame" in f.value for f in lines)


# -- what is trained on --------------------------------------------------------------------------------------------------


def test_a_gfp_worm_fails_only_where_it_would_be_trained_on(worms):
    labelled = [labelled_gfp(worms[0]), *worms[1:]]
    assert faults(labelled, controls="use") == {"indicator": "FAIL"}
    # Another file of the same worm does not say what it is.
    copy = replace(worms[0], group="copy", labels={**worms[0].labels, "worm": "copy", "indicator": "unknown"})
    results = [f for f in findings([*labelled, copy]) if f.check == "indicator" and f.verdict != "PASS"]
    assert [(f.verdict, f.subject) for f in results] == [
        ("FAIL", "copy")
    ] and "a copy of it is labelled GFP" in results[0].value


def test_too_few_and_too_short(worms):
    assert faults(worms[:2]) == {"usable": "FAIL"}
    short = with_signal(worms[0], worms[0].signal[:90], events={"time_s": worms[0].events["time_s"][:90]})
    (finding,) = [f for f in of(findings([short, *worms[1:]]), "length") if f.verdict != "PASS"]
    # 10 lags, a chunk of 60 and a rollout of 25 frames.
    assert finding.verdict == "FAIL" and finding.value == 90 and "95 frames" in finding.advice


def test_whatever_comes_there_is_an_answer():
    """Recordings of another making, without names, labels, times or signal."""
    random = np.random.default_rng(0)
    odd = [
        Recording("plain", random.standard_normal((50, 3)).astype(np.float32), 1.0, "mV"),
        Recording("flat", np.zeros((20, 2), np.float32), 1.0, "mV"),
        Recording("one frame", np.ones((1, 2), np.float32), 1.0, "mV"),
        Recording("nothing", np.full((30, 2), np.nan, np.float32), 1.0, "mV"),
        Recording("huge", random.choice([1e30, -1e30], (200, 4)).astype(np.float32), 1.0, "mV"),
    ]
    results = findings(odd)
    assert of(results, "usable")[0].verdict == "FAIL"
    assert {f.subject for f in of(results, "no-signal") if f.verdict == "FAIL"} == {"flat", "one frame", "nothing"}
    for recording in odd:
        assert findings([recording])


def test_a_large_set_stays_a_short_table(worms):
    random = np.random.default_rng(0)
    many = []
    for k in range(30):
        worm = replace(worms[0], group=f"w{k}", labels={**worms[0].labels, "worm": f"w{k}"})
        many.append(constant(with_signal(worm, np.cumsum(random.standard_normal(worm.signal.shape), axis=0))))
    constants = of(findings(many), "constant-neurons")
    assert len(constants) == 20 and {f.verdict for f in constants} == {"WARN"}
    assert constants[-1].subject == "11 worms" and constants[-1].value.startswith("w19, w20")
