"""Whether compiled loops can run: numba is there, and the numbers are single precision on the CPU."""

from __future__ import annotations

import functools
import importlib.util

import torch


@functools.cache
def has_compiler() -> bool:
    return importlib.util.find_spec("numba") is not None


def can_compile(wish: bool | None, *tensors: torch.Tensor) -> bool:
    """The choice for these tensors; `wish` None leaves it to what is possible.

    Raises ValueError where compiled loops are wished for and cannot run.
    """
    if wish is False:
        return False
    possible = has_compiler() and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)
    if wish and not possible:
        raise ValueError("compiled loops need numba and single precision on the CPU")
    return possible
