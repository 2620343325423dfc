"""What a trained network loses with a part of it switched off: recurrent weights by type, groups of inputs."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.evaluation.intervals import paired
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.session import CUE_NAME, INPUT_NAMES
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.evaluation.rates import SMOOTHING_MS, Array, mean, model_inputs, ratio, test_rows, within

RUNAWAY_HZ = 10_000.0
"""Without its inhibition a network may run away; rates are cut off here, so that they stay numbers."""
RUNS_AWAY = "runs away"
INPUT_GROUPS = {
    "fixation": ("fixation_on",),
    "location": ("target_loc_1", "target_loc_2", "target_loc_3", "target_loc_4"),
    "go": ("go_signal",),
    "reward": ("reward_on",),
    "eye": ("eye_x", "eye_y"),
    "identity": ("is_face", "is_nonface", "is_bullseye"),
    "salience": ("high_salience", "low_salience"),
    "reward cue": (CUE_NAME,),
}
WEIGHTS, INPUTS, LINEAR = "weights", "inputs", "linear"


def takes_weights(network: Any) -> bool:
    """Whether a model can be run with other recurrent weights than its own."""
    states, readout = getattr(network, "states", None), getattr(network, "readout", None)
    return states is not None and readout is not None and "weights" in inspect.signature(states).parameters


def cut_weights(network: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """(what is off, weights [post, pre] without it) for senders, and for pairs of types."""
    whole = network.weights.detach()
    sign = network.sign.reshape(-1)
    yield "all recurrence", torch.zeros_like(whole)
    types = {"E": sign > 0, "I": sign < 0}
    for name, sender in types.items():
        yield f"{name} → all", whole * ~sender[None, :]
    for name, sender in types.items():
        for other, receiver in types.items():
            yield f"{name} → {other}", whole * ~(receiver[:, None] & sender[None, :])
    hidden = torch.ones(len(sign), dtype=torch.bool, device=sign.device)
    hidden[network.unit_of_neuron] = False
    if hidden.any():
        yield "hidden → all", whole * ~hidden[None, :]


@torch.no_grad()
def ablated_rates(trained: TrainedModel, rows: NDArray[np.int64]) -> Iterator[tuple[str, str, Array]]:
    """(kind, what is off, rates [trial, time, neuron] in sp/s on trials `rows`), the whole model first."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    network: Any = trained.network
    inputs = model_inputs(network, dataset, rows)
    linear = getattr(network, "linear_path", False)

    def with_weights(chunk: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        rates = network.readout(network.states(chunk, weights=weights))
        return network.with_linear(rates, chunk) if linear else rates

    def run(inputs: torch.Tensor, weights: torch.Tensor | None = None) -> Array:
        chunks = [network(chunk) if weights is None else with_weights(chunk, weights) for chunk in inputs.split(256)]
        rates = torch.cat(chunks).nan_to_num(RUNAWAY_HZ, RUNAWAY_HZ).clamp_max(RUNAWAY_HZ)
        return within(dataset, rows, rates.cpu().numpy())

    yield "", "nothing", run(inputs)
    if takes_weights(network):
        for name, weights in cut_weights(network):
            with _plain_scan(network):
                rates = run(inputs, weights)
            yield WEIGHTS, name, rates
    if linear:
        for name, rates_of in (
            ("linear path (network alone)", network.network_rates),
            ("network (linear path alone)", network.linear_rates),
        ):
            alone = torch.cat([rates_of(chunk) for chunk in inputs.split(256)])
            yield LINEAR, name, within(dataset, rows, alone.cpu().numpy())
    for name, channels in INPUT_GROUPS.items():
        indices = [n for n, name in enumerate((*INPUT_NAMES, CUE_NAME)[: inputs.shape[-1]]) if name in channels]
        if indices and bool(inputs[..., indices].any()):
            silenced = inputs.clone()
            silenced[..., indices] = 0
            yield INPUTS, f"{name} input", run(silenced)
    yield INPUTS, "all inputs", run(torch.zeros_like(inputs))


@contextlib.contextmanager
def _plain_scan(network: Any) -> Iterator[None]:
    """The recurrence as a torch loop: the compiled one is made for states that stay finite."""
    before = getattr(network, "compiled", None)
    network.compiled = False
    try:
        yield
    finally:
        network.compiled = before


def ablation_exhibit(trained: TrainedModel, figures: Path) -> Exhibit:
    """r under 50 ms on the test trials without each part, and the interval of the change over trials."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    rows_tested = test_rows(dataset)
    target = dataset.rates[rows_tested].astype(np.float64)
    metric = PsthCorrelation(SMOOTHING_MS, dataset.bin_ms)
    rows: list[list[Any]] = []
    bars: list[tuple[str, str, float, float, float]] = []
    runaways: list[str] = []
    whole: Array | None = None
    for kind, name, rates in ablated_rates(trained, rows_tested):
        statistics = np.stack([metric.statistics(t, m) for t, m in zip(target, rates, strict=True)])
        value = finite_or_none(metric.value(statistics.sum(0)))
        rate: float | str | None = finite_or_none(
            mean(ratio(np.nanmean(rates, axis=(0, 1)), np.nanmean(target, axis=(0, 1))))
        )
        if bool((rates >= RUNAWAY_HZ).any()):
            runaways.append(name)
            rate = RUNS_AWAY
        if whole is None:
            whole = statistics
            rows.append([name, value, None, None, None, rate])
            continue
        change = paired(metric, statistics, whole)
        rows.append([name, value, *(finite_or_none(v) for v in (change.value, change.low, change.high)), rate])
        bars.append((kind, name, change.value, change.low, change.high))
    r = rows[0][1]
    path = figures / "ablation.png"
    _draw(bars, r, runaways, path)
    note = (
        f"{len(rows_tested)} test trials; 95 % intervals of the change over the same trials with and without the part. The other "
        "parts are not fitted again and leave their operating point, so that a lower r shows that this network uses the part, "
        f"and not that no network could do without it. {RUNS_AWAY}: some rate reaches the limit of {RUNAWAY_HZ:,.0f} sp/s, and then r "
        "and its change mean nothing"
    )
    if not takes_weights(trained.network):
        note += ". This model cannot be run with other recurrent weights, so that only inputs are switched off"
    claims: dict[str, Any] = {"r_50ms": r, "runs_away": runaways}
    claims |= {f"change_without_{name}": finite_or_none(change) for _, name, change, _, _ in bars}
    columns = ["switched off", "r (50 ms)", "change", "low", "high", "rate ratio"]
    return Exhibit("ablation", "Ablation: r without each part of the model", Table(columns, rows, note), path, claims)


def _draw(bars: list[tuple[str, str, float, float, float]], r: float | None, runaways: list[str], path: Path) -> None:
    colours = {WEIGHTS: "#6a51a3", INPUTS: "#2e8b57", LINEAR: "#b8860b"}
    with saved_figure(path, width=6.5, height=0.27 * len(bars) + 1.3) as (_, axis):
        for place, (kind, name, change, low, high) in enumerate(bars):
            if name in runaways:
                axis.text(0, place, f"{RUNS_AWAY} ", color="#c0392b", ha="right", va="center", fontsize=8)
                continue
            axis.barh(place, change, color=colours[kind], height=0.7)
            if np.isfinite(low):
                axis.plot([low, high], [place, place], color="k", lw=1)
        axis.axvline(0, color="k", lw=0.8)
        if r is not None:
            axis.axvline(-r, color="0.6", lw=0.8, ls="--")
        axis.annotate(
            "r = 0",
            (-(r or 0), 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -9),
            textcoords="offset points",
            fontsize=8,
            color="0.4",
        )
        axis.set_yticks(range(len(bars)), [bar[1] for bar in bars], fontsize=8)
        axis.invert_yaxis()
        axis.set(xlabel=f"change of r (50 ms) on the test trials; whole model: {r or 0:.2f}")
        axis.set_title("part that is switched off; lines: 95 % intervals over trials", fontsize=9)
