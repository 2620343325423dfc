"""A family small enough to train in a second; run as a script it forks trainings on demand (see conftest.py)."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocli.config.sections import FamilyConfig, Section
from neurocli.errors import Interrupted, NeuroError
from neurocli.evaluation import target as _target  # noqa: F401  (the contract's module must import)
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling
from neurocli.recordings import Dataset, Recording, RecordingSet, Split, split_by_group


class ToyModel(Section):
    dropout: float = 0.2
    delay_s: float = 0.0
    poison_step: int | None = None


class ToyConfig(FamilyConfig):
    model: ToyModel = ToyModel()


class ToyNetwork(torch.nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.stack = torch.nn.Sequential(
            torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(dropout), torch.nn.Linear(8, 1)
        )
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stack(x)


class ToyData(Dataset):
    def __init__(self, recordings: RecordingSet, split: Split, batch_size: int) -> None:
        self.recordings, self.split, self.normalisation = recordings, split, None
        self.spec = {"channels": 3}
        self.batch_size = batch_size
        self.rows = {
            part: torch.tensor(np.concatenate([recordings[g].signal for g in split.groups(part)] or [np.zeros((0, 4))]))
            for part in ("train", "validation", "test")
        }

    def steps(self, part):
        return len(self.rows[part]) // self.batch_size

    def batches(self, part, *, seed, epoch):
        rows = self.rows[part].float()
        if part == "train":
            rows = rows[np.random.default_rng((seed, epoch)).permutation(len(rows))]
        for i in range(self.steps(part)):
            piece = rows[i * self.batch_size : (i + 1) * self.batch_size]
            yield {"x": piece[:, :3], "y": piece[:, 3:]}


class ToyFamily(ModelFamily):
    Config = ToyConfig

    def adapt(self, recordings, config, split=None):
        return ToyData(recordings, split or split_by_group(recordings.groups), config.train.batch_size)

    def build(self, config, spec):
        return ToyNetwork(config.model.dropout)

    def loss(self, module, batch, config):
        time.sleep(config.model.delay_s)
        error = (module(batch["x"]) - batch["y"]).square().mean()
        module.calls += 1
        if config.model.poison_step == module.calls:
            error = error * float("nan")
        return LossTerms({"error": error, "size": 1e-3 * sum(p.square().sum() for p in module.parameters())})

    def validation_loss(self, module, batch, config):
        return (module(batch["x"]) - batch["y"]).square().mean()

    def example(self, seed):
        rng = np.random.default_rng(seed)
        mix = rng.normal(size=3)
        made = []
        for group in range(8):
            x = rng.normal(size=(64, 3))
            made.append(Recording(f"g{group}", np.column_stack([x, x @ mix + 0.1 * rng.normal(size=64)]), 1.0, "a.u."))
        return RecordingSet.of(made)

    def ceiling(self, data, config):
        return NoCeiling("a toy")

    def targets(self, data, config, part="test"):
        return []

    def predict(self, trained, target):
        raise NotImplementedError

    def metrics(self, data, config):
        return []

    def baselines(self, data, config):
        return []

    def diagnose_data(self, recordings, config):
        return []

    def interpret(self, trained, figures):
        return []


def toy_family() -> ToyFamily:
    return ToyFamily(ModelCard("toy-v1", "a toy", "toy_family:ToyFamily", family="toy"))


def train_in(path: str, progress: Any = None, resume: bool = True, **kwargs: Any) -> dict[str, Any]:
    """Train the run at `path` as its config.toml says."""
    from neurocli.runs.folder import RunFolder
    from neurocli.training.fit import fit
    from neurocli.training.load import config_of

    family, run = toy_family(), RunFolder(Path(path))
    config = config_of(family, run)
    data = family.adapt(family.example(0), config)
    return fit(family, config, data, run, resume=resume, progress=progress, **kwargs)


def _serve() -> None:
    """Read one request a line; a child per training, forked from this process, which itself never trains."""
    import neurocli.training.fit  # noqa: F401  (seconds: once, not in every child)

    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            print(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1]), flush=True)
            continue
        child = os.fork()
        if child == 0:
            code = 70
            try:
                train_in(request["run"])
                code = 0
            except (NeuroError, Interrupted) as error:
                code = error.exit_code
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    _serve()
