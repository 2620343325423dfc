"""The structure of the learned weights: strengths between types, how uneven they are, and the spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.nulls import NullBand
from neurocli.interpretation.shuffling import CHEAP_NULLS, exchanged_within, rows_exchanged
from neurocli.interpretation.weight_matrix import draw_weights
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_eirnn.evaluation.rates import COLOURS, Array, mean

SHUFFLES = 500
_TICKS_MS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
BLOCKS = (("E", "E"), ("E", "I"), ("I", "E"), ("I", "I"))
"""Sender and receiver."""


def learned_weights(network: nn.Module) -> tuple[Array, NDArray[np.bool_]]:
    """(weights [post, pre], excitatory [unit]) of a model of this family."""
    model: Any = network
    weights = model.weights.detach().cpu().numpy().astype(np.float64)
    return weights, (model.sign.detach().cpu().numpy() > 0).reshape(-1)


def block(weights: Array, excitatory: NDArray[np.bool_], sender: str, receiver: str) -> tuple[Array, NDArray[np.bool_]]:
    """(strengths |w| [post, pre] from one type to another, bool like it: not of a unit to itself)."""
    post, pre = (np.where(excitatory if kind == "E" else ~excitatory)[0] for kind in (receiver, sender))
    return np.abs(weights[np.ix_(post, pre)]), post[:, None] != pre[None, :]


def gini(values: Array, valid: NDArray[np.bool_] | None = None) -> Array:
    """Gini coefficient down the first axis: 0 where all are equal, near 1 where one has everything; NaN where all are 0.

    valid: bool like `values`, False where an entry takes no part.
    """
    values = np.asarray(values, np.float64)
    valid = np.ones(values.shape, bool) if valid is None else valid
    n = valid.sum(0)
    # Entries that take no part are sorted to the front as zeros, and the ranks of the others begin at one.
    ordered = np.sort(np.where(valid, values, -1.0), axis=0)
    places = np.arange(1, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1))
    rank = places - (len(values) - n)
    total = np.where(valid, values, 0.0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        uneven = (2 * (np.where(rank > 0, rank * ordered, 0.0)).sum(0) - (n + 1) * total) / (n * total)
    return np.where(total > 0, uneven, np.nan)


def entropy(values: Array, valid: NDArray[np.bool_] | None = None) -> Array:
    """Entropy of the shares down the first axis over that of equal shares: 1 where all are equal; NaN where all are 0."""
    values = np.asarray(values, np.float64)
    valid = np.ones(values.shape, bool) if valid is None else valid
    n, counted = valid.sum(0), np.where(valid, values, 0.0)
    total = counted.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counted / total
        bits = -np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0).sum(0) / np.log(n)
    return np.where((total > 0) & (n > 1), bits, np.nan)


def against_shuffle(strengths: Array, valid: NDArray[np.bool_], seed: int) -> dict[str, NullBand]:
    """Measure → the mean over senders of that of their outgoing weights, beside what chance gives.

    The shuffle puts the same weights at random places within the block: it keeps how strong they are, and forgets who sends
    to whom.
    """
    measures = {"Gini": gini, "entropy": entropy}

    def measured(values: Array) -> list[float]:
        return [mean(measure(values, valid)) for measure in measures.values()]

    rng = np.random.default_rng(seed)
    shuffles = range(SHUFFLES if valid.any() else 0)
    nulls = np.array([measured(exchanged_within(strengths, (valid,), rng)) for _ in shuffles]).reshape(-1, 2)
    return {
        name: NullBand.of(value, null) for name, value, null in zip(measures, measured(strengths), nulls.T, strict=True)
    }


def weight_exhibits(trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """The blocks of W between types, and its spectrum."""
    weights, excitatory = learned_weights(trained.network)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for sender, receiver in BLOCKS:
        strengths, valid = block(weights, excitatory, sender, receiver)
        name = f"{sender}→{receiver}"
        if not valid.any():
            continue
        measured = against_shuffle(strengths, valid, trained.seed)
        strength = mean(strengths[valid])
        values = [strength, float(np.where(valid, strengths, 0).sum(1).mean())]
        values += [v for band in measured.values() for v in (band.value, band.low, band.high)]
        rows.append([name, int(valid.sum()), *map(finite_or_none, values)])
        claims[f"strength_{name}"] = finite_or_none(strength)
        for measure, band in measured.items():
            claims[f"{measure.lower()}_{name}"] = {
                "value": finite_or_none(band.value),
                "chance_low": finite_or_none(band.low),
                "chance_high": finite_or_none(band.high),
            }
    columns = ["from → to", "weights", "mean strength", "strength per receiver"]
    columns += ["Gini", "chance low", "chance high", "entropy", "chance low", "chance high"]
    mixed = not bool(((weights >= 0).all(0) | (weights <= 0).all(0)).all())
    note = (
        "strength: |w|. Gini and entropy: how unevenly a sender's weights are distributed over its receivers, mean over senders. "
        f"Chance: 95 % of {SHUFFLES} shuffles of the weights between the two types; outside of it, senders differ in selectivity for "
        "receivers or in strength. Initial weights under Dale's law are gamma-distributed, with a Gini of 0.375"
    ) + (". Dale's law is off: weights of a unit have both signs, whatever its type is called" if mixed else "")
    path = figures / "weights.png"
    _draw(trained, weights, excitatory, path)
    return [
        Exhibit("weights", "Weights between types", Table(columns, rows, note), path, claims),
        _spectrum(trained, weights, excitatory, figures),
    ]


def _draw(trained: TrainedModel, weights: Array, excitatory: NDArray[np.bool_], path: Path) -> None:
    with saved_figure(path, ncols=2, width=10, height=4.2) as (figure, axes):
        limit = float(np.percentile(np.abs(weights), 99.5)) or 1.0
        picture = draw_weights(axes[0], weights, limit, excitatory)
        axes[0].set(xlabel="from unit (E, then I)", ylabel="to unit (E, then I)")
        axes[0].set_title(
            f"learned weights of {int(excitatory.sum())} E and {int((~excitatory).sum())} I units", fontsize=9
        )
        figure.colorbar(picture, ax=axes[0], label="weight", extend="both")
        top = float(np.abs(weights).max()) or 1.0
        bins = np.geomspace(top * 1e-4, top, 40)
        for sender, receiver in BLOCKS:
            strengths, valid = block(weights, excitatory, sender, receiver)
            if valid.any():
                clipped = np.maximum(strengths[valid], bins[0])
                axes[1].hist(
                    clipped,
                    bins=bins,
                    weights=np.full(clipped.size, 1 / clipped.size),
                    histtype="step",
                    lw=1.5,
                    color=COLOURS[sender],
                    ls="-" if receiver == "E" else "--",
                    label=f"{sender} → {receiver}",
                )
        axes[1].set(
            xscale="log",
            xlabel="strength |w|; smaller ones are in the first bin",
            ylabel="share of the weights between the types",
        )
        axes[1].legend(fontsize=8, loc="upper left")


def _spectrum(trained: TrainedModel, weights: Array, excitatory: NDArray[np.bool_], figures: Path) -> Exhibit:
    """Eigenvalues of W, beside those of W with each row's weights exchanged within the type of their senders."""
    rng = np.random.default_rng(trained.seed)
    eigenvalues = np.linalg.eigvals(weights)
    shuffles = [np.linalg.eigvals(rows_exchanged(weights, excitatory, rng)) for _ in range(CHEAP_NULLS)]
    radius = NullBand.of(float(np.abs(eigenvalues).max()), np.array([np.abs(values).max() for values in shuffles]))
    real = NullBand.of(float(eigenvalues.real.max()), np.array([values.real.max() for values in shuffles]))
    inhibition = np.maximum(-weights, 0).sum()
    balance = float(np.maximum(weights, 0).sum() / inhibition) if inhibition > 0 else float("nan")
    network: Any = trained.network
    alpha = np.broadcast_to(np.asarray(network.alpha.detach().cpu().numpy(), np.float64), (len(weights),))
    tau = float(trained.dataset.spec["bin_ms"]) / np.maximum(alpha, 1e-6)
    rows: list[list[Any]] = []
    for name, band in (("spectral radius", radius), ("largest real part", real)):
        rows.append([name, band.value])
        ends = (("mean", band.mean), ("2.5 %", band.low), ("97.5 %", band.high))
        rows += [[f"  rows shuffled: {end}", value] for end, value in ends]
    rows += [
        ["excitation / inhibition, sums of weights", finite_or_none(balance)],
        ["time constant (ms), median", float(np.median(tau))],
        ["  5 % quantile", float(np.percentile(tau, 5))],
        ["  95 % quantile", float(np.percentile(tau, 95))],
    ]
    path = figures / "spectrum.png"
    with saved_figure(path, ncols=2, width=9, height=3.8) as (_, axes):
        circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
        axes[0].plot(circle.real, circle.imag, color="0.8", lw=0.8, label="|λ| = 1")
        axes[0].plot(shuffles[0].real, shuffles[0].imag, "x", color="0.55", ms=4, label="shuffled rows")
        axes[0].plot(eigenvalues.real, eigenvalues.imag, "o", color="k", ms=4, label="learned")
        axes[0].set(xlabel="real part", ylabel="imaginary part", aspect="equal")
        axes[0].set_title("eigenvalues of the recurrent weights", fontsize=9)
        axes[0].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.02, 1))
        for (name, colour), kind in zip(COLOURS.items(), (excitatory, ~excitatory), strict=True):
            if kind.any():
                axes[1].plot(np.sort(tau[kind]), np.linspace(0, 1, int(kind.sum())), ".-", color=colour, label=name)
        axes[1].set(xscale="log", xlabel="time constant (ms)", ylabel="cumulative share of units")
        axes[1].set_title("time constants", fontsize=9)
        ticks = [t for t in _TICKS_MS if tau.min() / 1.5 <= t <= tau.max() * 1.5]
        axes[1].set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes[1].set_xlim(tau.min() / 1.6, tau.max() * 1.6)
        axes[1].minorticks_off()
        axes[1].legend(fontsize=8)
    claims = {
        "spectral_radius": radius.value,
        "spectral_radius_shuffled": radius.mean,
        "spectral_radius_p": radius.p,
        "excitation_over_inhibition": finite_or_none(balance),
        "median_time_constant_ms": float(np.median(tau)),
    }
    note = (
        "eigenvalues are those of the recurrent weights alone. Leak and slope of softplus, which is below 1, are not in them, so "
        "that a network with a radius above 1 need not be unstable. Rows shuffled: each unit's incoming weights exchanged among "
        f"senders of one type, {CHEAP_NULLS} times (the figure shows one). Time constant: bin width over alpha, of all units"
    )
    return Exhibit("spectrum", "Spectrum of the recurrent weights", Table(["", "value"], rows, note), path, claims)
