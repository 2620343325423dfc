"""Images as sequences, and back: pixel by pixel in some order, row by row, or patch by patch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError, DataError
from neurocli_sequences.data.orders import Order, inverse, order_of


@dataclass(frozen=True)
class ImageLayout:
    """The shape of every image of a set: pixels down, pixels across, colours."""

    height: int
    width: int
    colours: int = 1

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.colours) < 1:
            raise ConfigError(
                f"an image of {self.height} x {self.width} pixels and {self.colours} colours holds nothing",
                where="layout",
                hint="height, width and colours are at least 1",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.colours

    def check(self, images: NDArray[Any]) -> None:
        """Raise DataError unless these are images [case, height, width, colour] of this layout."""
        if images.ndim != 4 or images.shape[1:] != self.shape:
            raise DataError(
                f"images of shape {images.shape[1:]}, expected {self.shape}",
                where="images",
                hint="all images of a set have one height, width and number of colours",
            )


class ImageSequence(Protocol):
    """A way to read images [case, height, width, colour] as sequences [case, steps, channels], without loss."""

    @property
    def layout(self) -> ImageLayout: ...

    @property
    def steps(self) -> int: ...

    @property
    def channels(self) -> int: ...

    def to_sequence(self, images: NDArray[Any]) -> NDArray[Any]: ...

    def to_image(self, sequence: NDArray[Any]) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Pixels:
    """One pixel a step: [case, height * width, colours], in the order `order` (see `neurocli_sequences.data.orders`)."""

    layout: ImageLayout
    order: str = "row-major"
    seed: int = 0

    @property
    def steps(self) -> int:
        return self.layout.height * self.layout.width

    @property
    def channels(self) -> int:
        return self.layout.colours

    @cached_property
    def visited(self) -> Order:
        """The pixel of each step."""
        return order_of(self.order, self.layout.height, self.layout.width, seed=self.seed)

    @cached_property
    def step_of(self) -> Order:
        """The step of each pixel."""
        return inverse(self.visited)

    def to_sequence(self, images: NDArray[Any]) -> NDArray[Any]:
        self.layout.check(images)
        return images.reshape(len(images), self.steps, self.channels)[:, self.visited]

    def to_image(self, sequence: NDArray[Any]) -> NDArray[Any]:
        check_sequence(sequence, self)
        return sequence[:, self.step_of].reshape(len(sequence), *self.layout.shape)


@dataclass(frozen=True)
class Rows:
    """One row a step: [case, height, width * colours]."""

    layout: ImageLayout

    @property
    def steps(self) -> int:
        return self.layout.height

    @property
    def channels(self) -> int:
        return self.layout.width * self.layout.colours

    def to_sequence(self, images: NDArray[Any]) -> NDArray[Any]:
        self.layout.check(images)
        return images.reshape(len(images), self.steps, self.channels)

    def to_image(self, sequence: NDArray[Any]) -> NDArray[Any]:
        check_sequence(sequence, self)
        return sequence.reshape(len(sequence), *self.layout.shape)


@dataclass(frozen=True)
class Patches:
    """One square patch of `size` pixels a step, row after row of patches: [case, patches, size * size * colours].

    Raises ConfigError where the size does not divide both sides of the image.
    """

    layout: ImageLayout
    size: int

    def __post_init__(self) -> None:
        height, width = self.layout.height, self.layout.width
        if self.size < 1 or height % self.size or width % self.size:
            fitting = [p for p in range(1, min(height, width) + 1) if not height % p and not width % p]
            raise ConfigError(
                f"patches of {self.size} pixels do not divide an image of {height} x {width}",
                where="patch size",
                hint=f"take one of {', '.join(map(str, fitting))}",
            )

    @property
    def steps(self) -> int:
        return self.layout.height * self.layout.width // self.size**2

    @property
    def channels(self) -> int:
        return self.size**2 * self.layout.colours

    def to_sequence(self, images: NDArray[Any]) -> NDArray[Any]:
        self.layout.check(images)
        height, width, colours = self.layout.shape
        blocks = images.reshape(len(images), height // self.size, self.size, width // self.size, self.size, colours)
        return blocks.swapaxes(2, 3).reshape(len(images), self.steps, self.channels)

    def to_image(self, sequence: NDArray[Any]) -> NDArray[Any]:
        check_sequence(sequence, self)
        height, width, colours = self.layout.shape
        blocks = sequence.reshape(len(sequence), height // self.size, width // self.size, self.size, self.size, colours)
        return blocks.swapaxes(2, 3).reshape(len(sequence), height, width, colours)


def check_sequence(sequence: NDArray[Any], form: ImageSequence) -> None:
    """Raise DataError unless these are sequences [case, steps, channels] of this form."""
    if sequence.ndim != 3 or sequence.shape[1:] != (form.steps, form.channels):
        raise DataError(
            f"sequences of shape {sequence.shape[1:]}, expected {(form.steps, form.channels)}",
            where="sequence",
            hint="name the order, rows or patches that the sequence was made by",
        )


def spread(values: NDArray[Any], form: ImageSequence) -> NDArray[Any]:
    """One value a step [case, steps], such as a saliency, at every pixel of its step: [case, height, width]."""
    repeated = np.repeat(np.asarray(values)[:, :, None], form.channels, axis=2)
    return form.to_image(repeated)[..., 0]
