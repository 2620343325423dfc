"""The leaky recurrence x[t] = (1 - a) x[t-1] + a (W softplus(x[t-1]) + drive[t]), forward and backward.

Two forms with the same numbers to 1e-5: a torch loop that runs anywhere, and a compiled scan for float32 on the CPU. Neither
indexes a [time, ...] tensor inside the loop: the backward of that is quadratic in time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from neurocli.training.compiled import has_compiler
from neurocli_eirnn.model import scan_kernel

COMPILED = {"auto": None, "on": True, "off": False}
"""What the option `model.compiled` means to `leaky_scan`."""


def leaky_scan(
    drive: torch.Tensor,
    weights: torch.Tensor,
    alpha: torch.Tensor,
    start: torch.Tensor,
    *,
    compiled: bool | None = None,
) -> torch.Tensor:
    """States [trial, time, unit] of units with drive [trial, time, unit].

    weights: [post, pre]; alpha: [unit] in (0, 1), bin over time constant; start: [unit], the state before the first bin.
    compiled: None takes the compiled scan where it can run.
    """
    possible = drive.device.type == "cpu" and drive.dtype == torch.float32 and has_compiler()
    if possible if compiled is None else compiled:
        return _CompiledScan.apply(drive, weights, alpha, start)
    return torch_scan(drive, weights, alpha, start)


def torch_scan(drive: torch.Tensor, weights: torch.Tensor, alpha: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The recurrence as a loop of fused torch calls; see `leaky_scan`."""
    keep, leaky_weights = 1 - alpha, (alpha[:, None] * weights).t()
    x = start.expand(len(drive), -1)
    states = []
    for step in (alpha * drive).unbind(1):
        x = torch.addmm(keep * x + step, functional.softplus(x), leaky_weights)
        states.append(x)
    return torch.stack(states, 1)


class _CompiledScan(torch.autograd.Function):
    """The scan of `scan_kernel`, time first; the weights' gradient is one matrix product over all trials and times."""

    @staticmethod
    def forward(
        ctx: Any, drive: torch.Tensor, weights: torch.Tensor, alpha: torch.Tensor, start: torch.Tensor
    ) -> torch.Tensor:
        forward, _ = scan_kernel.kernels()
        by_time = drive.detach().transpose(0, 1).contiguous()
        states, rates, slopes = (torch.empty_like(by_time) for _ in range(3))
        arrays = [t.detach().contiguous().numpy() for t in (by_time, weights.t(), alpha, start)]
        forward(*arrays, states.numpy(), rates.numpy(), slopes.numpy())
        ctx.save_for_backward(states, rates, slopes, weights, alpha, start)
        return states.transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        states, rates, slopes, weights, alpha, start = ctx.saved_tensors
        units = states.shape[2]
        _, backward = scan_kernel.kernels()
        drive = torch.empty_like(states)
        d_alpha, d_start = torch.zeros_like(alpha), torch.zeros_like(start)
        arguments = gradient.transpose(0, 1), states, slopes, start, weights, alpha
        backward(*(t.detach().contiguous().numpy() for t in arguments), drive.numpy(), d_alpha.numpy(), d_start.numpy())
        d_weights = drive.view(-1, units).t() @ rates.view(-1, units)
        return drive.transpose(0, 1), d_weights, d_alpha, d_start
