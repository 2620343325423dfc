"""The published network: parameter counts of its stages, how it starts, its recurrence against the published loop."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import neurocli_eirnn
from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.model.published_faults import published_faults
from neurocli_eirnn.model.v1 import Embedding, PublishedEiRnn, build_v1, distinct, population, unit_map

TYPES = [1, 2, 2, 1, 1, 1, 1, 1, 2, 1, 2, 2, 2, 1]
"""The published session: 8 excitatory and 6 inhibitory neurons, interleaved."""
SPEC = {"neuron_type": TYPES, "num_inputs": 14, "bin_ms": 25.0}
PRESETS = Path(neurocli_eirnn.__file__).parent / "presets" / "eirnn-v1"
EMBEDDINGS = ("attention", "linear", "random", "mlp", "groups", "lags", "gru", "none")


def configured(preset: str | None = None, **sections: dict) -> V1Config:
    values = V1Config().model_dump()
    chosen = tomllib.loads((PRESETS / f"{preset}.toml").read_text()) if preset else {}
    for part in (chosen, sections):
        for name, options in part.items():
            values[name].update(options)
    return V1Config.model_validate(values)


def model(seed: int = 0, **options) -> PublishedEiRnn:
    torch.manual_seed(seed)
    return build_v1(configured(model=options), SPEC)


def task_inputs(trials: int = 5, steps: int = 30, seed: int = 0) -> torch.Tensor:
    return (torch.rand(trials, steps, 14, generator=torch.Generator().manual_seed(seed)) < 0.3).float()


def published_loop(network: PublishedEiRnn, inputs: torch.Tensor, noise: torch.Tensor | None = None):
    """(rates, eye, states) of all units by the published order of operations, one bin after the other."""
    alpha, w = network.alpha, network.weights
    embedded = inputs if network.embedding is None else network.embedding(inputs)
    x = network.start.expand(len(inputs), -1)
    rates, eye, states = [], [], []
    for t in range(inputs.shape[1]):
        r = torch.nn.functional.softplus(x)
        x = (1 - alpha) * x + alpha * (r @ w.t() + embedded[:, t] @ network.input_weights.t())
        if noise is not None:
            x = x + network.noise * alpha.mean().sqrt() * noise[:, t]
        if network.output_scale:
            r = torch.clamp(network.scale * r + network.baseline, min=0.0)
        rates.append(r)
        eye.append(r[:, : network.n_e] @ network.eye_weights.t() + network.eye_bias)
        states.append(x)
    return torch.stack(rates, 1), torch.stack(eye, 1), torch.stack(states, 1)


@pytest.mark.parametrize(("stage", "count"), [("first", 1370), ("fixed", 1372), ("final", 5878)])
def test_the_stages_have_the_published_number_of_parameters(stage, count):
    built = build_v1(configured(stage), SPEC)
    assert sum(p.numel() for p in built.parameters()) == count
    assert (built.n_e, built.n_i) == (24, 6)


@pytest.mark.parametrize("stage", ["first", "fixed", "final", "quick"])
def test_presets_say_what_they_are_and_are_valid(stage):
    assert (PRESETS / f"{stage}.toml").read_text().startswith("# ")
    assert configured(stage).data.trials == "all"


def test_units_are_four_to_one():
    assert population(8, 6, 4.0, None) == (24, 6)
    assert population(22, 8, 4.0, None) == (32, 8)
    assert population(30, 2, 4.0, None) == (30, 8)
    assert population(5, 0, 4.0, None) == (5, 2)
    assert population(8, 6, 4.0, 200) == (160, 40)
    assert population(8, 6, 4.0, 10) == (8, 6)
    assert population(8, 6, None, None) == (8, 6)


def test_published_neurons_sit_on_the_first_units_and_the_option_puts_them_right():
    assert unit_map(TYPES, 24, False) == list(range(14))
    for by_type in (False, True):
        built = model(map_by_type=by_type)
        sign = built.sign[built.unit_of_neuron].tolist()
        right = [1.0 if kind == 1 else -1.0 for kind in TYPES]
        assert (sign == right) == by_type
        assert len(set(built.unit_of_neuron.tolist())) == 14
    assert (model().sign[model().unit_of_neuron] == 1).all()


def test_it_starts_as_published():
    built = model(map_by_type=True)
    w = built.weights.detach().double().numpy()
    assert (w[:, :24] >= 0).all() and (w[:, 24:] <= 0).all() and (np.diag(w) == 0).all()
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(w)).max(), 0.9, rtol=1e-5)
    np.testing.assert_allclose(w[:, :24].sum(1), -w[:, 24:].sum(1), rtol=1e-5)
    # gamma(2): mean over sd is the square root of 2, whatever the scale.
    weights = np.concatenate([model(seed).weights.detach().numpy()[:, :24].ravel() for seed in range(20)])
    positive = weights[weights > 0]
    assert positive.mean() / positive.std() == pytest.approx(2**0.5, rel=0.1)
    w_in = built.input_weights.detach()
    assert w_in.min() >= 0 and w_in.max() <= 1 and w_in.mean() == pytest.approx(0.5, abs=0.05)
    assert build_v1(configured("first"), SPEC).input_weights.min() < -0.9
    assert (built.start == 0.1).all() and built.scale.item() == 10 and built.baseline.item() == 0.5
    assert (built.alpha == 0.5).all()


def test_without_dale_weights_have_any_sign():
    w = model(bypass_dale=True).weights.detach().double().numpy()
    assert (w[:, 3] > 0).any() and (w[:, 3] < 0).any() and (np.diag(w) == 0).all()
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(w)).max(), 0.9, rtol=1e-5)


def test_dale_holds_whatever_the_optimiser_does():
    for rank in (None, 3):
        built = model(rank=rank)
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(torch.randn_like(parameter))
        w = built.weights
        assert (w[:, :24] >= 0).all() and (w[:, 24:] <= 0).all() and (w.diagonal() == 0).all()
    assert torch.linalg.matrix_rank(built.left @ built.right.t()) == 3


@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("compiled", ["auto", "off"])
def test_outputs_and_gradients_are_those_of_the_published_loop(embedding, compiled):
    built = model(embedding=embedding, noise=0.0, compiled=compiled).eval()
    inputs = task_inputs()
    rates, eye, states = published_loop(built, inputs)
    found = built.states(inputs)
    torch.testing.assert_close(found, states, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(built(inputs), rates[..., built.unit_of_neuron], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(built.eye(found), eye, rtol=1e-5, atol=1e-4)
    target = torch.randn(rates[..., :14].shape, generator=torch.Generator().manual_seed(3))
    named = [(n, p) for n, p in built.named_parameters() if not n.startswith("eye")]
    ours = torch.autograd.grad((built(inputs) * target).mean(), [p for _, p in named], allow_unused=True)
    theirs = torch.autograd.grad((rates[..., :14] * target).mean(), [p for _, p in named], allow_unused=True)
    for (name, _), one, other in zip(named, ours, theirs, strict=True):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max() + 1e-9, name


def test_noise_is_that_of_the_published_loop():
    built = model(time_constant="alpha-neuron").train()
    inputs = task_inputs()
    torch.manual_seed(5)
    found = built.states(inputs)
    torch.manual_seed(5)
    _, _, states = published_loop(built, inputs, torch.randn(5, 30, built.units))
    torch.testing.assert_close(found, states, rtol=1e-5, atol=1e-5)


def test_noise_at_evaluation_is_an_option_and_one_target_has_one_prediction():
    inputs = task_inputs()
    noisy, quiet, silent = model().eval(), model(noise_at_evaluation=False).eval(), model(noise=0.0).eval()
    assert torch.equal(noisy(inputs), noisy(inputs))
    assert not torch.equal(noisy(inputs), quiet(inputs))
    assert torch.equal(quiet(inputs), silent(inputs))
    assert not torch.equal(noisy.train()(inputs), noisy(inputs))


def test_rates_lag_by_one_bin_as_published():
    inputs = torch.zeros(1, 20, 14)
    inputs[:, 10:] = 1
    late, prompt = (model(noise=0.0, embedding="none", output_lag=lag).eval() for lag in (True, False))
    changed = inputs.clone()
    changed[:, 10:] = 0
    for built, first in ((late, 11), (prompt, 10)):
        differs = (built(inputs) != built(changed)).any(-1)[0]
        assert int(differs.int().argmax()) == first
    torch.testing.assert_close(late(inputs)[:, 1:], prompt(inputs)[:, :-1])


@pytest.mark.parametrize(
    ("kind", "parameters", "excitatory", "inhibitory"),
    [
        ("fixed", 0, 0.5, 0.5),
        ("alpha", 1, 0.5, 0.5),
        ("alpha-population", 2, 0.5, 0.75),
        ("alpha-neuron", 30, 0.5, 0.75),
        ("tau-population", 2, 0.5, 25 / 35),
        ("tau-neuron", 30, 0.5, 25 / 35),
    ],
)
def test_time_constants(kind, parameters, excitatory, inhibitory):
    built = model(time_constant=kind)
    assert sum(p.numel() for p in built.parameters()) == 5878 + parameters
    expected = torch.cat((torch.full((24,), excitatory), torch.full((6,), inhibitory)))
    torch.testing.assert_close(built.alpha, expected, rtol=1e-5, atol=1e-5)
    if parameters:
        with torch.no_grad():
            built.time_raw.fill_(-20)
        assert ((built.alpha > 0) & (built.alpha <= 1)).all()
        built(task_inputs()).sum().backward()
        assert built.time_raw.grad is not None and torch.isfinite(built.time_raw.grad).all()


def test_attention_is_softmax_of_queries_and_keys_over_inputs():
    torch.manual_seed(0)
    embedding = Embedding("attention", 14, 56)
    u = np.random.default_rng(0).normal(size=14)
    w, b = (p.detach().double().numpy() for p in (embedding.tokens.weight, embedding.tokens.bias))
    tokens = u[:, None] * w[:, 0] + b
    q, k, v = tokens[:, :4], tokens[:, 4:8], tokens[:, 8:]
    scores = np.exp(q @ k.T / 2)
    mixed = (scores / scores.sum(1, keepdims=True)) @ v
    out, bias = (p.detach().double().numpy() for p in (embedding.out.weight, embedding.out.bias))
    expected = np.maximum(out @ mixed.ravel() + bias, 0)
    found = embedding(torch.from_numpy(u).float()).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_distinct_rows_are_found_and_real_valued_rows_left_alone():
    rows = task_inputs(40, 50).flatten(0, 1)[:, :4]
    found, index = distinct(rows)
    assert index is not None and len(found) == 16
    assert torch.equal(found[index], rows)
    few, none = distinct(torch.randn(50, 4))
    assert none is None and len(few) == 50


def test_gradients_with_respect_to_inputs_reach_every_bin():
    """Equal bins share one embedding: that must not share out the gradient of their inputs."""
    built = model(noise=0.0).eval()
    inputs = task_inputs(4, 20)
    wanted = inputs.clone().requires_grad_()
    built(wanted)[..., -1].sum().backward()
    assert wanted.grad is not None
    looped = inputs.clone().requires_grad_()
    published_loop(built, looped)[0][..., 13].sum().backward()
    torch.testing.assert_close(wanted.grad, looped.grad, rtol=1e-4, atol=1e-5)


def test_the_faults_in_force_are_named(simulated):
    def lines(**sections):
        config = configured(**sections)
        return "\n".join(published_faults(SessionData(simulated, config), config))

    published = lines()
    for words in (
        "interneurons sit on excitatory units",
        "durations are counted",
        "clipped",
        "noise",
        "lag",
        "smoothed",
    ):
        assert words in published
    mended = lines(
        model={"map_by_type": True, "noise_at_evaluation": False, "output_lag": False},
        loss={"mask": "valid", "smoothing": "gaussian", "clip_percentile": None},
    )
    assert mended.count("\n") == 0 and "held back" in mended


@pytest.mark.realdata
def test_the_real_session_is_masked_and_clipped_as_published(real):
    from neurocli_eirnn.data.readers.matfile import read_session

    config = configured()
    data = SessionData(read_session(real / "rnn_export_Newton_08_13_2025_SC.mat").recordings(), config)
    assert data.clip == 80.0
    inside = np.minimum(data.duration_bins, data.session.bins)
    assert inside.mean() / data.session.bins == pytest.approx(0.35, abs=0.005)
    assert (inside == 0).sum() == 245
    assert "6 of 6 interneurons" in "\n".join(published_faults(data, config))
