"""What a family's dataset adapter gives: recordings that are split and normalised, dealt out as batches."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from neurocli.recordings.normalisation import Normalisation
from neurocli.recordings.recordingset import RecordingSet
from neurocli.recordings.split import Split

if TYPE_CHECKING:
    import torch

Batch = dict[str, "torch.Tensor"]


class Dataset(ABC):
    """Split and normalised data of one model.

    spec: what `ModelFamily.build` must know of the data (channels, step, ...), JSON-able and kept in the run, so that a
    trained model can be built without its data.
    """

    audited: bool = False
    """Whether the dataset has looked for copies across its split itself, as one does that knows what a copy is in its data."""

    recordings: RecordingSet
    split: Split
    normalisation: Normalisation | None
    spec: dict[str, Any]

    @abstractmethod
    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch of `train` or `validation`: a pure function of (part, seed, epoch)."""

    @abstractmethod
    def steps(self, part: str) -> int:
        """How many batches an epoch has."""

    def adopt(self, spec: dict[str, Any], normalisation: Normalisation | None) -> None:  # noqa: B027
        """Take over what a run knows of its training groups, where these are gone and new data alone are asked about."""

    def group_name(self) -> str:
        """What one group is, for tables: run, worm, trial."""
        return "group"

    def scope(self) -> str:
        """What intervals over these groups hold for, where that is less than one would think: `runs of one network`."""
        return ""

    def test_fingerprint(self) -> str:
        """sha256 over the test groups' content: runs with the same fingerprint were scored on the same data."""
        digest = hashlib.sha256()
        for group in self.split.test:
            digest.update(self.recordings[group].fingerprint().encode())
        return digest.hexdigest()

    def training_content(self) -> str:
        """sha256 over all that may be fitted on: groups to train on and to choose by, with inputs, events and labels."""
        if self._training_content is None:
            digest = hashlib.sha256(json.dumps(self.spec, sort_keys=True, default=str).encode())
            for part in ("train", "validation"):
                for group in self.split.groups(part):
                    digest.update(f"{part} {group} {self.recordings[group].content()}".encode())
            self._training_content = digest.hexdigest()
        return self._training_content

    _training_content: str | None = None
