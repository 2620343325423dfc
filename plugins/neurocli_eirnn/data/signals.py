"""What a session's inputs show of its labels: which of a group of channels was on in a trial."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_eirnn.data.session import LOCATIONS, Session

FEATURES, SALIENCE = slice(9, 12), slice(12, 14)
EYE = slice(7, 9)
ONE_HOT = {"location": LOCATIONS, "identity": FEATURES, "salience": SALIENCE}
"""Which channels say what a label says: channel k of a group is on in trials with label k + 1."""


def shown(inputs: NDArray[np.floating], name: str) -> NDArray[np.int64]:
    """[trial] the value of a label that inputs [trial, time, 14] show; 0 where they show none."""
    on = np.any(inputs[:, :, ONE_HOT[name]] > 0.5, axis=1)
    return np.where(np.any(on, axis=1), on.argmax(axis=1) + 1, 0)


def contradicted(session: Session, name: str) -> NDArray[np.int64]:
    """Trials whose inputs show another value than the label; a signal that is missing is a fault of its own."""
    seen = shown(session.inputs, name)
    return np.flatnonzero((seen > 0) & (seen != session.labels[name]))


def odd_task_values(session: Session) -> NDArray[np.bool_]:
    """[trial] whether a task channel holds anything but 0 and 1."""
    task = np.delete(session.inputs, EYE, axis=2)
    return np.asarray((np.isfinite(task) & (task != 0) & (task != 1)).any(axis=(1, 2)))
