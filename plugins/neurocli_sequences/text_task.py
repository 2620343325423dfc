"""The tasks of texts: the next token is predicted, at every step. text, wikitext-2 and wikitext-103."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from neurocli.diagnosis import Finding
from neurocli.errors import DataError
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.cards import ReaderCard
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, NoCeiling, TrainedModel
from neurocli.plugin.task import Task
from neurocli.recordings import Batch, Recording, RecordingSet, Split
from neurocli.recordings.files.download import Download, fetched
from neurocli.recordings.readers import Readers
from neurocli.training.readout import SequenceNetwork
from neurocli_sequences.config import TextConfig, WikiTextConfig
from neurocli_sequences.data import downloads
from neurocli_sequences.data.readers.sections import SectionedTextReader
from neurocli_sequences.data.text_dataset import NOT_SCORED, TextData
from neurocli_sequences.data.text_split import IN_BLOCKS
from neurocli_sequences.data.words import places
from neurocli_sequences.evaluation.text_baselines import baselines
from neurocli_sequences.evaluation.text_scores import BitsPerCharacter, Perplexity, TokenAccuracy, predicted

_READER = ReaderCard(
    "text",
    "Texts in UTF-8: files, folders, WikiText as published",
    "neurocli_sequences.data.readers.sections:SectionedTextReader",
)


class TextTask(Task):
    """The next token of any text."""

    Options = TextConfig
    download: ClassVar[Download | None] = None

    def own_data(self, config: Any) -> Sequence[Path] | None:
        """The published files, which `neuro fetch` has brought. Raises DataError where it has not, and where there are none."""
        if self.download is None:
            raise DataError(
                f"the task {self.task.name} has no text of its own",
                where="--data",
                hint="name a text in UTF-8, or a folder of texts, with --data PATH; `neuro fetch wikitext-2` brings one",
            )
        return fetched(self.download)

    def readers(self) -> Readers:
        return [(_READER, SectionedTextReader())]

    # -- training ------------------------------------------------------------------------------------------------

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> TextData:
        return TextData(recordings, config, split)

    def num_inputs(self, config: Any, spec: dict[str, Any]) -> int:
        return int(config.task.embedding)

    def around(self, network: nn.Module, config: Any, spec: dict[str, Any]) -> nn.Module:
        return SequenceNetwork(network, "every", (int(spec["num_input"]), int(config.task.embedding)))

    def inside(self, network: nn.Module) -> nn.Module:
        assert isinstance(network, SequenceNetwork)
        return network.network

    def loss(self, network: nn.Module, batch: Batch, config: Any) -> LossTerms:
        return LossTerms({"next": _nats(network, batch, "mean")})

    def validation_loss(self, network: nn.Module, batch: Batch, config: Any) -> torch.Tensor:
        """Nats per token, such that the mean over batches is that over all tokens."""
        if "share" not in batch:
            return self.loss(network, batch, config).total
        return _nats(network, batch, "sum") / batch["share"].sum()

    # -- evaluation ----------------------------------------------------------------------------------------------

    def targets(self, data: Any, config: Any, part: str = "test") -> list[Target]:
        """One target: each token of a text but the first, by its number, with its characters [token, 2] (`text_scores`)."""
        values, origins = {}, {}
        for group in data.scored(part):
            first_byte, characters = places(data.text(group), data.unit)
            values[group] = np.stack([data.tokens(group), characters], 1)[1:].astype(np.float64)
            origins[group] = first_byte[1:] - 1
        if not values:
            raise DataError(
                f"no {part} text has a second token, which is the first that can be predicted",
                where="data",
                hint="name longer texts",
            )
        return [Target("next token", 1, None, "", values, origins)]

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        dataset = trained.dataset
        assert isinstance(dataset, TextData)
        part = next(p for p in ("test", "validation", "train") if set(target.groups) <= set(dataset.split.groups(p)))
        return Prediction(predicted(trained.network, dataset, part))

    def metrics(self, data: Any, config: Any) -> list[Metric]:
        perplexity = [Perplexity()] if data.unit == "word" else []
        return [BitsPerCharacter(), TokenAccuracy(), *perplexity]

    def baselines(self, data: Any, config: Any) -> list[Predictor]:
        return baselines(data)

    def ceiling(self, data: Any, config: Any) -> NoCeiling:
        return NoCeiling("nobody knows how many bits a character of these texts holds")

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_sequences.evaluation.text_exhibits import by_place, written

        dataset = trained.dataset
        assert isinstance(dataset, TextData)
        return [by_place(trained.network, dataset, figures), written(trained.network, dataset, trained.seed)]

    # -- diagnosis and interpretation ----------------------------------------------------------------------------

    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        from neurocli_sequences.diagnosis.texts import text_findings

        return text_findings(recordings, config)

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        from neurocli_sequences.interpretation.texts import text_exhibits

        return [*text_exhibits(trained, trained.network, figures), *super().interpret(trained, figures)]

    def notes(self, data: Any, config: Any) -> Sequence[str]:
        options = data.options
        sizes = [sum(len(data.tokens(g)) for g in data.split.groups(part)) for part in ("train", "validation", "test")]
        notes = [
            f"{options.tokens}s: {sizes[0]:,} training, {sizes[1]:,} validation, {sizes[2]:,} test; {data.choices - 1:,} different ones",
            f"each token but the first of a {data.group_name()} is scored once, with at least {max(options.context, 1)} before it"
            f" (or all that there are) read from a state of zero, and at most {options.window}; n-grams see {data.group_name()}s from their beginning",
        ]
        unknown = data.unknown("test") if data.split.test else 0.0
        if unknown:
            count = round(unknown * sizes[2])
            notes.append(
                f"{count:,} test tokens ({unknown:.2g} of them) are not in the vocabulary:"
                " each costs what <unk> does, whatever it stands for"
            )
        if data.unit == "word":
            notes.append(
                "words are in lower case, and what stands between them is not predicted: do not compare with models of characters"
            )
        if data.split.protocol == IN_BLOCKS:
            notes.append("the text is cut into sections; those of validation and test are two blocks beside each other")
        if data.left_out:
            notes.append(f"{len(data.left_out):,} texts of fewer than two tokens are left out")
        return notes

    def example(self, seed: int) -> RecordingSet:
        """Eight texts of words that are drawn from a small lexicon, some after others."""
        rng = np.random.default_rng([seed, 7])
        lexicon = ["".join(rng.choice(list("aeioulnrst"), rng.integers(2, 6))) for _ in range(24)]
        follows = rng.permutation(len(lexicon))
        texts = []
        for number in range(8):
            word, words = int(rng.integers(len(lexicon))), []
            for _ in range(120):
                words.append(lexicon[word])
                word = int(follows[word]) if rng.random() < 0.7 else int(rng.integers(len(lexicon)))
            content = np.frombuffer((" ".join(words) + "\n").encode(), np.uint8)[:, None]
            texts.append(Recording(f"text-{number}", content, 1.0, "byte"))
        return RecordingSet.of(texts, meta={"kind": "text", "name": "text", "step": "step"})


class WikiText2(TextTask):
    """WikiText-2, in words."""

    Options = WikiTextConfig
    download = downloads.WIKITEXT_2


class WikiText103(WikiText2):
    """WikiText-103, in words."""

    download = downloads.WIKITEXT_103


def _nats(network: nn.Module, batch: Batch, reduction: str) -> torch.Tensor:
    y = network(batch["x"])
    return functional.cross_entropy(y.flatten(0, 1), batch["y"].flatten(), ignore_index=NOT_SCORED, reduction=reduction)
