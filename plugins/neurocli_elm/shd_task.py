"""The tasks shd and shd-adding: which digit was spoken, or the sum of two, from the spikes of a cochlea."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.errors import DataError
from neurocli.evaluation.class_metrics import Accuracy, LogLoss
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, NoCeiling, TrainedModel
from neurocli.recordings import Batch, Dataset, RecordingSet, Split
from neurocli.recordings.files.download import fetched
from neurocli_elm.config import AddingConfig, ShdConfig
from neurocli_elm.data.download import DIGITS
from neurocli_elm.data.readers.shd import META
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.data.shd_split import BY_FILE
from neurocli_elm.diagnosis.shd import utterance_findings
from neurocli_elm.evaluation.shd import targets as shd_scores
from neurocli_elm.evaluation.shd.baselines import baselines
from neurocli_elm.evaluation.shd.choice import TEST_ACCURACY, choice_notes, chosen_on_test
from neurocli_elm.evaluation.shd.exhibits import confusion, evidence
from neurocli_elm.evaluation.shd.predictions import class_loss, probabilities
from neurocli_elm.event_task import EventTask


class ShdTask(EventTask):
    """The class is read at the last step of a sample."""

    Options = ShdConfig
    validation_is_loss = False

    def own_data(self, config: Any) -> Sequence[Path]:
        """Downloaded once, and kept."""
        return fetched(DIGITS)

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> ShdData:
        _refuse_others(recordings)
        return ShdData(recordings, config, split)

    def loss(self, network: nn.Module, batch: Batch, config: Any) -> LossTerms:
        return LossTerms({"class": class_loss(network, batch)})

    def validation_loss(self, network: nn.Module, batch: Batch, config: Any) -> torch.Tensor:
        return class_loss(network, batch)

    def watch(self, network: nn.Module, data: Any, config: Any, folder: Path) -> None:
        from neurocli.report.watched import keep
        from neurocli_elm.evaluation.shd.watching import watched_utterances

        inner = self.inside(network)
        keep(watched_utterances(inner, data, self.model), config.train.watch, folder)

    def epoch_record(self, network: nn.Module, dataset: Dataset, config: Any) -> dict[str, float]:
        """Accuracy on the published test file."""
        assert isinstance(dataset, ShdData)
        if not config.data.test_each_epoch or dataset.split.protocol not in BY_FILE:
            return {}
        rows = np.concatenate(list(dataset.scored_rows("test").values()))
        right = probabilities(network, dataset, rows).argmax(1) == dataset.classes(rows)
        return {TEST_ACCURACY: float(right.mean())}

    def targets(self, data: Any, config: Any, part: str = "test") -> list[Target]:
        return shd_scores.targets(data, part)

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        dataset = trained.dataset
        assert isinstance(dataset, ShdData)
        return shd_scores.from_rows(dataset, target, lambda rows: probabilities(trained.network, dataset, rows))

    def metrics(self, data: Dataset, config: Any) -> list[Metric]:
        return [Accuracy(), LogLoss()]

    def baselines(self, data: Any, config: Any) -> list[Predictor]:
        return baselines(data)

    def ceiling(self, data: Dataset, config: Any) -> NoCeiling:
        return NoCeiling("it is not known how well the digits can be told apart from these spikes")

    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        _refuse_others(recordings)
        return utterance_findings(recordings, config)

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        claimed = chosen_on_test(trained, figures)
        return [*([] if claimed is None else [claimed]), confusion(trained, predictions, figures)]

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        return [evidence(trained, figures), *super().interpret(trained, figures)]

    def notes(self, data: Any, config: Any) -> Sequence[str]:
        sizes = [len(data.split.groups(part)) for part in ("train", "validation", "test")]
        notes = [
            f"utterances: {sizes[0]} training, {sizes[1]} validation, {sizes[2]} test, in bins of "
            f"{config.data.bin_ms} ms; spikes after 1 s are left out, as published"
        ]
        if data.adding:
            notes.append(
                "pairs of digits are drawn at random with replacement; both digits of a test pair are of one speaker"
            )
        notes += choice_notes(data)
        if not data.speakers_known:
            notes.append(
                "speakers are unknown: intervals treat utterances as independent, and are too narrow where they are not"
            )
        return notes

    def example(self, seed: int) -> RecordingSet:
        from neurocli_elm.data.shd_example import small_utterances

        return small_utterances(seed)


class ShdAddingTask(ShdTask):
    """Two digits one after the other, whose sum is read at the last step."""

    Options = AddingConfig


def _refuse_others(recordings: RecordingSet) -> None:
    """Raise DataError where the recordings are no spoken digits."""
    if recordings.meta.get("kind") != META["kind"]:
        raise DataError(
            "these are not the Spiking Heidelberg Digits",
            where=", ".join(recordings.sources) or "data",
            hint="name both files with --data FILE --data FILE, or leave --task out",
        )
