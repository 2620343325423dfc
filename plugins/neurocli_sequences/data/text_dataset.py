"""Dataset adapter: texts as streams of tokens, split, dealt out as windows of one length with the token that follows each."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import ConfigError, DataError
from neurocli.recordings import Batch, Dataset, Normalisation, Recording, RecordingSet, Split
from neurocli_sequences.config import TextConfig
from neurocli_sequences.data.case_split import PUBLISHED
from neurocli_sequences.data.text_split import BY_FILE, Text, refuse_shared, split_texts
from neurocli_sequences.data.tokens import SPECIALS, Vocabulary
from neurocli_sequences.data.words import has_two, pieces

NOT_SCORED = -100
"""The target of a token that has no loss, as torch's cross-entropy leaves it out."""
VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Stretch:
    """Tokens that are read from a state of zero, of which some are scored.

    first: the first token that is read; scored: the first that is predicted and scored; stop: behind the last of them.
    """

    group: str
    first: int
    scored: int
    stop: int


class TextData(Dataset):
    """Texts as tokens. vocabulary: of the training texts; unit: what the texts are cut into."""

    normalisation = None
    audited = True  # whole texts, and most of one, are looked for by `text_split`

    def __init__(self, recordings: RecordingSet, config: TextConfig, split: Split | None = None) -> None:
        self.recordings, self.options = recordings, config.task
        self.batch_size = config.train.batch_size
        self.unit: str = self.options.tokens
        if self.options.context >= self.options.window:
            raise ConfigError(
                f"a window of {self.options.window} tokens has no room behind {self.options.context} of context",
                where="task.context",
                hint="take less context, or a longer window",
            )
        self.left_out: list[str] = []
        if split is None:
            texts = self._texts()
            split = split_texts(texts, config.data)
            if split.protocol == BY_FILE:
                refuse_shared(split, lambda group: bytes_of(recordings[group], recordings.where(group)))
        self.split = split
        texts_to_know = (piece for group in split.train for piece in pieces(self.text(group), self.unit))
        self._set_vocabulary(
            Vocabulary.of(texts_to_know, self.unit, least_count=self.options.least_count, largest=self.options.largest)
        )

    def _texts(self) -> list[Text]:
        """What the split must know; what has fewer than two tokens is left out."""
        texts = []
        for group in self.recordings:
            recording = self.recordings[group]
            content = bytes_of(recording, self.recordings.where(group))
            if not has_two(text_of(recording, self.recordings.where(group)), self.unit):
                self.left_out.append(group)
                continue
            labels, section = recording.labels, recording.labels.get("section")
            digest = hashlib.blake2b(content.data, digest_size=16).digest()
            part = labels.get("part")
            texts.append(Text(group, None if part is None else str(part), section, digest))
        return texts

    def _set_vocabulary(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.spec: dict[str, Any] = {
            "num_input": len(vocabulary),
            "num_output": len(vocabulary),
            "steps": self.options.window,
            "vocabulary": vocabulary.as_dict(),
        }
        self.tokens = functools.cache(self._tokens)

    def adopt(self, spec: dict[str, Any], normalisation: Normalisation | None) -> None:
        """Take over the vocabulary of a run whose training texts are gone."""
        self._set_vocabulary(Vocabulary.from_dict(spec["vocabulary"]))
        self.spec = {**self.spec, **spec}

    # -- what is known of the texts ------------------------------------------------------------------------------

    def text(self, group: str) -> str:
        """The text of a group. Raises DataError where it is none."""
        return text_of(self.recordings[group], self.recordings.where(group))

    def _tokens(self, group: str) -> NDArray[np.int32]:
        """Numbers of the tokens [token] of a group."""
        encoded = [self.vocabulary.encode(piece) for piece in pieces(self.text(group), self.unit)]
        return np.concatenate([np.zeros(0, np.int64), *encoded]).astype(np.int32)

    @property
    def choices(self) -> int:
        """Tokens that a next one can be: those of the training texts, and `<unk>`."""
        return len(self.vocabulary) - len(SPECIALS) + 1

    def unknown(self, part: str) -> float:
        """Share of the tokens of a part that no training text has."""
        counts = [(int((self.tokens(group) == 1).sum()), len(self.tokens(group))) for group in self.split.groups(part)]
        return sum(n for n, _ in counts) / max(sum(n for _, n in counts), 1)

    def scored(self, part: str) -> list[str]:
        """The groups of a part with a token that can be predicted from one before it."""
        return [group for group in self.split.groups(part) if len(self.tokens(group)) > 1]

    @property
    def sectioned(self) -> bool:
        """Whether the texts that are scored are sections of one."""
        return any(self.recordings[group].labels.get("section") is not None for group in self.split.test)

    def group_name(self) -> str:
        return "section" if self.sectioned else "text"

    def scope(self) -> str:
        """What intervals hold for."""
        if self.sectioned:
            return "sections that follow one another in a text: intervals treat them as independent, and are too narrow"
        return "texts like those of the test set" if self.split.protocol == PUBLISHED else ""

    def untrained_context(self) -> str:
        """What is to be said of the first tokens that are read from a state of zero; empty where training has a loss on them."""
        burn_in = min(self.options.burn_in, self.options.window // 2)
        return f"; training has no loss on the first {burn_in} of a window (task.burn_in)" if burn_in else ""

    # -- windows -------------------------------------------------------------------------------------------------

    def stretches(self, part: str) -> list[Stretch]:
        """Stretches of at most a window that score each token of a part once, all but the first of each text.

        Each is read with `task.context` tokens before its first scored one, or all that the text has.
        """
        window, lead = self.options.window, max(self.options.context, 1)
        made = []
        for group in self.scored(part):
            count = len(self.tokens(group))
            scored = 1
            while scored < count:
                first = max(0, scored - lead)
                stop = min(first + window + 1, count)
                made.append(Stretch(group, first, scored, stop))
                scored = stop
        return made

    def read(self, stretches: list[Stretch]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(tokens that are read, tokens that follow), both [stretch, step]; what is not scored, and what is filled up, is NOT_SCORED."""
        steps = max(s.stop - s.first for s in stretches) - 1
        x = np.zeros((len(stretches), steps), np.int64)
        y = np.full((len(stretches), steps), NOT_SCORED, np.int64)
        for row, s in enumerate(stretches):
            tokens = self.tokens(s.group)[s.first : s.stop]
            x[row, : len(tokens) - 1] = tokens[:-1]
            y[row, s.scored - 1 - s.first : len(tokens) - 1] = tokens[s.scored - s.first :]
        return x, y

    def steps(self, part: str) -> int:
        if part == "train":
            return -(-self._count() // self.batch_size)
        return -(-len(self.stretches(part)) // VALIDATION_BATCH)

    def _count(self) -> int:
        """Windows of an epoch: as many as hold all training tokens once."""
        total = sum(len(self.tokens(group)) - 1 for group in self.scored("train"))
        return -(-total // self.options.window)

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """x int64 [sample, step] tokens, y int64 [sample, step] the next ones, NOT_SCORED where there is no loss.

        Of `train`: windows at random starts; the first `task.burn_in` tokens of one that begins within a text have no loss. Of
        `validation`: all tokens, each once, with `share` [sample], which makes the mean of the batches that of the tokens.
        """
        if part != "train":
            stretches = self.stretches(part)
            scored = sum(s.stop - s.scored for s in stretches) / max(len(stretches), 1)
            for first in range(0, len(stretches), VALIDATION_BATCH):
                rows = stretches[first : first + VALIDATION_BATCH]
                yield {**_tensors(self.read(rows)), "share": torch.full((len(rows),), scored)}
            return
        rng = np.random.default_rng([seed, epoch])
        groups, window = self.scored("train"), self.options.window
        targets = np.array([len(self.tokens(group)) - 1 for group in groups])
        drawn = rng.choice(len(groups), self._count(), p=targets / targets.sum())
        starts = rng.integers(0, np.maximum(targets[drawn] - window, 0) + 1)
        burn_in = min(self.options.burn_in, window // 2)
        windows = [
            Stretch(groups[k], int(start), int(start) + 1 + (burn_in if start else 0), int(start) + window + 1)
            for k, start in zip(drawn, starts, strict=True)
        ]
        for first in range(0, len(windows), self.batch_size):
            yield _tensors(self.read(windows[first : first + self.batch_size]))


def _tensors(read: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Batch:
    return {"x": torch.from_numpy(read[0]), "y": torch.from_numpy(read[1])}


def bytes_of(recording: Recording, where: str) -> NDArray[np.uint8]:
    """The bytes [byte] of a recording. Raises DataError where it holds no bytes."""
    signal = recording.signal
    if signal.shape[1] != 1 or signal.dtype != np.uint8:
        raise DataError(
            f"the recording is no text: {signal.shape[1]} channels of {signal.dtype}",
            where=where,
            hint="name text files",
        )
    return np.ascontiguousarray(signal[:, 0])


def text_of(recording: Recording, where: str) -> str:
    """The text of a recording. Raises DataError where its bytes are not UTF-8."""
    try:
        return bytes_of(recording, where).tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"the text is not UTF-8 at byte {error.start}", where=where, hint="save it again as UTF-8"
        ) from None
