"""The recurrence of eirnn against the published loop, one process, one thread: `python tests/benchmarks/eirnn.py`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from clock import median_cpu
from torch.nn import functional

from neurocli_eirnn.model.recurrence import leaky_scan

INPUTS, BINS = 14, 227


def published_loop(
    inputs: torch.Tensor, input_weights: torch.Tensor, weights: torch.Tensor, alpha: torch.Tensor, start: torch.Tensor
) -> torch.Tensor:
    """Step by step, input projection included, as published."""
    x = start.expand(len(inputs), -1)
    states = []
    for t in range(inputs.shape[1]):
        x = (1 - alpha) * x + alpha * (functional.softplus(x) @ weights.t() + inputs[:, t] @ input_weights.t())
        states.append(x)
    return torch.stack(states, 1)


def ours(compiled: bool) -> Callable[..., torch.Tensor]:
    """One projection for all times, then the scan."""

    def forward(inputs, input_weights, weights, alpha, start):  # type: ignore[no-untyped-def]
        return leaky_scan(inputs @ input_weights.t(), weights, alpha, start, compiled=compiled)

    return forward


def cost(forward: Callable[..., torch.Tensor], units: int, trials: int) -> tuple[float, list[torch.Tensor]]:
    """CPU-s of forward and backward, and the gradients."""
    torch.manual_seed(0)
    inputs = torch.rand(trials, BINS, INPUTS)
    given = [torch.randn(units, INPUTS) * 0.3, torch.randn(units, units) / units**0.5]
    given += [torch.full((units,), 0.3), torch.zeros(units)]
    leaves = [g.requires_grad_() for g in given]
    aim = torch.randn(trials, BINS, units)
    gradients: list[torch.Tensor] = []

    def step() -> None:
        gradients[:] = torch.autograd.grad((forward(inputs, *leaves) * aim).sum(), leaves)

    step()
    return median_cpu(step, repeats=7), gradients


def main() -> None:
    torch.set_num_threads(1)
    print("| units | trials | published loop [ms] | torch loop | compiled scan | largest difference of gradients |")
    print("|---|---|---|---|---|---|")
    whole = {}
    for units, trials in ((30, 128), (30, 713), (56, 128), (100, 128)):
        published, reference = cost(published_loop, units, trials)
        row = []
        worst = 0.0
        for compiled in (False, True):
            mine, found = cost(ours(compiled), units, trials)
            row.append(f"{published / mine:.1f} x")
            worst = max(
                worst, *(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, reference, strict=True))
            )
            whole[units, trials, compiled] = mine
        whole[units, trials, None] = published
        print(f"| {units} | {trials} | {published * 1000:.0f} | {' | '.join(row)} | {worst:.0e} |")
    ratio = whole[30, 713, None] / whole[30, 128, True]
    print(
        f"\nupdates per CPU-second, 30 units, 713 trials: {ratio:.0f} times (batches of 128, compiled, against the whole set)"
    )


main()
