"""What becomes of one recording: a sequence of numbers [step, input], or of tokens [step]."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Recording, RecordingSet
from neurocli_sequences.config import ImageSection, SeriesSection
from neurocli_sequences.data.images import ImageLayout, ImageSequence, Patches, Pixels, Rows
from neurocli_sequences.data.tokens import END, Vocabulary
from neurocli_sequences.data.windows import chunks

PIXEL_ORDERS = {"pixels": "row-major", "columns": "column-major"}


class Form(ABC):
    """The way from recordings to sequences. tokens: whether these are of whole numbers that name tokens; inputs: at every step."""

    tokens = False
    inputs: int

    @abstractmethod
    def sequence(self, recording: Recording) -> NDArray[Any]:
        """[step, input], or [step] of tokens. Raises DataError for a recording of another form."""

    def about(self) -> dict[str, Any]:
        """What a run keeps of it, beside its options."""
        return {}


class ImageForm(Form):
    """Images of one size, in the order that the options name."""

    def __init__(self, recordings: RecordingSet, options: ImageSection) -> None:
        self.layout = layout_of(recordings)
        self.image: ImageSequence
        if options.order == "rows":
            self.image = Rows(self.layout)
        elif options.order == "patches":
            self.image = Patches(self.layout, options.patch)
        else:
            name = PIXEL_ORDERS.get(options.order, options.order)
            self.image = Pixels(self.layout, name, options.order_seed)
        self.inputs = self.image.channels

    def sequence(self, recording: Recording) -> NDArray[Any]:
        height, width, colours = self.layout.shape
        if recording.signal.shape != (height, width * colours):
            raise DataError(
                f"an image of {recording.signal.shape[0]} x {recording.signal.shape[1] // colours} pixels among others of {height} x {width}",
                where=f"recording {recording.group}",
                hint="all images of a set have one size",
            )
        return self.image.to_sequence(recording.signal.reshape(1, height, width, colours))[0]

    def about(self) -> dict[str, Any]:
        return {"layout": dict(zip(("height", "width", "colours"), self.layout.shape, strict=True))}


def layout_of(recordings: RecordingSet) -> ImageLayout:
    """The size of the images of a set, as its meta tells. Raises DataError where they are no images."""
    layout = recordings.meta.get("layout")
    try:
        return ImageLayout(*(int(layout[name]) for name in ("height", "width", "colours")))  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        raise DataError(
            "these recordings are no images",
            where=", ".join(recordings.sources) or "data",
            hint="name images as published (IDX, CIFAR, Pathfinder), or choose another task",
        ) from None


class SeriesForm(Form):
    """Time series, of any length, several steps at a time where the options say so; what is missing is NaN."""

    def __init__(self, recordings: RecordingSet, options: SeriesSection) -> None:
        self.channels = recordings[recordings.groups[0]].num_channels
        self.chunk = options.chunk
        self.inputs = self.channels * self.chunk

    def sequence(self, recording: Recording) -> NDArray[Any]:
        if recording.num_channels != self.channels:
            raise DataError(
                f"{recording.num_channels} channels among series of {self.channels}",
                where=f"recording {recording.group}",
                hint="all series of a set have the same channels",
            )
        values = np.asarray(recording.signal, np.float32)
        if recording.mask is not None:
            values = np.where(recording.mask, values, np.float32(np.nan))
        return values if self.chunk == 1 else chunks(values[None], self.chunk)[0][0]


class TokenForm(Form):
    """Texts, kept as bytes, cut into tokens of a vocabulary. longest: tokens after which a text is cut."""

    tokens = True

    def __init__(self, vocabulary: Vocabulary, longest: int | None = None) -> None:
        self.vocabulary, self.longest = vocabulary, longest
        self.inputs = len(vocabulary)

    def sequence(self, recording: Recording) -> NDArray[np.int64]:
        numbers = self.vocabulary.encode(text_of(recording))[: self.longest]
        if not len(numbers):
            raise DataError(
                "a text without a token",
                where=f"recording {recording.group}",
                hint="leave it out, or cut texts otherwise",
            )
        return numbers

    def about(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.as_dict()}


class PairForm(TokenForm):
    """Two texts one after the other, each cut by itself, with the token for an end between them."""

    def sequence(self, recording: Recording) -> NDArray[np.int64]:
        first = recording.labels.get("first")
        content = bytes(recording.signal[:, 0])
        if not isinstance(first, int) or not 0 < first < len(content):
            raise DataError(
                "it is not told where the second text begins",
                where=f"recording {recording.group}",
                hint="name pairs of texts",
            )
        texts = [part.decode("utf-8", "replace") for part in (content[:first], content[first:])]
        numbers = [self.vocabulary.encode(text)[: self.longest] for text in texts]
        return np.concatenate([numbers[0], [self.vocabulary.special(END)], numbers[1]])


def text_of(recording: Recording) -> str:
    """The text that a recording holds as bytes. Raises DataError where it is no text."""
    signal = recording.signal
    if signal.dtype != np.uint8 or signal.shape[1] != 1:
        raise DataError(
            "this recording is no text", where=f"recording {recording.group}", hint="name texts, or choose another task"
        )
    return bytes(signal[:, 0]).decode("utf-8", "replace")


def texts_of(recordings: RecordingSet, groups: Iterable[str]) -> Iterable[str]:
    """The texts of some recordings, one after the other."""
    return (text_of(recordings[group]) for group in groups)
