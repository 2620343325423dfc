"""Pairs of neurons in a matrix [post, pre]: those between two neurons, by the type of the sender."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def between_neurons(neurons: int) -> NDArray[np.bool_]:
    """[post, pre] all pairs but those of a neuron with itself."""
    return ~np.eye(neurons, dtype=bool)


def pairs_by_sender(excitatory: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Type of sender, E and I → [post, pre] its pairs with other neurons; excitatory [neuron]."""
    others = between_neurons(len(excitatory))
    return {"E": others & excitatory[None, :], "I": others & ~excitatory[None, :]}
