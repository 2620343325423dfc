"""Where the inputs of a simulated cell are on its dendrite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.data.dataset import SimulationData


def distance_of(dataset: SimulationData) -> NDArray[np.float64] | None:
    """[input] um from the soma along the tree; None where the recordings do not tell."""
    truth = dataset.recordings.truth
    if "input_distance_um" in truth:
        distance_um = np.asarray(truth["input_distance_um"], np.float64)
    elif "distance_um" in truth:
        distance_um = np.tile(np.asarray(truth["distance_um"], np.float64), 2)  # a segment has an input of either kind
    else:
        return None
    return distance_um if distance_um.shape == (dataset.channels,) and np.isfinite(distance_um).all() else None
