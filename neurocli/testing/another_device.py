"""A device that is not the CPU, made of the CPU, so that a machine without an accelerator can see who forgets to move a tensor.

Its tensors say that they live on `lazy:0` (a device of torch's that these builds have no code for), hold their numbers in a tensor of
the CPU, and refuse what a GPU would refuse: to meet a tensor of the CPU, and to become a numpy array. Loops that are compiled
for the CPU are not chosen for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("lazy:0")
_aten = torch.ops.aten
_MAY_MIX = {
    _aten.copy_.default,
    _aten._to_copy.default,
    # Indices may lie on the CPU on a GPU too.
    _aten.index.Tensor,
    _aten._unsafe_index.Tensor,
    _aten.index_put.default,
    _aten.index_put_.default,
    _aten._index_put_impl_.default,
}


class Elsewhere(torch.Tensor):
    """A tensor on the other device."""

    held: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Elsewhere:
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        self.held = held
        return self

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.held!r})"

    def __getitem__(self, index: Any) -> torch.Tensor:
        return super().__getitem__(_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_index(index), value)

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return _run(operation, args, kwargs or {})


def _index(index: Any) -> Any:
    """Lists and arrays as tensors: torch would make them on the device itself, below where Python is asked."""
    if isinstance(index, tuple):
        return tuple(_index(each) for each in index)
    return torch.as_tensor(index) if isinstance(index, (list, np.ndarray)) else index


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operation, args, kwargs or {})


def _run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    wanted = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    goes_there = wanted is not None and wanted.type == DEVICE.type
    if not there and not goes_there:
        return operation(*args, **kwargs)
    mixed = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.dim() > 0]
    if there and mixed and operation not in _MAY_MIX:
        raise RuntimeError(f"tensors of two devices, {DEVICE} and cpu, meet in {operation}")
    if kwargs.get("generator") is not None:
        raise RuntimeError(f"{operation} on {DEVICE} with a generator of the CPU")
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if operation is _aten._local_scalar_dense.default:
        return operation(there[0].held)
    plain_args, plain_kwargs = tree_map_only(Elsewhere, lambda tensor: tensor.held, (args, kwargs))
    result = operation(*plain_args, **plain_kwargs)
    if wanted is not None and not goes_there:
        return result
    same = {id(tensor.held): tensor for tensor in there}  # what works in place gives its own argument back

    def placed(tensor: torch.Tensor) -> torch.Tensor:
        known = same.get(id(tensor))
        return Elsewhere(tensor) if known is None else known

    return tree_map_only(torch.Tensor, placed, result)


@contextlib.contextmanager
def another_device() -> Iterator[torch.device]:
    """The other device, for as long as the block lasts. Modules are moved there with `moved`."""
    with _Mode():
        yield DEVICE


def moved(network: torch.nn.Module) -> torch.nn.Module:
    """The module with its parameters and buffers on the other device."""
    swapped = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return network.to(DEVICE)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swapped)
