"""The two outputs of a model of a cell, and of the networks that it is compared with."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch

from neurocli_elm.data.windows import SOMA_SCALE_MV


class Output(IntEnum):
    """Columns of an output [..., 2], as published: the logit of a spike, and the soma's voltage in units of 10 mV above -67.7 mV."""

    SPIKE = 0
    SOMA = 1


OUTPUT_NAMES = tuple(output.name.lower() for output in Output)


class NeuronioOutput(NamedTuple):
    """Spike probability per step and soma voltage in mV above -67.7, each [sample, time]."""

    spike_probability: torch.Tensor
    soma_mv: torch.Tensor


def in_units(y: torch.Tensor) -> NeuronioOutput:
    """Outputs [..., 2] in the units of the published evaluation."""
    return NeuronioOutput(torch.sigmoid(y[..., Output.SPIKE]), SOMA_SCALE_MV * y[..., Output.SOMA])
