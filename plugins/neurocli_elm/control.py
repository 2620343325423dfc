"""The neuron before training: what everything that is said of a trained one is held against."""

from __future__ import annotations

from typing import Any

import torch

from neurocli.training.seeds import BUILD, seed_epoch
from neurocli_elm.build import build_neuron
from neurocli_elm.model import ElmNeuron


def untrained_neuron(config: Any, spec: dict[str, Any], version: int, seed: int) -> ElmNeuron:
    """The neuron as training with `seed` finds it before the first step, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        seed_epoch(seed, BUILD)
        return build_neuron(config, spec, version).eval()
