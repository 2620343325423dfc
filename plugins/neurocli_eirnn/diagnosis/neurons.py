"""Checks of a session's neurons: are the rates counts, does every neuron fire, has it a PSTH, does it stay the same?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import information, listed, unless_none
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data import psth
from neurocli_eirnn.data.padding import ADVICE, find_padding
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY, Session
from neurocli_eirnn.diagnosis.wording import NEURON

SMOOTHING_MS = 50.0
LOWEST_RATE, LOWEST_RELIABILITY = 0.5, 0.1
CLIP_PERCENTILE, CLIP_WARN, CLIP_FAIL = 99.5, 0.01, 0.05
HIGH_RATE = 200.0
LARGEST_DRIFT = 2.0
_PARTS, _FEWEST_PER_PART = 4, 5
_STANDARD_ERRORS = 4.0
_FALSE_ALARMS = 0.01
_UNITS_PER_INTERNEURON = 4


def neuron_findings(session: Session, config: EirnnConfig) -> list[Finding]:
    """Every check of neurons and their rates, in reading order."""
    return [
        _finite(session),
        *_padding(session),
        _negative(session),
        _multiples(session),
        _rates(session),
        reliability_finding(session, session.rates, "all trials"),
        _clip(session, getattr(config.loss, "clip_percentile", None)),
        _isolated(session),
        _drift(session),
        _types(session, config),
        *_statistics(session),
    ]


def silent_neurons(rates: NDArray[np.floating]) -> NDArray[np.bool_]:
    """[neuron] those without any spike in rates [trial, time, neuron]."""
    return ~(np.nan_to_num(rates) > 0).any(axis=(0, 1))


def mean_rates(rates: NDArray[np.floating]) -> NDArray[np.float64]:
    """[neuron] mean rate over all valid bins of rates [trial, time, neuron]."""
    valid = np.isfinite(rates)
    return np.where(valid, rates, 0.0).sum((0, 1), dtype=np.float64) / np.maximum(valid.sum((0, 1)), 1)


def _finite(session: Session) -> Finding:
    """Padding is what lies before the first and after the last bin of a trial with data; NaN between them is a hole."""
    valid = np.isfinite(session.rates)
    in_trial: NDArray[np.bool_] = np.asarray(valid.any(axis=2))
    after_first = np.maximum.accumulate(in_trial, axis=1)
    before_last = np.maximum.accumulate(in_trial[:, ::-1], axis=1)[:, ::-1]
    # An infinite rate is no padding wherever it is.
    holes = (after_first & before_last & ~valid.all(axis=2)) | np.isinf(session.rates).any(axis=2)
    padding = float((~in_trial).mean())
    value = f"finite but for padding, {padding:.1%} of bins" if padding else "all finite"
    if holes.any():
        trial, bin_ = (int(k) for k in np.argwhere(holes)[0])
        value = f"{int(holes.sum())} bins in {int(holes.any(axis=1).sum())} trials, first in trial {trial}, bin {bin_}"
    return Finding.graded(
        "finite-rates",
        "rates",
        value,
        "finite within trials",
        "export these trials again, or leave them out",
        fail=holes.any(),  # bins beyond a trial's end take part in nothing
    )


def _padding(session: Session) -> list[Finding]:
    """Numbers after the end of trials, if there are any: readers make them NaN, other sources may not."""
    found = find_padding(session)
    if found is None:
        return []
    value = f"{int((found.ends < session.bins).sum())} trials are padded with {found.kind}"
    return [Finding("padding", "rates", FAIL, value, "NaN after a trial's end", ADVICE)]


def _negative(session: Session) -> Finding:
    negative = int((session.rates < 0).sum())
    return unless_none(
        "negative-rates",
        "rates",
        f"{negative} values" if negative else "",
        verdict=FAIL,
        advice="a firing rate cannot be negative: these may be z-scores or differences; export rates in sp/s",
    )


def _multiples(session: Session) -> Finding:
    step = 1000 / session.bin_ms
    values = session.rates[np.isfinite(session.rates)].astype(np.float64)
    odd = np.abs(values / step - np.rint(values / step)) > 1e-3
    return unless_none(
        "rates-are-counts",
        "rates",
        f"{odd.mean():.1%} of values are not multiples" if odd.any() else "",
        threshold=f"multiples of {step:g} sp/s",
        advice="rates were smoothed or scaled, but the Poisson likelihood and the ceiling need spike counts per bin: export them",
        clean="all",
    )


def _rates(session: Session) -> Finding:
    rates, silent = mean_rates(session.rates), silent_neurons(session.rates)
    low = np.flatnonzero((rates < LOWEST_RATE) & ~silent)
    names = session.neuron_ids
    low_rates = [f"{names[k]}: 0" for k in np.flatnonzero(silent)] + [f"{names[k]}: {rates[k]:.2f}" for k in low]
    return Finding.graded(
        "neuron-rate",
        "neurons",
        listed(low_rates, NEURON) or f"{rates.min():.3g} to {rates.max():.3g} sp/s",
        f"≥ {LOWEST_RATE:g} sp/s",
        "leave these neurons out: there is nothing to fit",
        warn=len(low),
        fail=silent.any(),
    )


def reliability_finding(session: Session, rates: NDArray[np.floating], subject: str) -> Finding:
    """Neurons whose PSTHs (50 ms) from two halves of the trials do not resemble each other; silent ones left out.

    rates: [trial, time, neuron] of the session's neurons.
    """
    correlations = psth.reliability(rates, SMOOTHING_MS / session.bin_ms)
    low = np.flatnonzero((correlations < LOWEST_RELIABILITY) & ~silent_neurons(rates))
    low = low[np.argsort(correlations[low], kind="stable")]
    return unless_none(
        "psth-reliability",
        subject,
        listed((f"{session.neuron_ids[k]}: {correlations[k]:.2f}" for k in low), f"no PSTH signal in {NEURON}"),
        threshold=f"correlation of halves ≥ {LOWEST_RELIABILITY:g}",
        advice="no model can predict the PSTHs of these neurons: judge scores without them",
        clean=f"lowest {np.min(correlations):.2f}, median {np.median(correlations):.2f}",
    )


def _clip(session: Session, clipped_at: float | None) -> Finding:
    """Spikes that clipping at a percentile of all rates removes; what would be lost is no FAIL where nothing is clipped."""
    rates = np.where(np.isfinite(session.rates), session.rates, 0.0).astype(np.float64)
    percentile = CLIP_PERCENTILE if clipped_at is None else clipped_at
    limit = float(np.percentile(session.rates[np.isfinite(session.rates)], percentile))
    total = rates.sum(axis=(0, 1))
    lost = np.where(total > 0, np.maximum(rates - limit, 0).sum(axis=(0, 1)) / np.maximum(total, 1e-12), 0.0)
    high = np.flatnonzero(lost > CLIP_WARN)
    high = high[np.argsort(-lost[high], kind="stable")]
    if clipped_at is None:
        advice = (
            f"nothing to do: this model does not clip rates. Clipping them at percentile {percentile:g}, as published, would lose"
            " these spikes"
        )
    else:
        advice = "this model's loss clips rates and loses these spikes: set loss.clip_percentile=none to keep bursts"
    return unless_none(
        "clip-loss",
        "neurons",
        listed((f"{session.neuron_ids[k]}: {lost[k]:.1%}" for k in high), f"above {limit:g} sp/s, {NEURON}"),
        verdict=FAIL if clipped_at is not None and lost.max() > CLIP_FAIL else WARN,
        threshold=f"≤ {CLIP_WARN:.0%} of spikes lost",
        advice=advice,
        clean=f"at most {lost.max():.1%} above {limit:g} sp/s",
    )


def _isolated(session: Session) -> Finding:
    """Bins with far more spikes than a Poisson process of the neighbouring bins', the PSTH's or the mean rate would have."""
    valid = np.isfinite(session.rates)
    counts = np.rint(np.where(valid, session.rates, 0.0) * session.bin_ms / 1000)
    neighbours = np.zeros_like(counts)
    neighbours[:, 1:] = counts[:, :-1]
    neighbours[:, :-1] = np.maximum(neighbours[:, :-1], counts[:, 1:])
    around = psth.smoothed_mean(session.rates, SMOOTHING_MS / session.bin_ms)
    usual = np.maximum(np.nan_to_num(around), mean_rates(session.rates)) * session.bin_ms / 1000
    high = np.argwhere(counts > neighbours)
    trial, bin_, neuron = high.T
    expected = np.maximum(neighbours[trial, bin_, neuron], usual[bin_, neuron])
    improbable = stats.poisson.sf(counts[trial, bin_, neuron] - 1, expected) < _FALSE_ALARMS / max(int(valid.sum()), 1)
    per_neuron = np.bincount(neuron[improbable], minlength=session.neurons)
    order = np.argsort(-per_neuron, kind="stable")
    return unless_none(
        "isolated-bins",
        "neurons",
        listed((f"{session.neuron_ids[k]}: {per_neuron[k]} bins" for k in order if per_neuron[k]), NEURON),
        advice="more spikes in one bin than a Poisson process would give: look for artefacts, or for bursts shorter than a bin",
    )


def _drift(session: Session) -> Finding:
    """Mean rates of the quarters of the session; a ratio counts where it is beyond the noise between trials."""
    check, threshold = "rate-drift", f"≤ {LARGEST_DRIFT:g}x between quarters of the session"
    num_quarters = min(_PARTS, session.trials // _FEWEST_PER_PART)
    if num_quarters < 2:
        return Finding(check, "neurons", PASS, f"{session.trials} trials are too few to compare quarters", threshold)
    valid = np.isfinite(session.rates)
    per_trial = np.where(valid, session.rates, 0.0).sum(1, dtype=np.float64) / np.maximum(valid.sum(1), 1)
    quarters = np.array_split(per_trial, num_quarters)
    means = np.stack([quarter.mean(axis=0) for quarter in quarters])
    within = np.sum([((quarter - quarter.mean(axis=0)) ** 2).sum(axis=0) for quarter in quarters], axis=0)
    error = np.sqrt(within / (session.trials - num_quarters) * 2 / min(len(quarter) for quarter in quarters))
    high, low = means.max(axis=0), means.min(axis=0)
    ratio = np.where(low > 0, high / np.where(low > 0, low, 1), np.where(high > 0, np.inf, 1.0))
    drifts = np.flatnonzero((ratio > LARGEST_DRIFT) & (high - low > _STANDARD_ERRORS * error))
    drifts = drifts[np.argsort(-ratio[drifts], kind="stable")]
    return unless_none(
        check,
        "neurons",
        listed((f"{session.neuron_ids[k]}: {ratio[k]:.1f}x" for k in drifts), NEURON),
        threshold=threshold,
        advice="these neurons drift, or were lost for a time: leave them out, or leave out part of the session",
        clean=f"at most {np.where(high - low > _STANDARD_ERRORS * error, ratio, 1.0).max():.2f}x, changes within noise left out",
    )


def _types(session: Session, config: EirnnConfig) -> Finding:
    """Whether types are in the order in which the units of a network usually are: excitatory ones first."""
    by_type = getattr(getattr(config, "model", None), "map_by_type", True)
    types = session.neuron_type
    excitatory, inhibitory = types == EXCITATORY, types == INHIBITORY
    n_e, n_i = int(excitatory.sum()), int(inhibitory.sum())
    # The published network has four excitatory units for each inhibitory one.
    units = max(n_e, _UNITS_PER_INTERNEURON * n_i)
    misplaced = int(inhibitory[:units].sum())
    interleaved = bool(excitatory.any() and inhibitory.any() and inhibitory.argmax() < np.flatnonzero(excitatory)[-1])
    return unless_none(
        "types-interleaved",
        "neurons",
        f"{n_e} E and {n_i} I mixed" if interleaved else "",
        threshold="E before I",
        advice=(
            "nothing to do: this model places neurons on units by type. The published order, neuron k on unit k, would place"
            if by_type
            else "place neurons by type (model.map_by_type=true, or eirnn-v2): this model's order, neuron k on unit k, places"
        )
        + f" {misplaced} of {n_i} interneurons on excitatory units",
        clean=f"{n_e} E, then {n_i} I",
    )


def _statistics(session: Session) -> list[Finding]:
    """What the published diagnosis printed of its targets."""
    rates = session.rates[np.isfinite(session.rates)].astype(np.float64)
    high = np.nan_to_num(session.rates) > HIGH_RATE
    per_neuron = high.sum(axis=(0, 1))
    order = [k for k in np.argsort(-per_neuron, kind="stable") if per_neuron[k]]
    sd_bins = SMOOTHING_MS / session.bin_ms
    sd = psth.temporal_sd(psth.smoothed_mean(session.rates, sd_bins), psth.sums(session.rates)[1])
    true = np.sqrt(psth.signal_variance(session.rates, sd_bins))
    summary = f"mean {rates.mean():.2f}, sd {rates.std():.2f}, 99% below {np.percentile(rates, 99):g}, max {rates.max():g} sp/s"
    counted = f"{int(high.sum())} bins ({high.sum() / len(rates):.3%})"
    psths = f"{np.nanmean(sd):.2f} sp/s, {np.nanmean(true):.2f} without noise"
    return [
        information("rate-statistics", "rates", summary),
        information(
            f"rates-above-{HIGH_RATE:g}",
            "rates",
            counted
            + (f", {listed((f'{session.neuron_ids[k]}: {per_neuron[k]}' for k in order), NEURON)}" if order else ""),
        ),
        information("psth-sd", f"{SMOOTHING_MS:g} ms, mean of neurons", psths),
    ]
