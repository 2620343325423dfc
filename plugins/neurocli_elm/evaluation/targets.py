"""What is scored: the soma voltage and the output spike at every ms of whole simulations, from their input alone."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import MAE, RMSE, Mask, Metric, Sums, Values
from neurocli.evaluation.target import Prediction, Target
from neurocli.recordings import Recording
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import soma_target_mv, spike_target
from neurocli_elm.evaluation.spike_metrics import AveragePrecision, ExplainedVariance, SpikeAUC, TruePositives

Array = NDArray[np.float64]


class TargetChannel(IntEnum):
    """Channels of targets and predictions [time, 2], which are not in the order of a network's outputs: voltage in mV above -67.7,
    clipped at -55; spike, or its probability."""

    SOMA = 0
    SPIKE = 1


CHANNELS = ("soma, mV above -67.7", "spike")


def targets(dataset: SimulationData, config: NeuronioConfig, part: str) -> list[Target]:
    """One target: soma voltage and output spike at every step after the burn-in."""
    first = config.data.burn_in_ms
    targets, origins = {}, {}
    for group in dataset.split.groups(part):
        recording = dataset.load(group)
        targets[group] = observed(recording, config.data.event)[first:]
        origins[group] = np.arange(first, recording.steps)
    return [Target("soma and spikes", 0, None, "mV", targets, origins, channels=CHANNELS)]


def observed(recording: Recording, event: str) -> NDArray[np.float32]:
    """[time, 2] what a simulation shows at every step; event: the one that holds its output spikes."""
    return in_channels(spike_target(recording, event), soma_target_mv(recording))


def in_channels(spike: NDArray[Any], soma_mv: NDArray[Any]) -> NDArray[Any]:
    """[time, 2] from spikes, or their probability, and voltage in mV above -67.7, each [time]."""
    return np.stack([soma_mv, spike], axis=1)


def metrics() -> list[Metric]:
    """Soma voltage first, by which models are chosen."""
    soma = [RMSE("mV"), MAE("mV"), ExplainedVariance()]
    spikes = [SpikeAUC(), AveragePrecision(), TruePositives(0.0025), TruePositives(0.01)]
    return [*(OfChannel(m, TargetChannel.SOMA) for m in soma), *(OfChannel(m, TargetChannel.SPIKE) for m in spikes)]


class OfChannel(Metric):
    """A metric of one of the two targets."""

    def __init__(self, metric: Metric, channel: TargetChannel) -> None:
        self.metric, self.channel = metric, channel
        self.name, self.unit, self.higher, self.pooled = metric.name, metric.unit, metric.higher, metric.pooled
        self.link = metric.link

    def weights(self, groups: Array) -> Array:
        return self.metric.weights(groups)

    def fewest(self, groups: Array) -> str | None:
        return self.metric.fewest(groups)

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        column = slice(self.channel, self.channel + 1)
        chosen = None if mask is None else np.broadcast_to(mask, target.shape)[:, column]
        return self.metric.statistics(target[:, column], prediction[:, column], chosen)

    def value(self, statistics: Array) -> Array:
        return self.metric.value(statistics)


def as_prediction(target: Target, by_group: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> Prediction:
    """A prediction from (spike probability, soma in mV above -67.7) of whole simulations, each [time]."""
    values = {}
    for group, steps in target.origins.items():
        spike, soma = by_group[group]
        values[group] = in_channels(spike[steps], soma[steps])
    return Prediction(values)
