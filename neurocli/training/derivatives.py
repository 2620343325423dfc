"""Hand-written backward passes give first derivatives alone; asking them for second ones is an error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

Backward = Callable[..., tuple[torch.Tensor | None, ...]]


def first_only(backward: Backward) -> Backward:
    """A `backward` that raises RuntimeError where a graph of the gradients is asked for (`create_graph=True`).

    torch's own `once_differentiable` raises only where what comes in depends on a parameter. Behind a plain sum nothing does, and a
    penalty on gradients would be left out without a word.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "an ELM neuron has first derivatives alone: take gradients without create_graph, or, for second ones, go step by step "
                "with ElmNeuron.step"
            )
        return backward(ctx, *gradients)

    return checked
