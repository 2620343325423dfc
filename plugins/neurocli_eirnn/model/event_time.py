"""Functions of time since each event and of time in the trial: what a linear model of the task may be made of.

Everything is read off the inputs and is causal: an event counts from its onset on, a location, a target's features and the reward's cue from
when they are shown on. With the inputs of an event switched off, its functions are zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_eirnn.data.session import FIXATION, GO, INPUT_NAMES, LOCATIONS, REWARD

KERNELS, KERNEL_MS, KERNEL_OFFSET_MS = 12, 1500.0, 50.0
TIMES = 16
"""Functions of time in the trial, at equal distances."""
PRODUCT_SIZE = 0.7
"""Size of functions that hold for one location, reward or feature beside those for all: the smaller, the more a penalty shrinks them."""
EYE_LAGS = 5
EYE = slice(INPUT_NAMES.index("eye_x"), INPUT_NAMES.index("eye_y") + 1)
FEATURES = slice(INPUT_NAMES.index("is_face"), INPUT_NAMES.index("low_salience") + 1)
CUE = len(INPUT_NAMES)
"""Channel of the reward's cue, where there is one."""


def features(inputs: torch.Tensor, bin_ms: float) -> torch.Tensor:
    """Functions [trial, time, function] of inputs [trial, time, input]."""
    return torch.cat([(by[..., None] * course[:, :, None, :]).flatten(2) for course, by in _blocks(inputs, bin_ms)], 2)


def feature_array(inputs: NDArray[np.float32], bin_ms: float) -> NDArray[np.float32]:
    """`features` of an array."""
    with torch.no_grad():
        return features(torch.from_numpy(inputs), bin_ms).numpy()


def weighted(inputs: torch.Tensor, coefficients: torch.Tensor, bin_ms: float) -> torch.Tensor:
    """`features(inputs) @ coefficients` [trial, time, neuron], without the functions in memory."""
    total: torch.Tensor | float = 0.0
    at = 0
    for course, by in _blocks(inputs, bin_ms):
        size = by.shape[2] * course.shape[2]
        block = coefficients[at : at + size].unflatten(0, (by.shape[2], course.shape[2]))
        at += size
        if by.shape[1] == 1:  # what a function holds for stays the same through the trial
            total = total + course @ torch.einsum("nc,ckm->nkm", by[:, 0], block)
        else:
            total = total + torch.einsum("ntc,tcm->ntm", by, torch.einsum("tk,ckm->tcm", course[0], block))
    assert isinstance(total, torch.Tensor)
    return total


def count(num_inputs: int) -> int:
    """How many functions there are of so many inputs."""
    with torch.no_grad():
        return features(torch.zeros(1, 2, num_inputs), 25.0).shape[2]


def _blocks(inputs: torch.Tensor, bin_ms: float) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Blocks of functions as products of (courses [trial or 1, time, course], what each holds for [trial, time or 1, by])."""
    trials, steps = inputs.shape[:2]
    kernels = torch.from_numpy(raised_cosines(steps, bin_ms)).to(inputs)
    place = inputs[..., LOCATIONS]
    cue = inputs[..., CUE:].sign()
    ones = torch.ones(trials, 1).to(inputs)
    signals = {
        "fixation": (inputs[..., FIXATION], []),
        "target": (place.amax(-1), [place, inputs[..., FEATURES], cue]),
        "go": (inputs[..., GO], [place, cue]),
        "reward": (inputs[..., REWARD], [place, cue]),
    }
    row = torch.arange(trials, device=inputs.device)
    for signal, products in signals.values():
        on = signal > 0.5
        happens, onset = on.any(1), on.int().argmax(1)
        since = torch.arange(steps, device=inputs.device) - onset[:, None]
        course = kernels[since.clamp_min(0)] * ((since >= 0) & happens[:, None])[..., None]
        by = torch.cat([ones, *(PRODUCT_SIZE * product[row, onset] for product in products)], 1)
        yield course, by[:, None]
    times = torch.from_numpy(bumps(steps)).to(inputs)
    yield times[None], torch.cat([ones[:, None].expand(-1, steps, -1), PRODUCT_SIZE * place, PRODUCT_SIZE * cue], 2)
    eye = inputs[..., EYE]
    bins = torch.arange(steps, device=inputs.device)
    before = torch.cat([eye[:, (bins - lag).clamp_min(0)] for lag in range(EYE_LAGS)], 2)
    yield torch.ones(1, steps, 1).to(inputs), before


def raised_cosines(steps: int, bin_ms: float) -> NDArray[np.float64]:
    """[steps since an event, KERNELS] raised cosines on a logarithmic axis, as for spike history (Pillow et al. 2008); 0 after
    KERNEL_MS."""
    bins = round(KERNEL_MS / bin_ms)
    place = np.log(np.arange(max(steps, bins)) * bin_ms + KERNEL_OFFSET_MS)
    centres = np.linspace(place[0], place[bins - 1], KERNELS)
    phase = (place[:, None] - centres) / (centres[1] - centres[0]) * np.pi / 2
    cosines = (np.cos(np.clip(phase, -np.pi, np.pi)) + 1) / 2
    cosines[bins:] = 0
    return cosines[:steps]


def bumps(steps: int) -> NDArray[np.float64]:
    """[steps, TIMES] raised cosines of equal width over a trial."""
    centres = np.linspace(0, steps - 1, TIMES)
    phase = (np.arange(steps)[:, None] - centres) / max(centres[1] - centres[0], 1e-9) * np.pi / 2
    return (np.cos(np.clip(phase, -np.pi, np.pi)) + 1) / 2
