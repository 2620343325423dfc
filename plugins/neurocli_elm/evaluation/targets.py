"""What is scored: the soma voltage and the output spike at every ms of whole simulations, from their input alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import MAE, RMSE, Mask, Metric, Sums, Values
from neurocli.evaluation.target import Prediction, Target
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import soma_target_mv, spike_target
from neurocli_elm.evaluation.spike_metrics import AveragePrecision, ExplainedVariance, SpikeAUC, TruePositives

SOMA, SPIKE = 0, 1
CHANNELS = ("soma, mV above -67.7", "spike")
"""Channels of targets and answers: voltage in mV above -67.7, clipped at -55; spike, or its probability."""


def targets(data: SimulationData, config: ElmConfig, part: str) -> list[Target]:
    """One target: both targets at every step but the first `data.burn_in_ms`."""
    first = config.data.burn_in_ms
    targets, origins = {}, {}
    for group in data.split.groups(part):
        recording = data.load(group)
        both = np.stack([soma_target_mv(recording), spike_target(recording, config.data.event)], axis=1)
        targets[group] = both[first:]
        origins[group] = np.arange(first, recording.steps)
    return [Target("soma and spikes", 0, None, "mV", targets, origins, channels=CHANNELS)]


def metrics() -> list[Metric]:
    """Soma voltage first, by which models are chosen."""
    soma = [RMSE("mV"), MAE("mV"), ExplainedVariance()]
    spikes = [SpikeAUC(), AveragePrecision(), TruePositives(0.0025), TruePositives(0.01)]
    return [*(OfChannel(m, SOMA) for m in soma), *(OfChannel(m, SPIKE) for m in spikes)]


class OfChannel(Metric):
    """A metric of one of the two targets."""

    def __init__(self, metric: Metric, channel: int) -> None:
        self.metric, self.channel = metric, channel
        self.name, self.unit, self.higher, self.pooled = metric.name, metric.unit, metric.higher, metric.pooled
        self.link = metric.link

    def weights(self, groups: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.metric.weights(groups)

    def fewest(self, groups: NDArray[np.float64]) -> str | None:
        return self.metric.fewest(groups)

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        one = slice(self.channel, self.channel + 1)
        chosen = None if mask is None else np.broadcast_to(mask, target.shape)[:, one]
        return self.metric.statistics(target[:, one], prediction[:, one], chosen)

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.metric.value(statistics)


def as_prediction(target: Target, by_group: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> Prediction:
    """A prediction from (spike probability, soma in mV above -67.7) of whole simulations, each [time]."""
    values = {}
    for group, steps in target.origins.items():
        spike, soma = by_group[group]
        values[group] = np.stack([soma[steps], spike[steps]], axis=1)
    return Prediction(values)
