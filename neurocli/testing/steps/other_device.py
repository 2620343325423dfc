"""A step of the contract: a model on a device that is not the CPU is trained, asked and diagnosed as on the CPU."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neurocli.testing.another_device import another_device, moved
from neurocli.testing.contract import Shared, require
from neurocli.testing.look_ahead import awake

_CLOSE = 1e-3
"""Operations that are compiled for the CPU have another order of sums than torch's."""


def other_device(shared: Shared) -> str:
    """Loss and gradients, the same predictions, and the diagnosis, with the network elsewhere and the data on the CPU."""
    family, target = shared.family, shared.targets[0]
    # Off its start: an untrained network whose output begins at zero would predict the same whatever it computes.
    on_cpu = replace(shared.trained, network=awake(family, shared.trained))
    trained = replace(on_cpu, network=copy.deepcopy(on_cpu.network))
    with torch.no_grad():
        known = family.predict(on_cpu, target)
    with another_device() as device:
        moved(trained.network)
        with torch.no_grad():
            prediction = family.predict(trained, target)
        for group in target.groups:
            there, here = np.asarray(prediction.values[group]), np.asarray(known.values[group])
            same = np.allclose(there, here, rtol=_CLOSE, atol=_CLOSE, equal_nan=True)
            require(same, f"predict gives other values on another device, first in {group}")
        figures = shared.work / "other-device"
        figures.mkdir()
        family.evaluate_more(trained, shared.predictions, figures)
        family.diagnose_model(trained)
        batch: Any = {
            name: value.to(device) if hasattr(value, "to") else value for name, value in shared.first_batches[0].items()
        }
        family.loss(trained.network.train(), batch, shared.config).total.backward()
        gradients = [p.grad for p in trained.network.parameters() if p.grad is not None]
        require(gradients, "no parameter gets a gradient on another device")
    return f"{target.name} is predicted alike"
