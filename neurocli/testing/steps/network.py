"""Steps of the contract: the network, its losses, its weights in a file."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from neurocli.plugin.family import LossTerms, TrainedModel
from neurocli.testing.contract import Doubtful, Shared, require


def build(shared: Shared) -> str:
    """A network is decided by torch's generator."""
    torch.manual_seed(shared.seed)
    network = shared.family.build(shared.config, shared.data.spec)
    torch.manual_seed(shared.seed)
    again = shared.family.build(shared.config, shared.data.spec)
    require(isinstance(network, torch.nn.Module), "build does not give a torch module")
    state, state_again = network.state_dict(), again.state_dict()
    require(
        all(torch.equal(state[key], state_again[key]) for key in state),
        "build takes randomness from elsewhere than torch's generator",
    )
    shared.network = network.eval()
    return f"{sum(p.numel() for p in network.parameters())} parameters"


def loss(shared: Shared) -> str:
    """Terms are finite scalars, with finite gradients. Whether each parameter is trained, `training` asks."""
    network = copy.deepcopy(shared.network).train()
    terms = shared.family.loss(network, copy.deepcopy(shared.first_batches[0]), shared.config)
    require(isinstance(terms, LossTerms) and terms.terms, "loss does not give LossTerms")
    for name, term in terms.terms.items():
        require(term.ndim == 0, f"the loss term {name} has shape {tuple(term.shape)}, not a scalar")
        require(bool(torch.isfinite(term)), f"the loss term {name} is {term.item()}")
    terms.total.backward()
    wanted = {name: p for name, p in network.named_parameters() if p.requires_grad}
    odd = [name for name, p in wanted.items() if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    require(not odd, f"the gradient of {', '.join(odd[:3])} is not finite")
    require(not wanted or any(p.grad is not None for p in wanted.values()), "no parameter gets a gradient")
    return ", ".join(f"{name} {term.item():.3g}" for name, term in terms.terms.items())


def validation_loss(shared: Shared) -> str:
    """A finite number, the same for the same batch."""
    network = copy.deepcopy(shared.network).eval()
    part = "validation" if shared.data.split.validation else "train"
    batch = next(iter(shared.data.batches(part, seed=shared.seed, epoch=0)))
    with torch.no_grad():
        values = [float(shared.family.validation_loss(network, copy.deepcopy(batch), shared.config)) for _ in range(2)]
    require(math.isfinite(values[0]), f"the validation loss is {values[0]}")
    if values[0] != values[1]:
        raise Doubtful(
            "the validation loss of the same batch differs from call to call: the best epoch is chosen by chance"
        )
    return f"{values[0]:.3g}"


def weights_file(shared: Shared) -> str:
    """A network that is loaded from its weights predicts what the first one did."""
    path = shared.work / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in shared.network.state_dict().items()}, path)
    torch.manual_seed(shared.seed + 1)
    other = shared.family.build(shared.config, shared.data.spec).eval()
    other.load_state_dict(load_file(path))
    again = TrainedModel(other, shared.config, shared.data, shared.seed, shared.trained.history)
    target = shared.targets[0]
    prediction = shared.family.predict(again, target)
    for group in target.groups:
        before = shared.predictions[target.name].values[group]
        same = np.allclose(prediction.values[group], before, rtol=1e-5, atol=1e-6, equal_nan=True)
        require(same, "a model loaded from its weights answers otherwise: is something kept outside of state_dict?")
    return f"{path.stat().st_size} bytes"
