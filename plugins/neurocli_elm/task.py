"""A task: dataset, loss, metrics and baselines of one kind of data. The family passes its calls on to the task of the data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from neurocli.diagnosis import Finding
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Bound, Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import NoCeiling, TrainedModel, Untrained
from neurocli.recordings import Batch, Dataset, RecordingSet, Split
from neurocli_elm.config import ElmConfig
from neurocli_elm.model.neuron import ElmNeuron


class Task(ABC):
    """Strategy of one kind of data; the methods are those of `ModelFamily` of the same names."""

    kind: ClassVar[str]
    """`meta["kind"]` of the recordings."""

    @abstractmethod
    def adapt(self, recordings: RecordingSet, config: ElmConfig, split: Split | None) -> Dataset: ...

    @abstractmethod
    def loss(self, network: ElmNeuron, batch: Batch, config: ElmConfig) -> dict[str, torch.Tensor]: ...

    @abstractmethod
    def validation(self, network: ElmNeuron, batch: Batch) -> torch.Tensor: ...

    @abstractmethod
    def targets(self, dataset: Any, config: ElmConfig, part: str) -> list[Target]: ...

    @abstractmethod
    def predict(self, trained: TrainedModel, target: Target) -> Prediction: ...

    @abstractmethod
    def metrics(self) -> list[Metric]: ...

    @abstractmethod
    def baselines(self, dataset: Any, config: ElmConfig, version: int) -> list[Predictor]: ...

    @abstractmethod
    def ceiling(self) -> Predictor | Bound | NoCeiling: ...

    @abstractmethod
    def diagnose_data(self, recordings: RecordingSet, config: ElmConfig, untrained: Untrained) -> list[Finding]: ...

    @abstractmethod
    def diagnose_model(self, trained: TrainedModel) -> list[Finding]: ...

    @abstractmethod
    def evaluate_more(
        self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path
    ) -> list[Exhibit]: ...

    @abstractmethod
    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]: ...

    @abstractmethod
    def notes(self, dataset: Any, config: ElmConfig) -> Sequence[str]: ...
