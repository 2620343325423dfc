"""Does the loss of a training batch move every parameter?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neurocli.diagnosis.finding import Finding
from neurocli.diagnosis.words import listed

if TYPE_CHECKING:
    import torch


@dataclass
class GradientCheck:
    """Parameters that no gradient reaches, and those whose gradient is not finite, by name; gathered over folds, if there are any."""

    checked: int = 0
    still: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def add(self, named: Iterable[tuple[str, torch.nn.Parameter]], loss: torch.Tensor, where: str = "") -> None:
        """Differentiate the loss [] of a batch by the named parameters that are trained; where: goes behind their names."""
        import torch

        trained = [(name + where, parameter) for name, parameter in named if parameter.requires_grad]
        gradients = torch.autograd.grad(loss, [parameter for _, parameter in trained], allow_unused=True)
        self.checked += len(trained)
        for (name, parameter), gradient in zip(trained, gradients, strict=True):
            if gradient is None or not bool(gradient.any()):
                # Edge features without any edge, or an embedding without a number, have nothing to learn.
                self.still += [name] if parameter.numel() else []
            elif not bool(gradient.isfinite().all()):
                self.broken.append(name)

    def findings(self, subject: str, not_finite: str = "not finite: lower train.learning_rate") -> list[Finding]:
        """The verdict; none where no batch could be made. not_finite: the advice where a gradient is not finite."""
        if not self.checked:
            return []
        value = listed(self.broken) or listed(self.still) or f"{self.checked} tensors"
        advice = (
            not_finite
            if self.broken
            else "the loss does not depend on these parameters, so they are not trained: check the options"
        )
        return [Finding.graded("gradients", subject, value, "finite, not 0", advice, warn=self.still, fail=self.broken)]
