"""The models of the family, as a table of contents: what a method does depends on the task that the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.errors import DataError
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Bound, Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import Imported, LossTerms, ModelFamily, NoCeiling, TrainedModel
from neurocli.recordings import Batch, Dataset, RecordingSet, Split
from neurocli.recordings.files.download import fetched
from neurocli_elm.config import ElmConfig, ElmV2Config
from neurocli_elm.data.download import DIGITS
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.model.build import build_neuron, config_of
from neurocli_elm.model.checkpoint import read_checkpoint
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.neuronio_task import NeuronioTask
from neurocli_elm.shd_task import ShdTask
from neurocli_elm.task import Task

NEURONIO, SHD = NeuronioTask(), ShdTask()

_HOW = {
    NEURONIO.kind: "name simulations of a cell with --data, or leave it out to simulate them",
    SHD.kind: "`neuro fetch shd` downloads them; then name both files with --data FILE --data FILE",
}
_WHAT = {NEURONIO.kind: "simulations of a cell", SHD.kind: "the Spiking Heidelberg Digits"}


def task_of_recordings(recordings: RecordingSet, wanted: str = "any") -> Task:
    """The task of these recordings. Raises DataError where the options are for another kind of data."""
    task: Task = SHD if recordings.meta.get("kind") == SHD.kind else NEURONIO
    if wanted not in ("any", task.kind):
        raise DataError(
            f"these options are for {_WHAT[wanted]}, but the data are {_WHAT[task.kind]}",
            where="data.kind",
            hint=_HOW[wanted],
        )
    return task


def task_of_dataset(dataset: Any) -> Task:
    return SHD if isinstance(dataset, ShdData) else NEURONIO


def task_of_batch(batch: Batch) -> Task:
    return SHD if "label" in batch else NEURONIO


class _Elm(ModelFamily):
    """An ELM neuron that predicts from input spikes a soma voltage and output spikes, or a spoken digit."""

    Config = ElmConfig
    version: ClassVar[int]
    validation_is_loss = False

    def own_data(self, config: ElmConfig) -> Sequence[Path] | None:
        """Spoken digits are downloaded once and kept; cells are simulated."""
        if config.data.kind != "shd":
            return None
        return fetched(DIGITS)

    def adapt(self, recordings: RecordingSet, config: ElmConfig, split: Split | None = None) -> Dataset:
        return task_of_recordings(recordings, config.data.kind).adapt(recordings, config, split)

    def build(self, config: ElmConfig, spec: dict[str, Any]) -> nn.Module:
        return build_neuron(config, spec, self.version)

    def import_weights(self, path: Path, options: Mapping[str, Any] | None = None) -> Imported:
        """A published checkpoint, with the model_config.json beside it; `options` stand over what that says."""
        checkpoint = read_checkpoint(path, version=self.version, overrides=options)
        return Imported(checkpoint.neuron(), config_of(checkpoint.options), [])

    def loss(self, network: nn.Module, batch: Batch, config: ElmConfig) -> LossTerms:
        assert isinstance(network, ElmNeuron)
        return LossTerms(task_of_batch(batch).loss(network, batch, config))

    def validation_loss(self, network: nn.Module, batch: Batch, config: ElmConfig) -> torch.Tensor:
        assert isinstance(network, ElmNeuron)
        return task_of_batch(batch).validation(network, batch)

    def targets(self, data: Any, config: ElmConfig, part: str = "test") -> list[Target]:
        return task_of_dataset(data).targets(data, config, part)

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        return task_of_dataset(trained.dataset).predict(trained, target)

    def metrics(self, data: Any, config: ElmConfig) -> list[Metric]:
        return task_of_dataset(data).metrics()

    def baselines(self, data: Any, config: ElmConfig) -> list[Predictor]:
        return task_of_dataset(data).baselines(data, config, self.version)

    def ceiling(self, data: Any, config: ElmConfig) -> Predictor | Bound | NoCeiling:
        return task_of_dataset(data).ceiling()

    def diagnose_data(self, recordings: RecordingSet, config: ElmConfig) -> list[Finding]:
        return task_of_recordings(recordings, config.data.kind).diagnose_data(recordings, config, self.untrained)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        return task_of_dataset(trained.dataset).diagnose_model(trained)

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        return task_of_dataset(trained.dataset).evaluate_more(trained, predictions, figures)

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        return task_of_dataset(trained.dataset).interpret(trained, figures)

    def notes(self, data: Any, config: ElmConfig) -> Sequence[str]:
        return task_of_dataset(data).notes(data, config)

    def example(self, seed: int) -> RecordingSet:
        from neurocli_elm.simulation.example import small_cells

        return small_cells(seed)


class ElmV1(_Elm):
    """Traces per synapse; memory gain lambda (1 - k). All published checkpoints are of this version."""

    version = 1


class ElmV2(_Elm):
    """Branch ELM: traces per branch; memory gain 1 - k^lambda."""

    version = 2
    Config = ElmV2Config
