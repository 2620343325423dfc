"""What the diagnosis says of the published network before training: its equations as a float64 loop, its faults counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.model.v1 import build_v1

pytestmark = pytest.mark.realdata
SUBJECT = "untrained model"
EXCITATORY, UNITS = 24, 30
ALPHA, NOISE, START, SCALE, BASELINE = 25 / 50, 0.1, 0.1, 10.0, 0.5


def softplus(x):
    return np.logaddexp(0, x)


class Published:
    """x[t] = (1 - a) x[t-1] + a (W softplus(x[t-1]) + W_in e[t]) + s sqrt(a) noise; rate[t] = 10 softplus(x[t-1]) + 0.5.

    e: 14 inputs as tokens under one head of attention, then linear and ReLU.
    """

    def __init__(self, parameters: dict[str, np.ndarray]) -> None:
        self.p = parameters
        sign = np.repeat([1.0, -1.0], [EXCITATORY, UNITS - EXCITATORY])
        self.weights = abs(parameters["v"]) * sign
        np.fill_diagonal(self.weights, 0)

    def embedded(self, u: np.ndarray) -> np.ndarray:
        """[..., 56] of inputs [..., 14]."""
        token = u[..., None] * self.p["embedding.tokens.weight"][:, 0] + self.p["embedding.tokens.bias"]
        query, key, value = token[..., :4], token[..., 4:8], token[..., 8:]
        score = np.exp(np.einsum("...ic,...jc->...ij", query, key) / 2)
        attended = np.einsum("...ij,...jc->...ic", score / score.sum(axis=-1, keepdims=True), value)
        out = attended.reshape(*u.shape[:-1], 56) @ self.p["embedding.out.weight"].T + self.p["embedding.out.bias"]
        return np.maximum(out, 0)

    def rates(self, inputs: np.ndarray) -> np.ndarray:
        """[trial, time, neuron] in sp/s; neuron k is unit k. The noise stays on, in the stream that is made for evaluation."""
        stream = torch.Generator().manual_seed(0)
        noise = torch.randn(*inputs.shape[:2], UNITS, generator=stream).numpy().astype(np.float64)
        x = np.full((len(inputs), UNITS), START)
        found = []
        for t in range(inputs.shape[1]):
            found.append(np.maximum(SCALE * softplus(x[:, :14]) + BASELINE, 0))
            drive = self.embedded(inputs[:, t]) @ self.p["input_weights"].T
            x = (1 - ALPHA) * x + ALPHA * (softplus(x) @ self.weights.T + drive)
            x = x + NOISE * np.sqrt(ALPHA) * noise[:, t]
        return np.stack(found, axis=1)


@pytest.fixture(scope="module")
def published(diagnosis):
    return diagnosis("eirnn-v1")


@pytest.fixture(scope="module")
def network(newton) -> Published:
    spec = {"neuron_type": newton.types.astype(int).tolist(), "num_inputs": 14, "mean_rate": [1.0] * 14, "bin_ms": 25.0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_v1(V1Config(), spec)
    assert sum(p.numel() for p in network.parameters()) == 5878  # as published
    return Published({name: p.detach().numpy().astype(np.float64) for name, p in network.named_parameters()})


@pytest.fixture(scope="module")
def rows(newton) -> np.ndarray:
    """The first 256 training trials: broken ones are trained on."""
    return newton.split("all")[0][:256]


def test_rates(network, newton, rows, published):
    model = network.rates(newton.inputs[rows])
    silence = network.rates(np.zeros((1, *newton.inputs.shape[1:])))
    tenfold = network.rates(10 * newton.inputs[rows])
    assert published["mean-rate", SUBJECT]["value"] == (
        f"{model.mean():.3g} sp/s, without inputs {silence.mean():.3g}, with ten times the inputs {tenfold.mean():.3g}"
    )
    assert published["tenfold-input", SUBJECT]["value"] == f"at most {tenfold.max():.4g} sp/s"
    change = np.mean([abs(model[..., k] - silence[..., k]).mean() / model[..., k].mean() for k in range(14)])
    assert published["input-modulation", SUBJECT]["value"] == pytest.approx(change, rel=1e-4)

    ratio = model.mean(axis=(0, 1)) / newton.rates[rows].mean(axis=(0, 1))
    far = [k for k in range(14) if not 0.5 <= ratio[k] <= 2]
    found = published["rate-ratio", SUBJECT]
    assert found["value"] == f"{len(far)} of 14, " + newton.named(far, lambda k: f"{ratio[k]:.2g}")
    assert found["verdict"] == ("FAIL" if (ratio > 10).any() or (ratio < 0.1).any() else "WARN")


def test_weights(network, published):
    w = network.weights
    assert published["spectral-radius", SUBJECT]["value"] == pytest.approx(max(abs(np.linalg.eigvals(w))), rel=1e-5)
    balance = np.median([row[:EXCITATORY].sum() / -row[EXCITATORY:].sum() for row in w])
    assert published["ei-balance", SUBJECT]["value"] == pytest.approx(balance, rel=1e-5)
    off = ~np.eye(UNITS, dtype=bool)
    parts = {
        "E": w[:, :EXCITATORY][off[:, :EXCITATORY]],
        "I": w[:, EXCITATORY:][off[:, EXCITATORY:]],
        "alpha": np.array([ALPHA]),
        "input": network.p["input_weights"],
    }
    assert published["weight-ranges", SUBJECT]["value"] == ", ".join(
        f"{name} {part.min():.3g} to {part.max():.3g}" for name, part in parts.items()
    )


def test_every_interneuron_is_on_an_excitatory_unit(newton, published):
    misplaced = [k for k, kind in enumerate(newton.types) if kind == 2 and k < EXCITATORY]
    found = published["unit-map", SUBJECT]
    assert (found["verdict"], found["value"]) == ("FAIL", f"{len(misplaced)} I on an E unit")
    assert len(misplaced) == (newton.types == 2).sum() == 6


def test_its_clip_is_a_fault(newton, published, said):
    """The same figures as for a model that clips nothing; but here they are lost."""
    ours, its = said["clip-loss", "neurons"], published["clip-loss", "neurons"]
    assert ours["value"] == its["value"]
    assert (ours["verdict"], its["verdict"]) == ("WARN", "FAIL")
