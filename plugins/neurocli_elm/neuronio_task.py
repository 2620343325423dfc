"""The family's first task: the soma voltage and the output spikes of a simulated cell, from its input spikes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.diagnosis import Finding
from neurocli.diagnosis.words import counted
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Bound, Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import TrainedModel, Untrained
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.diagnosis.split import spike_counts
from neurocli_elm.evaluation import baselines, targets
from neurocli_elm.evaluation.references import missing_references, predict, references
from neurocli_elm.model.loss import loss_terms, validation
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.task import Task


class NeuronioTask(Task):
    """Whole simulations, each from a state of zero."""

    kind = "neuronio"

    def adapt(self, recordings: RecordingSet, config: ElmConfig, split: Split | None) -> SimulationData:
        dataset = SimulationData(recordings, config, split)
        if split is None:
            references(dataset, config)  # a checkpoint that does not fit is an error before training, not after it
        return dataset

    def loss(self, network: ElmNeuron, batch: Batch, config: ElmConfig) -> dict[str, torch.Tensor]:
        return loss_terms(network, batch, config.loss)

    def validation(self, network: ElmNeuron, batch: Batch) -> torch.Tensor:
        return validation(network, batch)

    def targets(self, dataset: Any, config: ElmConfig, part: str) -> list[Target]:
        return targets.targets(dataset, config, part)

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        dataset, network = trained.dataset, trained.network
        assert isinstance(dataset, SimulationData) and isinstance(network, ElmNeuron)
        return predict(network, dataset, target)

    def metrics(self) -> list[Metric]:
        return targets.metrics()

    def baselines(self, dataset: Any, config: ElmConfig, version: int) -> list[Predictor]:
        return [*baselines.baselines(dataset, config, version), *references(dataset, config)]

    def ceiling(self) -> Bound:
        def value(target: Target, metric: Metric, subset: str) -> float | None:
            known = {"RMSE": 0.0, "MAE": 0.0, "EV": 100.0}
            if metric.name in known:
                return known[metric.name]
            spikes = any(np.any(target.values[group][:, targets.TargetChannel.SPIKE] > 0) for group in target.groups)
            return 1.0 if spikes else None

        def left_out(target: Target, metric: Metric, subset: str) -> NDArray[np.float64] | None:
            known = value(target, metric, subset)
            return None if known is None else np.full(len(target.groups), known)

        return Bound("the cell itself", value, "a simulated cell responds to its input without noise", left_out)

    def diagnose_data(self, recordings: RecordingSet, config: ElmConfig, untrained: Untrained) -> list[Finding]:
        from neurocli_elm.diagnosis.data import data_findings

        return data_findings(recordings, config, untrained)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        from neurocli_elm.diagnosis.model import trained_findings

        return trained_findings(trained)

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_elm.evaluation.exhibits import evaluation_exhibits

        return evaluation_exhibits(trained, predictions, figures)

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        from neurocli_elm.interpretation.interpret import interpretation_exhibits

        return interpretation_exhibits(trained, figures)

    def notes(self, dataset: Any, config: ElmConfig) -> Sequence[str]:
        every, scored = spike_counts(dataset, config)
        left_out = not dataset.split.train and len(dataset.split.test) >= baselines.FEWEST
        return [
            f"{dataset.excitatory} excitatory and {dataset.channels - dataset.excitatory} inhibitory inputs; spike scores rest on "
            f"{scored} steps with an output spike in {counted(len(dataset.split.test), 'test simulation')} "
            f"({every} output spikes, those of the burn-in included)",
            f"soma voltage clipped at -55 mV; output spikes as {config.data.labels} (data.labels); burn-in of {config.data.burn_in_ms} ms not scored",
            *([baselines.LEFT_OUT] if left_out else []),
            *missing_references(config),
        ]
