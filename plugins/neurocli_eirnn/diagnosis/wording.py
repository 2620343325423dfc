"""How the findings of a session are worded: shares of trials, and lists of neurons that stay short."""

from __future__ import annotations

from neurocli.diagnosis.finding import Finding

SHARE_WARN, SHARE_FAIL = 0.01, 0.05
"""Shares of the trials above which a fault of single trials is one of the session."""
NEURON = "neuron id"
"""How neurons are named: by the data's own names, as in the tables of `evaluate`, never by their place."""


def of_trials(check: str, subject: str, bad: int, total: int, *, kinds: str = "", advice: str = "") -> Finding:
    """A fault that `bad` of `total` trials have; `kinds` says more about them."""
    share = bad / max(total, 1)
    value = (
        f"{bad} of {total} trials ({share:.1%})" + (f": {kinds}" if kinds else "") if bad else f"none of {total} trials"
    )
    threshold = f"≤ {SHARE_WARN:.0%}"
    return Finding.graded(check, subject, value, threshold, advice, warn=share > SHARE_WARN, fail=share > SHARE_FAIL)
