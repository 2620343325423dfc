"""The task neuronio: the soma voltage and the output spikes of a simulated cell, from its input spikes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.diagnosis.copied import copy_findings
from neurocli.diagnosis.words import counted
from neurocli.errors import DataError
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Bound, Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, TrainedModel
from neurocli.plugin.task import parameters_of
from neurocli.recordings import Batch, Dataset, RecordingSet, Split
from neurocli.recordings.copies import copies
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.readers.shd import META as OF_DIGITS
from neurocli_elm.diagnosis.split import part_of_group, positives_finding, spike_counts
from neurocli_elm.evaluation import baselines, targets
from neurocli_elm.evaluation.references import missing_references, predict, references
from neurocli_elm.event_task import EventTask
from neurocli_elm.model.loss import loss_terms, validation
from neurocli_elm.model.outputs import Output


class NeuronioTask(EventTask):
    """Whole simulations, each from a state of zero."""

    Options = NeuronioConfig
    validation_is_loss = False

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> SimulationData:
        _refuse_digits(recordings)
        dataset = SimulationData(recordings, config, split)
        if split is None:
            references(dataset, config)  # a checkpoint that does not fit is an error before training, not after it
        return dataset

    def num_outputs(self, config: Any, spec: dict[str, Any]) -> int:
        return len(Output)

    def loss(self, network: nn.Module, batch: Batch, config: Any) -> LossTerms:
        return LossTerms(loss_terms(network, batch, config.loss))

    def validation_loss(self, network: nn.Module, batch: Batch, config: Any) -> torch.Tensor:
        return validation(network, batch)

    def watch(self, network: nn.Module, data: Any, config: Any, folder: Path) -> None:
        from neurocli.report.watched import keep
        from neurocli_elm.evaluation.watching import watched_simulations

        inner = self.inside(network)
        keep(watched_simulations(inner, data, self.model), config.train.watch, folder)

    def targets(self, data: Any, config: Any, part: str = "test") -> list[Target]:
        return targets.targets(data, config, part)

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        assert isinstance(trained.dataset, SimulationData)
        return predict(trained.network, trained.dataset, target)

    def metrics(self, data: Dataset, config: Any) -> list[Metric]:
        return targets.metrics()

    def baselines(self, data: Any, config: Any) -> list[Predictor]:
        parameters = parameters_of(self.untrained(config, data.spec, 0))
        return [*baselines.baselines(data, config, parameters), *references(data, config)]

    def ceiling(self, data: Dataset, config: Any) -> Bound:
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

    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        from neurocli_elm.diagnosis.data import data_findings

        def of_untrained(dataset: SimulationData) -> list[Finding]:
            network = self.inside(self.untrained(config, dataset.spec, config.train.seed))
            return self.model.diagnose_network(network, dataset, config, "untrained")

        _refuse_digits(recordings)
        return data_findings(recordings, config, of_untrained)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        dataset = trained.dataset
        assert isinstance(dataset, SimulationData)
        part_of = part_of_group(dataset)
        _, overlap = copy_findings(copies(dataset.recordings, list(part_of)), part_of, "simulations")
        return [overlap, positives_finding(dataset, trained.config), *super().diagnose_model(trained)]

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_elm.evaluation.exhibits import evaluation_exhibits

        return evaluation_exhibits(trained, predictions, figures)

    def notes(self, data: Any, config: Any) -> Sequence[str]:
        every, scored = spike_counts(data, config)
        left_out = not data.split.train and len(data.split.test) >= baselines.FEWEST
        return [
            f"{data.excitatory} excitatory and {data.channels - data.excitatory} inhibitory inputs; spike scores rest on "
            f"{scored} steps with an output spike in {counted(len(data.split.test), 'test simulation')} "
            f"({every} output spikes, those of the burn-in included)",
            f"soma voltage clipped at -55 mV; output spikes as {config.data.labels} (data.labels); burn-in of {config.data.burn_in_ms} ms not scored",
            *([baselines.LEFT_OUT] if left_out else []),
            *missing_references(config),
        ]

    def example(self, seed: int) -> RecordingSet:
        from neurocli_elm.simulation.example import small_cells

        return small_cells(seed)


def _refuse_digits(recordings: RecordingSet) -> None:
    """Raise DataError where the recordings are spoken digits."""
    if recordings.meta.get("kind") == OF_DIGITS["kind"]:
        raise DataError(
            "these are spoken digits (SHD), not simulations of a cell",
            where=", ".join(recordings.sources) or "data",
            hint="say --task shd, or --task shd-adding",
        )
