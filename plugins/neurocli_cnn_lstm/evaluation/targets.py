"""Targets of a voltage forecast, and the predictions of each model."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.evaluation.by_group import ByGroup
from neurocli.evaluation.target import Prediction, Target
from neurocli.plugin.family import TrainedModel
from neurocli.recordings.files.scratch import Scratch
from neurocli.training.devices import device_of
from neurocli_cnn_lstm.config import CnnLstmConfig
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.model.paths import rollout
from neurocli_cnn_lstm.model.v2 import StructuredCnnLstm

_CHUNK = 120  # samples that are predicted together, after as much context as a training window warms up with
_BATCH = 16
_PATHS = 256  # paths that are sampled together
LONGEST_LAG = 20
"""Samples that the linear baselines look back."""


def targets(dataset: VoltageData, config: CnnLstmConfig, part: str) -> list[Target]:
    """One target per horizon. The first is scored at every sample, longer ones at probes; all leave out the same start."""
    all_targets: list[Target] = []
    horizons = horizon_steps(dataset, config)
    longest = horizons[-1]
    for steps in horizons[:1] if dataset.published else horizons:  # the published protocol knows one horizon
        stride = 1 if not all_targets else config.evaluate.probe_stride
        # Longer horizons share their origins, so that one free run predicts them all.
        reach = steps if not all_targets else longest
        origins = _origins(dataset, config, part, reach, stride)
        subsets, hindsight = _subsets(dataset, origins) if not all_targets else ({}, frozenset())
        all_targets.append(
            Target(
                f"{steps * dataset.dt_ms:g} ms",
                steps,
                steps * dataset.dt_ms,
                dataset.unit,
                _voltages_after(dataset, origins, steps),
                {g: o + dataset.burn_in for g, o in origins.items()},
                subsets,
                hindsight,
            )
        )
    return all_targets


def _voltages_after(
    dataset: VoltageData, origins: dict[str, NDArray[np.int64]], steps: int
) -> Mapping[str, NDArray[np.float32]]:
    return ByGroup(origins, lambda group: dataset.volts(group)[origins[group] + steps])


def local_origins(dataset: VoltageData, target: Target) -> dict[str, NDArray[np.int64]]:
    """A target's origins counted in `dataset.volts`, from which the burn-in of every run is left out."""
    return {group: origins - dataset.burn_in for group, origins in target.origins.items()}


def horizon_steps(dataset: VoltageData, config: CnnLstmConfig) -> list[int]:
    """The horizons in samples, ascending and each once."""
    return sorted({max(1, round(h / dataset.dt_ms)) for h in config.evaluate.horizons_ms})


def _origins(
    dataset: VoltageData, config: CnnLstmConfig, part: str, steps: int, stride: int
) -> dict[str, NDArray[np.int64]]:
    groups = dataset.split.groups(part)
    if dataset.published:
        starts = np.sort(next(iter(dataset._starts(part)))[1])
        last = starts + dataset.length - 1
        origins = {}
        for group in groups:
            _, offset, length = dataset.place[group]
            # Windows may straddle runs, linear baselines may not: they need their lags within the run.
            inside = last[(last - offset >= LONGEST_LAG) & (last + steps < offset + length)] - offset
            origins[group] = inside[::stride]
        return {g: o for g, o in origins.items() if len(o)}
    return {g: np.arange(config.evaluate.context, dataset.place[g][2] - steps, stride) for g in groups}


def _subsets(dataset: VoltageData, origins: dict[str, NDArray[np.int64]]) -> tuple[dict[str, Any], frozenset[str]]:
    subsets: dict[str, Mapping[str, NDArray[np.bool_]]] = {}
    types = neuron_types(dataset)
    if types is not None:
        subsets["E"] = dict.fromkeys(origins, types[None, :] == 1)
        subsets["I"] = dict.fromkeys(origins, types[None, :] == 2)
    if not dataset.flag_on:
        return subsets, frozenset()

    def spiked(group: str) -> NDArray[np.bool_]:
        reset = dataset.is_reset(dataset.volts(group))
        return reset[origins[group] + 1] & ~reset[origins[group]]

    subsets["spike"] = ByGroup(origins, spiked)
    subsets["no spike"] = ByGroup(origins, lambda group: ~spiked(group))
    return subsets, frozenset({"spike", "no spike"})


def neuron_types(dataset: VoltageData) -> NDArray[np.int64] | None:
    """1 for excitatory, 2 for inhibitory, per recorded neuron; None where nobody says."""
    recording = dataset.recordings[dataset.recordings.groups[0]]
    names = recording.channels
    if names and all(name[:1] in "EI" for name in names):
        return np.array([1 if name.startswith("E") else 2 for name in names])
    return None


@torch.no_grad()
def predict_v1(trained: TrainedModel, target: Target) -> Prediction:
    """One window per target; beyond the first step the model is fed its own predictions."""
    dataset, network = trained.dataset, trained.network
    assert isinstance(dataset, VoltageData)
    values = Scratch()
    for group, origins in local_origins(dataset, target).items():
        forecasts = []
        for chunk in np.array_split(origins, max(1, len(origins) // 512)):
            window = dataset.contexts(group, chunk, trained.config.model.window, device_of(network))["v"]
            for step in range(target.horizon_steps):
                following = network(window)
                if step + 1 < target.horizon_steps:
                    window = torch.cat((window[:, 1:], following[:, None]), dim=1)
            forecasts.append(following.cpu().numpy())
        values.keep(group, dataset.normalisation.restore(np.concatenate(forecasts)))
    return Prediction(values)


@torch.no_grad()
def predict_v2(trained: TrainedModel, target: Target) -> Prediction:
    """The next sample at every step of long windows; beyond it, the mean of sampled free runs."""
    if target.horizon_steps > 1:
        return _free_run(trained, target)
    dataset, network, burn_in = trained.dataset, trained.network, trained.config.model.burn_in
    assert isinstance(dataset, VoltageData)
    values, spike = Scratch(), Scratch()
    for group, origins in local_origins(dataset, target).items():
        _, offset, steps = dataset.place[group]
        ends = np.arange(int(origins[0]) + _CHUNK - 1, steps + _CHUNK - 1, _CHUNK).clip(max=steps - 1)
        mean = np.full((steps, dataset.spec["num_channels"]), np.nan, np.float32)
        probability = np.full_like(mean, np.nan)
        span = _CHUNK + burn_in
        # The first prediction of a chunk has seen `burn_in` samples and its own.
        ends = ends[ends - span + 1 + offset >= 0]
        for chunk_ends in np.array_split(ends, max(1, len(ends) // _BATCH)):
            batch = dataset.contexts(group, chunk_ends, span, device_of(network))
            forecast = network(batch["v"], batch.get("flag"))
            mean_z, logit = forecast.mean.cpu(), None if forecast.spike_logit is None else forecast.spike_logit.cpu()
            for row, end in enumerate(chunk_ends):
                mean[end - _CHUNK + 1 : end + 1] = mean_z[row, burn_in:].numpy()
                if logit is not None:
                    probability[end - _CHUNK + 1 : end + 1] = torch.sigmoid(logit[row, burn_in:]).numpy()
        values.keep(group, dataset.normalisation.restore(mean[origins]))
        spike.keep(group, probability[origins])
    return Prediction(values, extra={"spike_probability": spike} if dataset.flag_on else {})


def _free_run(trained: TrainedModel, target: Target) -> Prediction:
    """The mean of sampled paths; every horizon reads the same paths."""
    dataset = trained.dataset
    assert isinstance(dataset, VoltageData)
    last = target.horizon_steps - 1
    return Prediction(
        Scratch.of(
            (group, dataset.normalisation.restore(_means(trained, group, origins)[:, last]))
            for group, origins in local_origins(dataset, target).items()
        )
    )


def _means(trained: TrainedModel, group: str, origins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of the paths [k, step, neuron], in z, out to the longest horizon; kept for the next horizon."""
    dataset, config = trained.dataset, trained.config
    assert isinstance(dataset, VoltageData) and isinstance(trained.network, StructuredCnnLstm)
    kept_of, free_runs = trained.__dict__.setdefault("_free_runs", (dataset, Scratch()))
    if kept_of is not dataset:
        _, free_runs = trained.__dict__["_free_runs"] = dataset, Scratch()
    name = f"{group} {origins.tobytes().hex()}"
    if name in free_runs:
        return free_runs[name]
    steps = horizon_steps(dataset, config)[-1]
    samples = config.evaluate.rollout_samples
    generator = torch.Generator().manual_seed(2**32 * trained.seed + zlib.crc32(group.encode()))
    means = []
    for chunk in np.array_split(origins, -(-len(origins) * samples // _PATHS)):
        batch = dataset.contexts(group, chunk, config.model.burn_in + 20, device_of(trained.network))
        path = rollout(trained.network, batch["v"], batch.get("flag"), steps, samples, generator)
        means.append(path.mean.cpu().numpy())
    free_runs.keep(name, np.concatenate(means))
    return free_runs[name]
