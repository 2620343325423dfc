"""What a task puts around a network of sequences: an embedding of tokens before it, a readout over time behind it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

Pooling = Literal["last", "mean", "max", "attention", "every"]
"""last: the output at the last step; mean, max: over all steps; attention: a mean weighted by the softmax of one output more;
every: the output at each step."""


def extra_outputs(pooling: Pooling) -> int:
    """Outputs that a readout takes for itself."""
    return 1 if pooling == "attention" else 0


class SequenceNetwork(nn.Module):
    """A network of sequences with an embedding of tokens, where the task has tokens, and a readout over time.

    network: [sample, time, input] to [sample, time, output], causal, so that what follows the end of a shorter sequence has no
    effect on it; embedding: (number of tokens, size of their vectors).
    """

    def __init__(self, network: nn.Module, pooling: Pooling, embedding: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.network, self.pooling = network, pooling
        self.embedding = None if embedding is None else nn.Embedding(*embedding)

    def forward(self, x: torch.Tensor, length: torch.Tensor | None = None) -> torch.Tensor:
        """[sample, output], or [sample, time, output] where every step is read.

        x: float [sample, time, input], or int tokens [sample, time]; length: steps of each sample, where they differ.
        """
        return pooled(self.every_step(x), length, self.pooling)

    def every_step(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of the network [sample, time, output], before the readout."""
        out: torch.Tensor = self.network(self.inner_input(x))
        return out

    def inner_input(self, x: torch.Tensor) -> torch.Tensor:
        """What the network inside is given [sample, time, input]: tokens are embedded."""
        return self.embedding(x) if self.embedding is not None and not x.is_floating_point() else x


def pooled(outputs: torch.Tensor, length: torch.Tensor | None, pooling: Pooling) -> torch.Tensor:
    """Outputs [sample, time, output] of sequences of some lengths [sample], read over time."""
    samples, steps, _ = outputs.shape
    if pooling == "every":
        return outputs
    if length is None:
        length = torch.full((samples,), steps, device=outputs.device)
    if pooling == "last":
        return outputs[torch.arange(samples, device=outputs.device), length - 1]
    within = (torch.arange(steps, device=outputs.device) < length[:, None])[:, :, None]
    if pooling == "mean":
        return (outputs * within).sum(1) / length[:, None]
    if pooling == "max":
        return outputs.masked_fill(~within, -torch.inf).max(1).values
    weight = torch.softmax(outputs[:, :, -1:].masked_fill(~within, -torch.inf), 1)
    return (weight * outputs[:, :, :-1]).sum(1)


def pooled_over_steps(outputs: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """What `pooled` would read if the sequences ended at each step: [sample, time, output] of outputs [sample, time, output]."""
    if pooling in ("last", "every"):
        return outputs
    if pooling == "mean":
        count = torch.arange(1, outputs.shape[1] + 1, device=outputs.device, dtype=outputs.dtype)
        return outputs.cumsum(1) / count[:, None]
    if pooling == "max":
        return outputs.cummax(1).values
    # By running maxima: a weight of a later step may dwarf all before it.
    values, logits = outputs[:, :, :-1], outputs[:, :, -1:]
    sums, weights, top = (
        torch.zeros_like(values[:, 0]),
        torch.zeros_like(logits[:, 0]),
        torch.full_like(logits[:, 0], -torch.inf),
    )
    read = []
    for value, logit in zip(values.unbind(1), logits.unbind(1), strict=True):
        higher = torch.maximum(top, logit)
        kept, new = torch.exp(top - higher), torch.exp(logit - higher)
        sums, weights, top = kept * sums + new * value, kept * weights + new, higher
        read.append(sums / weights)
    return torch.stack(read, 1)
