"""The tasks of images: digits, mnist, fashion-mnist, cifar10, cifar100, lra-image and pathfinder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from neurocli.recordings import Recording, RecordingSet, Split
from neurocli.recordings.files.download import Download, fetched
from neurocli_sequences.case_task import CaseTask
from neurocli_sequences.config import ImageConfig, PixelConfig, SmallImageConfig
from neurocli_sequences.data import downloads
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.forms import ImageForm


class ImageTask(CaseTask):
    """What is seen in an image that is read as a sequence."""

    Options = ImageConfig
    one_scale = True
    download: ClassVar[Download | None] = None

    def own_data(self, config: Any) -> Sequence[Path] | None:
        """The published files, which `neuro fetch` has brought. Raises DataError where it has not."""
        return None if self.download is None else fetched(self.download)

    def form(self, recordings: RecordingSet, split: Split, config: Any) -> ImageForm:
        return ImageForm(recordings, config.task)

    def example(self, seed: int) -> RecordingSet:
        """A few of scikit-learn's digits."""
        from neurocli_sequences.data.digits import digits

        every = digits()
        chosen = np.random.default_rng(seed).choice(len(every), 120, replace=False)
        return every.subset([every.groups[n] for n in sorted(chosen)])


class Digits(ImageTask):
    """scikit-learn's digits, which are on every machine."""

    Options = SmallImageConfig

    def own_data(self, config: Any) -> Sequence[Path]:
        from neurocli_sequences.data.digits import kept

        return [kept()]


class Mnist(ImageTask):
    download = downloads.MNIST


class FashionMnist(ImageTask):
    download = downloads.FASHION_MNIST


class Cifar10(ImageTask):
    download = downloads.CIFAR10


class Cifar100(ImageTask):
    download = downloads.CIFAR100


class GreyCifar10(Cifar10):
    """CIFAR-10 in grey, a pixel a step: the Long Range Arena's image task."""

    Options = PixelConfig

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> CaseData:
        return super().adapt(grey(recordings), config, split)


class Pathfinder(ImageTask):
    """Whether two circles are connected by a dashed path; generated where no data are named."""

    Options = PixelConfig

    def own_data(self, config: Any) -> None:
        return None


GREY = np.array([0.299, 0.587, 0.114])
"""Luma of red, green and blue (ITU-R 601), as Pillow has it, by which the Long Range Arena makes images grey."""


def grey(recordings: RecordingSet) -> RecordingSet:
    """Images in one colour. Those that are grey already stay as they are."""
    layout = recordings.meta.get("layout") or {}
    if layout.get("colours") != 3:
        return recordings

    def load(group: str) -> Recording:
        image = recordings[group]
        pixels = image.signal.reshape(len(image.signal), -1, 3) @ GREY
        return Recording(group, np.rint(pixels).astype(np.uint8), image.dt_ms, image.unit, labels=image.labels)

    loaders = {group: (lambda group=group: load(group)) for group in recordings}
    made = recordings.with_loaders(loaders)
    made.meta["layout"] = {**layout, "colours": 1}
    return made
