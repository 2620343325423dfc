"""The family's second task: which digit was spoken, or the sum of two, from the spikes of a cochlea."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from neurocli.diagnosis import Finding
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import NoCeiling, TrainedModel, Untrained
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.data.shd_split import PUBLISHED
from neurocli_elm.diagnosis.shd import utterance_findings
from neurocli_elm.evaluation.shd import targets as shd_scores
from neurocli_elm.evaluation.shd.baselines import baselines
from neurocli_elm.evaluation.shd.exhibits import confusion, evidence
from neurocli_elm.evaluation.shd.predictions import class_loss, probabilities
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.task import Task


class ShdTask(Task):
    """The class is read at the last step of a sample."""

    kind = "shd"

    def adapt(self, recordings: RecordingSet, config: ElmConfig, split: Split | None) -> ShdData:
        return ShdData(recordings, config, split)

    def loss(self, network: ElmNeuron, batch: Batch, config: ElmConfig) -> dict[str, torch.Tensor]:
        return {"class": class_loss(network, batch)}

    def validation(self, network: ElmNeuron, batch: Batch) -> torch.Tensor:
        return class_loss(network, batch)

    def targets(self, dataset: Any, config: ElmConfig, part: str) -> list[Target]:
        return shd_scores.targets(dataset, part)

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        dataset, network = trained.dataset, trained.network
        assert isinstance(dataset, ShdData) and isinstance(network, ElmNeuron)
        return shd_scores.from_rows(dataset, target, lambda rows: probabilities(network, dataset, rows))

    def metrics(self) -> list[Metric]:
        return [shd_scores.Accuracy(), shd_scores.LogLoss()]

    def baselines(self, dataset: Any, config: ElmConfig, version: int) -> list[Predictor]:
        return baselines(dataset)

    def ceiling(self) -> NoCeiling:
        return NoCeiling("it is not known how well the digits can be told apart from these spikes")

    def diagnose_data(self, recordings: RecordingSet, config: ElmConfig, untrained: Untrained) -> list[Finding]:
        return utterance_findings(recordings, config)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        from neurocli_elm.diagnosis.model import synapse_findings, timescale_findings

        dataset, network = trained.dataset, trained.network
        assert isinstance(dataset, ShdData) and isinstance(network, ElmNeuron)
        duration_ms = int(dataset.num_steps * dataset.spec["delta_t"])
        return [*timescale_findings(network, duration_ms, "trained"), *synapse_findings(network, "trained")]

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        return [confusion(trained, predictions, figures)]

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        return [evidence(trained, figures)]

    def notes(self, dataset: Any, config: ElmConfig) -> Sequence[str]:
        sizes = [len(dataset.split.groups(part)) for part in ("train", "validation", "test")]
        notes = [
            f"utterances: {sizes[0]} training, {sizes[1]} validation, {sizes[2]} test, in bins of "
            f"{config.data.bin_ms} ms; spikes after 1 s are left out, as published"
        ]
        if dataset.adding:
            notes.append(
                "pairs of digits are drawn at random with replacement; both digits of a test pair are of one speaker"
            )
        if dataset.split.protocol == PUBLISHED:
            heard, tested = (
                {dataset.about[group].speaker for group in dataset.split.groups(part)} for part in ("train", "test")
            )
            notes.append(
                "the published split is by file: training and validation have the same speakers"
                + (f", and {len(heard & tested)} of {len(tested)} test speakers" if dataset.speakers_known else "")
            )
        if not dataset.speakers_known:
            notes.append(
                "speakers are unknown: intervals treat utterances as independent, and are too narrow where they are not"
            )
        return notes
