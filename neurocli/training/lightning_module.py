"""`FamilyModule`: the Lightning module around any family's loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule

from neurocli.config.sections import TrainConfig
from neurocli.errors import NeuroError
from neurocli.plugin.family import ModelFamily
from neurocli.recordings import Batch, Dataset
from neurocli.training.schedule import Schedule

_OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adamax": torch.optim.Adamax}


class FamilyModule(LightningModule):
    """Trains `family`'s network; keeps the sums of the loss terms of the epoch under way.

    Raises NeuroError at the first loss that is not finite, with its epoch and step.
    """

    def __init__(self, family: ModelFamily, network: torch.nn.Module, config: Any, schedule: Schedule) -> None:
        super().__init__()
        self.family = family
        self.network = network
        self.config = config
        self.schedule = schedule
        self.sums: dict[str, float] = {}
        self.shares: dict[str, float] = {}
        self.batches_seen = 0
        self.last_loss = math.nan

    def configure_optimizers(self) -> torch.optim.Optimizer:
        train: TrainConfig = self.config.train
        kind = _OPTIMIZERS[train.optimizer]
        return kind(
            self.family.parameter_groups(self.network, self.config),
            lr=train.learning_rate,
            weight_decay=train.weight_decay,
            betas=(0.9, train.beta2),
        )

    def start_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self.sums, self.shares, self.batches_seen = {}, {}, 0

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.trainer.global_step)

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        loss = self.family.loss(self.network, batch, self.config)
        # One transfer from the device for all terms.
        values = torch.stack([term.detach().float() for term in loss.terms.values()]).tolist()
        terms = dict(zip(loss.terms, values, strict=True))
        self.last_loss = sum(values)
        if not math.isfinite(self.last_loss):
            bad = next((name for name, value in terms.items() if not math.isfinite(value)), "loss")
            raise self.not_finite(f"the training loss ({bad})")
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        every = self.config.train.gradient_shares
        if every and batch_idx == 0 and self.trainer.current_epoch % every == 0:
            self.shares = self._gradient_shares(loss.terms)
        self.batches_seen += 1
        return loss.total

    def mean_terms(self) -> dict[str, float]:
        """The mean of every loss term over the batches of the epoch, and of their sum as `train_loss`."""
        means = {name: total / max(1, self.batches_seen) for name, total in self.sums.items()}
        named = {f"train_{name}": value for name, value in means.items()} if len(means) > 1 else {}
        return {"train_loss": sum(means.values()), **named, **self.shares}

    def _gradient_shares(self, terms: dict[str, torch.Tensor]) -> dict[str, float]:
        """Each term's gradient norm over the sum of all terms' norms: what the step listens to, whatever the values say."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        norms = {}
        for name, term in terms.items():
            if not term.requires_grad:
                norms[name] = 0.0
                continue
            gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
            norms[name] = math.sqrt(sum(float(g.square().sum()) for g in gradients if g is not None))
        total = sum(norms.values())
        return {f"gradient_share_{name}": norm / total if total > 0 else 0.0 for name, norm in norms.items()}

    def validate(self, data: Dataset, between: Callable[[], None] = lambda: None) -> float | None:
        """The mean validation loss, batches weighted by their size; None where there are no validation groups.

        `between` is called after every batch. Raises NeuroError where the loss is not finite.
        """
        if not data.split.validation or data.steps("validation") < 1:
            return None
        total, count = 0.0, 0
        training = self.network.training
        self.network.eval()
        try:
            with torch.no_grad():
                for batch in data.batches("validation", seed=self.config.train.seed, epoch=0):
                    size = _size(batch)
                    moved = move_data_to_device(batch, self.device)
                    total += size * float(self.family.validation_loss(self.network, moved, self.config))
                    count += size
                    between()
        finally:
            self.network.train(training)
        if count == 0:
            return None
        if not math.isfinite(total):
            raise self.not_finite("the validation loss")
        return total / count

    def not_finite(self, what: str) -> NeuroError:
        """The error for a loss that is not a number."""
        return NeuroError(
            f"{what} is not finite in epoch {self.trainer.current_epoch + 1}, step {self.trainer.global_step + 1}",
            where="train",
            hint="lower train.learning_rate or set train.gradient_clip; the checkpoint of the epoch before is kept",
        )


def _size(batch: Batch) -> int:
    """The number of samples of a batch: the length of its first tensor that has one."""
    return next((len(value) for value in batch.values() if isinstance(value, torch.Tensor) and value.ndim > 0), 1)
