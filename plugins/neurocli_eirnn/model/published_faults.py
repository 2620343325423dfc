"""What is wrong with the published recipe of eirnn-v1, and is in force under some options."""

from __future__ import annotations

import numpy as np

from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY
from neurocli_eirnn.model.v1 import population, unit_map


def published_faults(dataset: SessionData, config: V1Config) -> list[str]:
    """The faults of the published recipe that are in force, a line each, with what they do to these data."""
    model, loss = config.model, config.loss
    types, bin_ms = dataset.session.neuron_type, dataset.bin_ms
    faults = []
    n_e, _ = population(
        int((types == EXCITATORY).sum()), int((types == INHIBITORY).sum()), model.ratio, model.target_total
    )
    units = np.array(unit_map(types.tolist(), n_e, model.map_by_type))
    wrong_i, wrong_e = (
        int(((types == INHIBITORY) & (units < n_e)).sum()),
        int(((types == EXCITATORY) & (units >= n_e)).sum()),
    )
    if wrong_i or wrong_e:
        also = f" and {wrong_e} excitatory neurons on inhibitory ones" if wrong_e else ""
        faults.append(
            f"as published, {wrong_i} of {int((types == INHIBITORY).sum())} interneurons sit on excitatory units{also}:"
            " results about types do not hold (model.map_by_type=true places them by type)"
        )
    if loss.mask == "published":
        rows = dataset.fitted_rows() if dataset.split.train else np.where(dataset.used)[0]
        bins, known = dataset.duration_bins[rows], np.isfinite(dataset.rates[rows]).any(2)
        share = float((np.arange(known.shape[1]) < bins[:, None])[known].mean())
        faults.append(f"as published, durations are counted from the wrong bin: {share:.0%} of the bins enter the loss")
    if loss.smoothing == "published" and max(loss.neuron_smoothing_ms, loss.trial_smoothing_ms) < 2 * bin_ms:
        faults.append(f"as published, the loss smooths over less than two bins of {bin_ms:g} ms: nothing is smoothed")
    if loss.clip_percentile is not None and dataset.clip is not None:
        rates = dataset.rates[dataset.fitted_rows()] if dataset.split.train else dataset.rates[dataset.used]
        lost = np.nansum(np.maximum(rates - dataset.clip, 0), axis=(0, 1)) / np.maximum(
            np.nansum(rates, axis=(0, 1)), 1
        )
        faults.append(
            f"as published, rates are clipped at {dataset.clip:g} sp/s in the loss: it removes up to {lost.max():.0%} of a neuron's spikes"
        )
    if loss.normalise == "all":
        faults.append(
            "as published, every loss term is divided by its own running mean, so that the weights of the terms cancel"
        )
    if model.noise and model.noise_at_evaluation:
        faults.append("as published, the noise on the states stays on during evaluation")
    if model.output_lag:
        faults.append("as published, rates lag the state by one bin")
    faults.append(
        "the published scores are of epochs chosen on the test trials; here the epoch is chosen on training trials that are held back"
    )
    return faults
