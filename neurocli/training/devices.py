"""Where the arithmetic runs: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""

from __future__ import annotations

import re

import torch

from neurocli.errors import DeviceError

_NAME = re.compile(r"^(?:auto|cpu|mps|cuda(?::(\d{1,4}))?)$")


def resolve_device(name: str, where: str = "train.device") -> torch.device:
    """The device called `name`; `auto` is the first that is there of cuda, mps and cpu. `where`: who asked for it.

    Raises DeviceError that lists the devices of this machine.
    """
    match = _NAME.match(name)
    if match is None:
        raise DeviceError(f"there is no device called {name!r}", where=where, hint=_hint())
    there = available_devices()
    wanted = there[-1] if name == "auto" else {"cuda": "cuda:0"}.get(name, name)
    if match[1] is not None:
        wanted = f"cuda:{int(match[1])}"
    if wanted not in there:
        raise DeviceError(f"this machine has no device {name}", where=where, hint=_hint())
    return torch.device(wanted)


def device_of(network: torch.nn.Module) -> torch.device:
    """Where a network is: its inputs have to be there too. The CPU for one without parameters and buffers."""
    for tensor in (*network.parameters(), *network.buffers()):
        return tensor.device
    return torch.device("cpu")


def available_devices() -> list[str]:
    """The devices of this machine, the preferred one last."""
    names = ["cpu"]
    if torch.backends.mps.is_available():
        names.append("mps")
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in reversed(range(torch.cuda.device_count()))]
    return names


def _hint() -> str:
    return f"there are: {', '.join(available_devices())}"
