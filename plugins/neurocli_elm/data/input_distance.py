"""Where the inputs of a simulated cell are on its dendrite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.data.dataset import SimulationData


def distance_of(data: SimulationData) -> NDArray[np.float64] | None:
    """[input] um from the soma along the tree; None where the recordings do not tell."""
    truth = data.recordings.truth
    if "input_distance_um" in truth:
        found = np.asarray(truth["input_distance_um"], np.float64)
    elif "distance_um" in truth:
        found = np.tile(np.asarray(truth["distance_um"], np.float64), 2)  # a segment has an input of either kind
    else:
        return None
    return found if found.shape == (data.channels,) and np.isfinite(found).all() else None
