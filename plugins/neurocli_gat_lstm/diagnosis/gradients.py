"""Does the loss of a training batch move every parameter? Gathered over folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import listed


@dataclass
class GradientCheck:
    """Parameters that no gradient reaches, and those whose gradient is not finite, by name and fold."""

    checked: int = 0
    still: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def add(self, fold: int, named: Sequence[tuple[str, nn.Parameter]], loss: torch.Tensor) -> None:
        """Differentiate the loss [] of a batch of a fold by the named parameters of its network."""
        gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
        self.checked += len(named)
        for (name, parameter), gradient in zip(named, gradients, strict=True):
            if gradient is None or not bool(gradient.any()):
                # Edge features without any edge, or an embedding without a number, have nothing to learn.
                self.still += [f"{name} (fold {fold + 1})"] if parameter.numel() else []
            elif not bool(gradient.isfinite().all()):
                self.broken.append(f"{name} (fold {fold + 1})")

    def findings(self) -> list[Finding]:
        """The verdict; none where no batch could be made."""
        if not self.checked:
            return []
        verdict = FAIL if self.broken else WARN if self.still else PASS
        advice = (
            "not finite: lower the learning rate" if self.broken else "no gradient reaches them" if self.still else ""
        )
        value = listed(self.broken) or listed(self.still) or f"{self.checked} tensors"
        return [Finding("gradients", "a training batch", verdict, value, "finite, not 0", advice)]
