"""A task of cases, each with a class or a number, read at the end of a sequence or over all of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from neurocli.diagnosis import Finding
from neurocli.evaluation.class_metrics import Accuracy, LogLoss
from neurocli.evaluation.metrics import MAE, R2, RMSE, Metric
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, NoCeiling, TrainedModel
from neurocli.plugin.task import Task
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli.training.devices import device_of
from neurocli.training.readout import SequenceNetwork, extra_outputs
from neurocli_sequences.config import CaseConfig
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.case_split import PUBLISHED, copied_cases
from neurocli_sequences.data.forms import Form
from neurocli_sequences.evaluation.case_baselines import as_prediction, baselines

CHUNK = 256
"""Cases that are predicted together."""


class Rmse(RMSE):
    name = "rmse"


class CaseTask(Task):
    """What classification and regression of sequences have in common."""

    Options = CaseConfig
    validation_is_loss = True
    one_scale: ClassVar[bool] = False

    @abstractmethod
    def form(self, recordings: RecordingSet, split: Split, config: Any) -> Form:
        """What becomes of a recording, once the set is split."""

    # -- training ------------------------------------------------------------------------------------------------

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> CaseData:
        return CaseData(
            recordings, config, lambda these, dealt: self.form(these, dealt, config), split, one_scale=self.one_scale
        )

    def num_inputs(self, config: Any, spec: dict[str, Any]) -> int:
        return getattr(config.task, "embedding", None) or super().num_inputs(config, spec)

    def num_outputs(self, config: Any, spec: dict[str, Any]) -> int:
        return super().num_outputs(config, spec) + extra_outputs(config.task.pooling)

    def around(self, network: nn.Module, config: Any, spec: dict[str, Any]) -> nn.Module:
        size = getattr(config.task, "embedding", None)
        embedding = None if size is None else (int(spec["num_input"]), int(size))
        return SequenceNetwork(network, config.task.pooling, embedding)

    def inside(self, network: nn.Module) -> nn.Module:
        assert isinstance(network, SequenceNetwork)
        return network.network

    def loss(self, network: nn.Module, batch: Batch, config: Any) -> LossTerms:
        y = network(batch["x"], batch["length"])
        if "label" in batch:
            smoothing = config.task.label_smoothing if network.training else 0.0
            return LossTerms({"class": functional.cross_entropy(y, batch["label"], label_smoothing=smoothing)})
        return LossTerms({"target": functional.mse_loss(y[:, 0], batch["target"])})

    def watch(self, network: nn.Module, data: Any, config: Any, folder: Path) -> None:
        from neurocli.report.watched import keep
        from neurocli_sequences.evaluation.watching import watched

        assert isinstance(network, SequenceNetwork)
        cases = watched(network, data, self.model.states, self.model.timescales(network.network))
        keep(cases, config.train.watch, folder)

    # -- evaluation ----------------------------------------------------------------------------------------------

    def targets(self, data: Any, config: Any, part: str = "test") -> list[Target]:
        """One target: the class of each case, one-hot [1, class], or its number [1, 1]; all of its sequence is seen."""
        numbers = data.numbers(part)
        eye = np.eye(len(data.classes)) if data.classes else None
        values, origins = {}, {}
        for group, number in zip(data.split.groups(part), numbers, strict=True):
            label = data.label[number]
            values[group] = np.array([[label]]) if eye is None else eye[label : label + 1]
            origins[group] = np.array([data.recordings[group].steps - 1])
        return [Target("class" if data.classes else "target", 0, None, "", values, origins, of_whole=True)]

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        dataset = trained.dataset
        assert isinstance(dataset, CaseData)
        return as_prediction(dataset, target, lambda numbers: predicted(trained.network, dataset, numbers))

    def metrics(self, data: Any, config: Any) -> list[Metric]:
        return [Accuracy(), LogLoss()] if data.classes else [Rmse(""), MAE(""), R2("")]

    def baselines(self, data: Any, config: Any) -> list[Predictor]:
        return baselines(data)

    def ceiling(self, data: Any, config: Any) -> NoCeiling:
        what = "classes can be told apart" if data.classes else "targets can be predicted"
        return NoCeiling(f"it is not known how well the {what}")

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        dataset = trained.dataset
        assert isinstance(dataset, CaseData)
        prediction, target = next(iter(predictions.values())), self.targets(dataset, trained.config)[0]
        if dataset.classes:
            from neurocli_sequences.evaluation.confusion import confusion

            return [confusion(dataset.classes, target, prediction, figures)]
        from neurocli_sequences.evaluation.scatter import scatter

        return [scatter(target, prediction, figures)]

    # -- diagnosis and interpretation ----------------------------------------------------------------------------

    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        from neurocli_sequences.diagnosis.cases import case_findings

        return case_findings(self, recordings, config)

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        from neurocli_sequences.interpretation.cases import case_exhibits

        return [*case_exhibits(self, trained, figures), *super().interpret(trained, figures)]

    def notes(self, data: Any, config: Any) -> Sequence[str]:
        sizes = [len(data.split.groups(part)) for part in ("train", "validation", "test")]
        lengths = data.lengths
        span = f"{lengths.min():,}" + (f" to {lengths.max():,}" if np.ptp(lengths) else "")
        notes = [f"cases: {sizes[0]:,} training, {sizes[1]:,} validation, {sizes[2]:,} test; sequences of {span} steps"]
        if data.split.protocol == PUBLISHED:
            notes.append(
                "the epoch is chosen on cases that are cut from the published training set; the test set is scored only"
            )
        copied = len(copied_cases(data.cases, data.split))
        if copied:
            notes.append(f"{copied:,} test cases are among the training cases, as published")
        return notes


@torch.no_grad()
def predicted(network: nn.Module, dataset: CaseData, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Class probabilities [case, class], or numbers [case, 1] in their own unit; cases of like length together."""
    device = device_of(network)
    width = len(dataset.classes) or 1
    values = np.empty((len(numbers), width))
    order = np.argsort(dataset.lengths[numbers], kind="stable")
    for first in range(0, len(order), CHUNK):
        rows = order[first : first + CHUNK]
        batch = dataset.batch(numbers[rows])
        y = network(batch["x"].to(device), batch["length"].to(device)).cpu().double()
        values[rows] = torch.softmax(y, 1).numpy() if dataset.classes else y.numpy()
    if dataset.classes:
        return values
    mean, sd = dataset.scale
    return values * sd + mean
