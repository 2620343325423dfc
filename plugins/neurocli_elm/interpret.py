"""What a trained neuron has learned, the untrained one beside it; for simulated cells held against the known dendrite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import Trained
from neurocli_elm.ablation import ablation_exhibit
from neurocli_elm.attribution import Attribution, attribution_exhibit, attribution_of, spike_places
from neurocli_elm.control import untrained_neuron
from neurocli_elm.data import SimulationData
from neurocli_elm.kernels import Kernels, kernel_exhibit, kernels_of
from neurocli_elm.memory_spectrum import spectrum_exhibit
from neurocli_elm.model import ElmNeuron
from neurocli_elm.recovery import RESPONSE, SPIKES, recovery_exhibit


def interpretation_exhibits(trained: Trained, figures: Path) -> list[Exhibit]:
    """All exhibits, on test simulations; what needs output spikes or known truth says so where there is none."""
    data, module = trained.data, trained.module
    assert isinstance(data, SimulationData) and isinstance(module, ElmNeuron)
    device = next(module.parameters()).device
    blank = untrained_neuron(trained.config, data.spec, module.options.version, trained.seed).to(device)
    part = next(part for part in ("test", "validation", "train") if data.split.groups(part))
    kernels = kernels_of(module, data, part), kernels_of(blank, data, part)
    found = [
        kernel_exhibit(*kernels, module, data, figures),
        spectrum_exhibit(module, blank, data, part, figures),
    ]
    spikes, others = spike_places(data, part)
    at_spikes = before = None
    if spikes and others:
        at_spikes, before = (attribution_of(m, data, spikes) for m in (module, blank))
        elsewhere = [attribution_of(m, data, others) for m in (module, blank)]
        found.append(attribution_exhibit(data, (at_spikes, elsewhere[0]), (before, elsewhere[1]), figures))
    else:
        found.append(
            Exhibit("attribution", f"What a spike is put down to: the {part} simulations have no output spike")
        )
    found.append(recovery_exhibit(data, _scores(kernels[0], at_spikes), _scores(kernels[1], before), figures))
    found.append(ablation_exhibit(module, blank, data, part, figures))
    return found


def _scores(kernels: Kernels, spikes: Attribution | None) -> dict[str, NDArray[np.float64]]:
    """What each input does, positive where it does as its kind should."""
    response = kernels.of_input.sum(0) * kernels.sign
    unknown = np.full(len(response), np.nan)
    return {RESPONSE: response, SPIKES: unknown if spikes is None else spikes.per_event * kernels.sign}
