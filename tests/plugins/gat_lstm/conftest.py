"""Small simulated worms, models of them, the equations of gat-lstm-v2 as a plain loop, and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.simulation.example import small_worms


@pytest.fixture(scope="session")
def worms() -> RecordingSet:
    """Five worms of twelve neurons, 400 frames; tests must not change them."""
    return small_worms(0)


@pytest.fixture(scope="session")
def folder() -> Path:
    """The folder of real worms."""
    if "NEUROCLI_REAL_DATA" not in os.environ:
        pytest.skip("NEUROCLI_REAL_DATA is not set")
    return Path(os.environ["NEUROCLI_REAL_DATA"]) / "worm"


@pytest.fixture(scope="session")
def kato(folder: Path) -> RecordingSet:
    """The four Kato worms."""
    from neurocli_gat_lstm.data.readers.zimmer import ZimmerMatReader

    return ZimmerMatReader().read(sorted(folder.glob("Kato2015_*.mat")))


def shaken(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Every weight drawn anew, so that no part answers zero; the linear path stays as it is."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return network


@pytest.fixture(scope="session")
def make_trained() -> Callable[..., TrainedModel]:
    """`make_trained(recordings, {"model.hops": 1}, model=..., split=...)` → a prepared model with random weights."""

    def make(
        recordings: RecordingSet,
        options: dict[str, Any] | None = None,
        *,
        model: str = "gat-lstm-v2",
        split: Any = None,
    ) -> TrainedModel:
        family = registry().family(model)
        config = family.Config()
        for key, value in (options or {}).items():
            section, field = key.split(".")
            setattr(getattr(config, section), field, value)
        data = family.adapt(recordings, config, split)
        torch.manual_seed(0)
        network = shaken(family.build(config, data.spec))
        family.prepare(network, data, config)
        return TrainedModel(network.eval(), config, data, 0, [])

    return make


class PlainV2:
    """gat-lstm-v2 as its equations read, in float64, neuron by neuron and edge by edge; it keeps the LSTM's state."""

    def __init__(
        self,
        correction: torch.nn.Module,
        linear: dict[str, torch.Tensor],
        nodes: torch.Tensor,
        graph: GraphTensors,
        present: np.ndarray | None = None,
    ) -> None:
        self.weights = {k: v.detach().numpy().astype(np.float64) for k, v in correction.state_dict().items()}
        self.layers, self.hidden = len(correction.attention), correction.lstm.hidden_size
        self.linear = {k: v.numpy().astype(np.float64) for k, v in linear.items()}
        self.names = self.weights["names"][nodes.numpy()]
        self.edges = list(zip(*graph.edge_index.tolist(), graph.edge_attr.numpy().astype(np.float64), strict=True))
        self.n = len(nodes)
        self.present = np.ones(self.n, bool) if present is None else present
        self.h, self.c = np.zeros((2, self.n, self.hidden))

    def attended(self, features: np.ndarray, layer: int) -> np.ndarray:
        w = {k.split(".", 2)[2]: v for k, v in self.weights.items() if k.startswith(f"attention.{layer}.")}
        _, heads, channels = w["att_src"].shape
        value = (features @ w["lin.weight"].T).reshape(self.n, heads, channels)
        summed = np.zeros((self.n, heads, channels))
        for post in range(self.n):
            into = [(pre, attr) for pre, to, attr in self.edges if to == post and self.present[pre]]
            into.append((post, np.zeros(w["lin_edge.weight"].shape[1])))
            for head in range(heads):
                scores = []
                for pre, attr in into:
                    of_edge = (w["lin_edge.weight"] @ attr).reshape(heads, channels)[head] @ w["att_edge"][0, head]
                    score = value[pre, head] @ w["att_src"][0, head] + value[post, head] @ w["att_dst"][0, head]
                    score += of_edge
                    scores.append(score if score > 0 else 0.2 * score)
                share = np.exp(np.array(scores) - max(scores))
                share /= share.sum()
                summed[post, head] = sum(s * value[pre, head] for s, (pre, _) in zip(share, into, strict=True))
        out = summed.reshape(self.n, -1) + w["bias"]
        return np.where(out > 0, out, np.expm1(np.minimum(out, 0)))

    def correction(self, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        """The correction after one more frame."""
        inputs = np.column_stack([now, 3 * (now - before), self.names])
        features = inputs
        for layer in range(self.layers):
            features = self.attended(features, layer)
        w = self.weights
        gates = np.concatenate([inputs, features], 1) @ w["lstm.weight_ih_l0"].T + w["lstm.bias_ih_l0"]
        gates = gates + self.h @ w["lstm.weight_hh_l0"].T + w["lstm.bias_hh_l0"]
        i, f, g, o = np.split(gates, 4, axis=1)
        self.c = _sigmoid(f) * self.c + _sigmoid(i) * np.tanh(g)
        self.h = _sigmoid(o) * np.tanh(self.c)
        return (self.h @ w["head.weight"].T + w["head.bias"])[:, 0]

    def change(self, past: list[np.ndarray]) -> np.ndarray:
        """Of the linear path, from the newest frame to the oldest."""
        total = np.zeros(self.n)
        for i in range(self.n):
            total[i] = sum(self.linear["own"][i, lag] * x[i] for lag, x in enumerate(past))
            total[i] += sum(self.linear["level"][i, j] * past[0][j] for j in range(self.n))
            total[i] += sum(self.linear["change"][i, j] * (past[0][j] - past[1][j]) for j in range(self.n))
        return total

    def forecasts(self, x: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """x [lag + time, neuron] → (after every one of the `time` frames, `steps` on own forecasts after the last)."""
        lags = self.linear["own"].shape[1]
        frames = [row.astype(np.float64) for row in x]
        after = []
        for t in range(lags, len(frames)):
            past = [frames[t - lag] for lag in range(lags)]
            after.append(frames[t] + self.change(past) + self.correction(frames[t], frames[t - 1]))
        ahead = [np.clip(after[-1] * self.present, -50, 50)]
        while len(ahead) < steps:
            frames.append(ahead[-1])
            past = [frames[-1 - lag] for lag in range(lags)]
            following = frames[-1] + self.change(past) + self.correction(frames[-1], frames[-2])
            ahead.append(np.clip(following * self.present, -50, 50))
        return np.stack(after), np.stack(ahead)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="session")
def plain_v2() -> type[PlainV2]:
    return PlainV2


@pytest.fixture(scope="session")
def worm_of() -> Callable[..., Recording]:
    """`worm_of(signal, names, ...)` → a recording as the readers make it."""

    def make(
        signal: np.ndarray,
        names: list[str] | None = None,
        *,
        worm: str = "w0",
        source: str = "lab",
        dt_s: float = 0.3,
        time_s: np.ndarray | None = None,
        mask: np.ndarray | None = None,
        **labels: str,
    ) -> Recording:
        time_s = np.arange(len(signal)) * dt_s if time_s is None else time_s
        names = names or ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR", "AIBL", "AIBR"][: signal.shape[1]]
        known = {"source": source, "worm": worm, "indicator": "gcamp", "smooth_method": "none", **labels}
        step = float(np.median(np.diff(time_s))) * 1e3
        events = {"time_s": time_s}
        return Recording(f"{source}-{worm}", signal, step, "dF/F0", names, mask, events=events, labels=known)

    return make


@pytest.fixture(scope="session")
def walks(worm_of: Callable[..., Recording]) -> Callable[..., RecordingSet]:
    """`walks(4, frames=200, neurons=4)` → worms that decay to their mean at random, each its own."""

    def make(count: int, frames: int = 200, neurons: int = 4, seed: int = 0) -> RecordingSet:
        rng = np.random.default_rng(seed)
        drawn = []
        for k in range(count):
            x = np.zeros((frames, neurons))
            for t in range(1, frames):
                x[t] = 0.9 * x[t - 1] + rng.normal(size=neurons)
            drawn.append(worm_of(x.astype(np.float32), worm=f"w{k}"))
        return RecordingSet.of(drawn, meta={"kind": "worm"})

    return make


@pytest.fixture(scope="session")
def neuro() -> Callable[..., SimpleNamespace]:
    """`neuro("train", ...)` runs a command in this process with --json: code, answer, err."""
    from neurocli.cli.main import run

    def ask(*words: object) -> SimpleNamespace:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(word) for word in (*words, "--json")])
        assert "Traceback" not in out.getvalue() + err.getvalue()
        return SimpleNamespace(code=code, envelope=json.loads(out.getvalue()), err=err.getvalue())

    return ask
