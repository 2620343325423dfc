"""Checks of voltage recordings: is this the network it claims to be, is every run a run of its own, is anything broken?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from neurocli.diagnosis.finding import FAIL, PASS, Finding, judged
from neurocli.diagnosis.words import information
from neurocli.errors import LeakError, NeuroError
from neurocli.recordings import RecordingSet
from neurocli_cnn_lstm.config import CnnLstmConfig
from neurocli_cnn_lstm.diagnosis.spikes import after_spikes, spike_findings
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig, parameters_of

# Sheet of the published network: 50 runs of 10 s.
REFERENCE = {"rate_hz": 29.95, "v_mean_mv": -57.74, "v_sd_mv": 5.79}
CV_RANGE = (0.38, 0.44)
FURTHEST_P = 0.001
"""Smallest p that passes: of the run furthest from the others, corrected for the number of runs."""


def data_findings(recordings: RecordingSet, config: CnnLstmConfig) -> list[Finding]:
    """Every check of the data, in reading order."""
    parameters = parameters_of(recordings)
    neurons = None if parameters is None else parameters.neurons
    runs = [_describe(recordings, group, config.data.burn_in_ms, neurons) for group in recordings]
    return [
        *_values(runs),
        *_units(runs),
        *_neurons(runs),
        *spike_findings([(r["group"], r["after_spikes"]) for r in runs]),
        _repeated(runs),
        *_drift(runs),
        *_against_reference(recordings, runs),
        _split(recordings, config),
    ]


def _describe(recordings: RecordingSet, group: str, burn_in_ms: float, neurons: int | None) -> dict[str, Any]:
    recording = recordings[group]
    burn_in = round(burn_in_ms / recording.dt_ms)
    with np.errstate(over="ignore"):  # what float32 cannot hold is no voltage
        signal = (recording.signal[burn_in:] if recording.steps > burn_in else recording.signal).astype(np.float32)
    finite = np.isfinite(signal)
    safe = np.where(finite, signal, 0.0).astype(np.float64)
    top, bottom = safe.max(0), safe.min(0)
    seconds = recording.steps * recording.dt_ms / 1000
    spikes = recording.spikes
    description: dict[str, Any] = {
        "group": group,
        "unit": recording.unit,
        "bad": int((~finite).sum()),
        "samples": int(finite.size),
        "mean": float(safe.mean()),
        "sd": float(safe.std()),
        "constant": np.flatnonzero(safe.std(0) < 1e-6),
        # A clipped signal sits on its largest value: a reset potential at the bottom is physiology, a ceiling is not.
        "clipped": np.flatnonzero(((safe >= top - 1e-6).mean(0) > 0.01) & (top > bottom)),
        "fingerprint": recording.fingerprint(),
        "seed": recording.labels.get("noise_seed"),
        "rate": None,
        "after_spikes": after_spikes(recording),
    }
    if spikes is not None:
        neurons = neurons or recording.num_channels
        # A file may claim any neuron: one that nobody knows must not decide how much memory is taken.
        counts = np.bincount(spikes.channel[spikes.channel < neurons], minlength=neurons)
        intervals = [spikes.intervals_ms(k) for k in range(min(neurons, 200))]
        cvs = [i.std() / i.mean() for i in intervals if len(i) > 5]
        description |= {
            "rate": float(counts.mean() / seconds),
            "silent": np.flatnonzero(counts == 0),
            "cv": float(np.mean(cvs)) if cvs else np.nan,
        }
    return description


def _values(runs: list[dict[str, Any]]) -> list[Finding]:
    bad = {r["group"]: r["bad"] for r in runs if r["bad"]}
    where = ", ".join(f"{g} ({n})" for g, n in list(bad.items())[:3])
    return [
        Finding.graded(
            "finite-values",
            "data",
            sum(bad.values()),
            0,
            f"repair or leave out, run (number of values): {where}",
            fail=bad,
        )
    ]


def _units(runs: list[dict[str, Any]]) -> list[Finding]:
    means, sds = np.array([r["mean"] for r in runs]), np.array([r["sd"] for r in runs])
    claims_mv = all(r["unit"] == "mV" for r in runs)
    z_scored = bool(np.all(np.abs(means) < 1) and np.all(np.abs(sds - 1) < 0.3))
    if claims_mv and z_scored:
        advice = "these look like z-scores: set the unit to z, and do not report them as mV"
        value = f"mean {means.mean():.2f}, sd {sds.mean():.2f}, labelled mV"
        return [Finding("unit", "data", FAIL, value, "no z-scores labelled mV", advice)]
    return [Finding("unit", "data", PASS, runs[0]["unit"] if runs else "?", "no z-scores labelled mV")]


def _neurons(runs: list[dict[str, Any]]) -> list[Finding]:
    findings = []
    for check, key, advice in (
        ("constant-neurons", "constant", "leave these neurons out, or look for a broken electrode or channel"),
        (
            "clipped-neurons",
            "clipped",
            "the amplifier or the file format cut off the peaks of these neurons: leave them out",
        ),
        (
            "silent-neurons",
            "silent",
            "these neurons never spike, so nothing can be learned of their synapses: leave them out, or record for longer",
        ),
    ):
        hits = [(r["group"], r[key]) for r in runs if key in r and len(r[key])]
        counted = sum(len(neurons) for _, neurons in hits)
        examples = "; ".join(f"{g}: {', '.join(map(str, n[:5]))}{'…' if len(n) > 5 else ''}" for g, n in hits[:3])
        if key == "silent" and not any("silent" in r for r in runs):
            continue
        findings.append(Finding.graded(check, "data", counted, 0, f"{advice} ({examples})", fail=hits))
    return findings


def _repeated(runs: list[dict[str, Any]]) -> Finding:
    twins: list[str] = []
    for key in ("fingerprint", "seed"):
        first: dict[Any, str] = {}
        for run in runs:
            if run[key] is None:
                continue
            if run[key] in first:
                twins.append(f"{first[run[key]]} = {run['group']} (same {'data' if key == 'fingerprint' else 'seed'})")
            first.setdefault(run[key], run["group"])
    advice = f"leave one run of each pair out: {'; '.join(twins[:3])}"
    return Finding.graded("repeated-runs", "data", len(twins), 0, advice, fail=twins)


def _drift(runs: list[dict[str, Any]]) -> list[Finding]:
    """A run that differs from the others: p of the furthest one, as a draw of the same normal law, times their number."""
    findings = []
    for name, key, unit, floor in (
        ("rate", "rate", "Hz", 0.1),
        ("mean-voltage", "mean", runs[0]["unit"] if runs else "", 0.01),
    ):
        values = np.array([r[key] for r in runs if r[key] is not None])
        n = len(values)
        if n < 5:
            continue
        others_mean = (values.sum() - values) / (n - 1)  # mean, then sum of squares, without each run in turn
        squares = np.maximum(
            (np.square(values - values.mean()).sum() - (values - values.mean()) * (values - others_mean)), 0
        )
        spread = np.maximum(np.sqrt(squares / (n - 2)), floor) * np.sqrt(1 + 1 / (n - 1))
        chances = np.minimum(2 * n * stats.t.sf(np.abs(values - others_mean) / spread, n - 2), 1.0)
        worst = int(chances.argmin())
        advice = (
            f"{runs[worst]['group']} differs from the other runs ({values[worst]:.4g} against {others_mean[worst]:.4g} {unit}): "
            "leave it out if it was recorded with other parameters"
        )
        findings.append(
            Finding.graded(
                f"run-drift-{name}",
                "data",
                float(chances[worst]),
                f"p ≥ {FURTHEST_P:g}",
                advice,
                warn=chances[worst] < FURTHEST_P,
                fail=np.isnan(chances[worst]),
            )
        )
    return findings


def _against_reference(recordings: RecordingSet, runs: list[dict[str, Any]]) -> list[Finding]:
    """Only for the published network: its rate, CV of ISI and voltage are known."""
    ours, published = parameters_of(recordings), BrunelConfig()
    if ours is None or not runs:
        return []
    not_compared = {
        "seed",
        "network_seed",
        "network",
        "engine",
        "seeding",
        "duration_ms",
        "record_neurons",
        "record_ms",
    }
    if any(getattr(ours, k) != getattr(published, k) for k in BrunelConfig.model_fields if k not in not_compared):
        return [information("published-statistics", "data", "not compared: the parameters are not the published ones")]
    findings = []
    if runs[0]["rate"] is not None:
        rate = float(np.mean([r["rate"] for r in runs]))
        relative_difference = abs(rate / REFERENCE["rate_hz"] - 1)
        advice = (
            f"the rate is {rate:.2f} Hz, the published network's {REFERENCE['rate_hz']} Hz: "
            "look for missing or duplicated spikes, or simulate again"
        )
        findings.append(judged("rate-off-reference", "data", relative_difference, warn=0.05, fail=0.2, advice=advice))
        cv = float(np.nanmean([r["cv"] for r in runs]))
        findings.append(
            Finding.graded(
                "cv-isi",
                "data",
                cv,
                f"{CV_RANGE[0]} to {CV_RANGE[1]}",
                "firing is not as irregular as in the published network: look for missing spikes, or simulate longer runs",
                warn=not (CV_RANGE[0] <= cv <= CV_RANGE[1]),
            )
        )
    mean, sd = float(np.mean([r["mean"] for r in runs])), float(np.mean([r["sd"] for r in runs]))
    largest_difference = max(abs(mean - REFERENCE["v_mean_mv"]), abs(sd - REFERENCE["v_sd_mv"]))
    advice = (
        f"the voltage is {mean:.2f} ± {sd:.2f} mV, that of the published network {REFERENCE['v_mean_mv']} ± {REFERENCE['v_sd_mv']} mV: "
        "check the unit, look for an offset, or simulate again"
    )
    findings.append(judged("voltage-off-reference-mv", "data", largest_difference, warn=0.3, fail=2.0, advice=advice))
    return findings


def _split(recordings: RecordingSet, config: CnnLstmConfig) -> Finding:
    """The adapter audits every split; this runs it, and counts what the published protocol lets through."""
    from neurocli.recordings.copies import refuse_copies
    from neurocli.recordings.windows import Window, count_seen_targets
    from neurocli_cnn_lstm.data.dataset import VoltageData, published_starts

    if config.data.split == "published":
        steps = sum(
            max(recordings[g].steps - round(config.data.burn_in_ms / recordings[g].dt_ms), 0) for g in recordings
        )
        windows = {
            p: [Window("all", int(s), int(s) + 150, int(s) + 150) for s in w]
            for p, w in published_starts(steps).items()
        }
        share = count_seen_targets(windows["train"], windows["test"]) / max(len(windows["test"]), 1)
        advice = (
            "the published protocol is LEAKY: split by run (data.split=by-run) for scores that hold for new recordings"
        )
        return Finding(
            "leak", "split", FAIL, f"{share:.1%} of test targets lie inside training inputs", "no leak", advice
        )
    try:
        dataset = VoltageData(recordings, config, 120, None, None)
        refuse_copies(dataset.recordings, dataset.split)
    except NeuroError as error:
        if isinstance(error, LeakError):
            return Finding.of_error("leak", "split", error, "no leak")
        return Finding.of_error("usable", "split", error, "the runs can be split, trained on and scored")
    return Finding("leak", "split", PASS, "whole runs; no run contains data of another", "no leak")
