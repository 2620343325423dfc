"""The tasks of cases that are texts: listops, lra-text and lra-retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings import Recording, RecordingSet, Split
from neurocli.recordings.files.download import fetched
from neurocli.recordings.readers import Readers
from neurocli_sequences.case_task import CaseTask
from neurocli_sequences.config import DocumentConfig, ListOpsConfig, PairsConfig
from neurocli_sequences.data.downloads import IMDB
from neurocli_sequences.data.forms import PairForm, TokenForm, texts_of
from neurocli_sequences.data.readers.text import TextReader
from neurocli_sequences.data.tokens import Vocabulary, listops_vocabulary

_WORDS = (
    ("good", "fine", "great", "lovely"),
    ("bad", "poor", "awful", "dull"),
    ("the", "a", "film", "was", "and", "very"),
)
_CASES, _LENGTH = 80, 12


class ListOpsTask(CaseTask):
    """The digit that nested operations on digits come to (Nangia & Bowman 2018); generated where no data are named."""

    Options = ListOpsConfig

    def form(self, recordings: RecordingSet, split: Split, config: Any) -> TokenForm:
        return TokenForm(listops_vocabulary(), config.task.longest)

    def example(self, seed: int) -> RecordingSet:
        """Small expressions of one operator."""
        rng = np.random.default_rng(seed)
        made = []
        for n in range(_CASES):
            digits = rng.integers(0, 10, int(rng.integers(2, 6)))
            maximum = bool(rng.integers(2))
            label = int(digits.max() if maximum else digits.min())
            text = f"[{'MAX' if maximum else 'MIN'} {' '.join(map(str, digits))} ]"
            made.append(text_case(f"listops-{n:03d}", text, {"class": label}))
        return RecordingSet.of(made, meta={"kind": "listops", "classes": [str(n) for n in range(10)], "step": "step"})


class DocumentTask(CaseTask):
    """The class of a text: film reviews, as the Long Range Arena reads them in bytes."""

    Options = DocumentConfig

    kind: ClassVar[type[TokenForm]] = TokenForm

    def own_data(self, config: Any) -> Sequence[Path] | None:
        return fetched(IMDB)

    def readers(self) -> Readers | None:
        card = ReaderCard("text", "Texts, in files and folders", "neurocli_sequences.data.readers.text:TextReader")
        return [(card, TextReader())]

    def form(self, recordings: RecordingSet, split: Split, config: Any) -> TokenForm:
        if not split.train:
            raise DataError(
                "without training texts it is not known which tokens there are",
                where="data",
                hint="name the data of the run as well, or restore them",
            )
        options = config.task
        texts = texts_of(recordings, split.train)
        known = Vocabulary.of(texts, options.tokens, least_count=options.least_count, largest=options.largest)
        return self.kind(known, options.longest)

    def example(self, seed: int) -> RecordingSet:
        """Made-up reviews whose words tell what their authors think."""
        rng = np.random.default_rng(seed)
        made = []
        for n in range(_CASES):
            label = n % 2
            words = [str(rng.choice(_WORDS[1 - label] if rng.random() < 0.4 else _WORDS[2])) for _ in range(_LENGTH)]
            made.append(text_case(f"review-{n:03d}", " ".join(words), {"class": label}))
        return RecordingSet.of(made, meta={"kind": "text", "classes": ["negative", "positive"], "step": "step"})


class PairsTask(DocumentTask):
    """Whether one of two papers cites the other: both texts one after the other, read as one sequence."""

    Options = PairsConfig
    kind = PairForm

    def own_data(self, config: Any) -> Sequence[Path] | None:
        return None

    def readers(self) -> Readers | None:
        return None

    def example(self, seed: int) -> RecordingSet:
        """Pairs of made-up reviews that agree, or do not."""
        rng, reviews = np.random.default_rng(seed), list(super().example(seed).values())
        made = []
        for n in range(_CASES):
            first, second = (reviews[k] for k in rng.choice(_CASES, 2, replace=False))
            labels = {"class": int(first.labels["class"] == second.labels["class"]), "first": first.steps}
            signal = np.concatenate([first.signal, second.signal])
            made.append(Recording(f"pair-{n:03d}", signal, 1.0, "byte", labels=labels))
        return RecordingSet.of(made, meta={"kind": "pairs", "classes": ["apart", "together"], "step": "step"})


def text_case(group: str, text: str, labels: dict[str, Any]) -> Recording:
    """A recording of a text, kept as its bytes."""
    signal = np.frombuffer(text.encode(), np.uint8)[:, None]
    return Recording(group, signal, 1.0, "byte", labels=labels)
