"""Checks of a network's weights: Dale's law, the diagonal, time constants, spectral radius, balance, units by type."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import information
from neurocli_eirnn.data.session import EXCITATORY
from neurocli_eirnn.diagnosis.rollout import Rollout, rollout_finding

RADIUS_LOW, RADIUS_HIGH, RADIUS_FAIL = 0.5, 1.2, 2.0
LARGEST_IMBALANCE = 2.0


def weight_findings(network: Any, subject: str, rolled: Rollout | None = None) -> list[Finding]:
    """Every check of `weights` [post, pre], `sign` [unit] and `alpha` of a module; what it does not have is not checked.

    rolled: how a trained module's states behave, which says more about a large spectral radius than the weights can.
    """
    weights = network.weights.detach().cpu().numpy().astype(np.float64)
    sign = network.sign.detach().cpu().numpy()
    alpha = np.atleast_1d(network.alpha.detach().cpu().numpy())
    findings = [_constraints(weights, sign, alpha, subject), _radius(weights, subject, rolled)]
    if rolled is not None:
        findings.append(rollout_finding(rolled, subject))
    findings.append(_balance(weights, sign, subject))
    ranges = [
        f"{name} {values.min():.3g} to {values.max():.3g}"
        for name, values in _weight_groups(network, weights, sign, alpha)
    ]
    return [*findings, information("weight-ranges", subject, ", ".join(ranges))]


def _weight_groups(network: Any, weights: Any, sign: Any, alpha: Any) -> list[tuple[str, Any]]:
    others = ~np.eye(len(weights), dtype=bool)
    groups = [(name, (weights + 0.0)[others & side[None, :]]) for name, side in (("E", sign > 0), ("I", sign < 0))]
    groups.append(("alpha", alpha))
    input_weights = getattr(network, "input_weights", None)
    if input_weights is not None:
        groups.append(("input", input_weights.detach().cpu().numpy()))
    return [(name, values) for name, values in groups if values.size]


def _constraints(weights: Any, sign: Any, alpha: Any, subject: str) -> Finding:
    """No unit has outputs of both signs or drives itself, and 0 < alpha < 1: exactly, not nearly."""
    wrong_sign = int((weights * sign[None, :] < 0).sum())
    self_connections = int((np.diag(weights) != 0).sum())
    outside = int((~((alpha > 0) & (alpha < 1))).sum())
    broken = [
        f"{n} {fault}"
        for n, fault in (
            (wrong_sign, "weights of the wrong sign"),
            (self_connections, "self-connections"),
            (outside, "alpha outside 0 to 1"),
        )
        if n
    ]
    return Finding.graded(
        "dale",
        subject,
        ", ".join(broken) or "holds exactly",
        "signs by type, no self-connections, 0 < alpha < 1",
        "this network does not obey Dale's law: results about its types do not hold",
        fail=broken,
    )


def _radius(weights: Any, subject: str, rolled: Rollout | None) -> Finding:
    """A radius that is too large matters where activity runs away; where rollouts say that it does not, it passes."""
    radius = float(np.abs(np.linalg.eigvals(weights)).max()) if np.isfinite(weights).all() else np.nan
    threshold = f"{RADIUS_LOW:g} to {RADIUS_HIGH:g}"
    if rolled is not None:
        threshold += ", or bounded rollouts"
    high = not radius <= RADIUS_HIGH
    if RADIUS_LOW <= radius <= RADIUS_HIGH or (high and np.isfinite(radius) and rolled is not None and rolled.bounded):
        return Finding("spectral-radius", subject, PASS, radius, threshold)
    verdict = FAIL if not radius <= RADIUS_FAIL else WARN
    advice = (
        "recurrent activity may run away: use more weight decay, or a lower model.spectral_radius at the start"
        if high
        else "recurrent weights are too small to matter: raise model.spectral_radius, or train longer"
    )
    return Finding("spectral-radius", subject, verdict, radius, threshold, advice)


def _balance(weights: Any, sign: Any, subject: str) -> Finding:
    """Summed excitation over summed inhibition of a unit, median over units."""
    excitation = weights[:, sign > 0].sum(1)
    inhibition = -weights[:, sign < 0].sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.median(excitation / inhibition)) if (sign < 0).any() else np.inf
    balanced = 1 / LARGEST_IMBALANCE <= ratio <= LARGEST_IMBALANCE
    return Finding.graded(
        "ei-balance",
        subject,
        ratio,
        f"{1 / LARGEST_IMBALANCE:g} to {LARGEST_IMBALANCE:g}",
        "excitation and inhibition differ by more than a factor of two: rescale the inhibitory weights",
        warn=not balanced,
    )


def unit_finding(network: Any, neuron_type: Any, subject: str) -> Finding:
    """Every recorded neuron is on a unit of its own type."""
    sign = network.sign.detach().cpu().numpy()[network.unit_of_neuron.detach().cpu().numpy()]
    excitatory = np.asarray(neuron_type) == EXCITATORY
    i_on_e, e_on_i = int((~excitatory & (sign > 0)).sum()), int((excitatory & (sign < 0)).sum())
    wrong = [f"{n} {mismatch}" for n, mismatch in ((i_on_e, "I on an E unit"), (e_on_i, "E on an I unit")) if n]
    return Finding.graded(
        "unit-map",
        subject,
        ", ".join(wrong) or "every neuron on a unit of its own type",
        "units of their own type",
        "results about types do not hold: place neurons on units by type (eirnn-v2, or model.map_by_type=true)",
        fail=wrong,
    )
