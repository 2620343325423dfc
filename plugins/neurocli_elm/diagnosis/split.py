"""Whether simulations can be split, and whether the test simulations can be scored."""

from __future__ import annotations

import numpy as np

from neurocli.diagnosis.finding import FAIL, PASS, Finding, judged
from neurocli.errors import DataError
from neurocli.recordings.split import PARTS
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.evaluation.spike_metrics import fewest_positives


def part_of_group(dataset: SimulationData) -> dict[str, str]:
    """Simulation → the part of the split that it is in."""
    return {group: part for part in PARTS for group in dataset.split.groups(part)}


def usable_findings(dataset: SimulationData | None, trouble: DataError | None, config: NeuronioConfig) -> list[Finding]:
    """Whether a training takes the recordings as they are, and how many output spikes the test has."""
    threshold = "can be split into training, validation and test"
    if dataset is None:
        assert trouble is not None
        return [Finding("usable", "data", FAIL, trouble.message, threshold, trouble.hint or "")]
    sizes = [len(dataset.split.groups(part)) for part in PARTS]
    text = f"simulations: {sizes[0]} training, {sizes[1]} validation, {sizes[2]} test"
    return [Finding("usable", "data", PASS, text, threshold), positives_finding(dataset, config)]


def positives_finding(dataset: SimulationData, config: NeuronioConfig) -> Finding:
    """How many steps with a spike the test simulations have, against the number that an interval of the AUC needs."""
    _, scored = spike_counts(dataset, config)
    advice = (
        "no step with an output spike, so that the AUC is undefined: bring more simulations, or change data.split_seed"
    )
    if scored:
        advice = "too few steps with an output spike for an interval of the AUC: bring more or longer simulations"
    needed = fewest_positives(len(dataset.split.test))
    return judged(
        "test-spikes", "steps with an output spike, test", scored, warn=needed, fail=1, low=True, advice=advice
    )


def spike_counts(dataset: SimulationData, config: NeuronioConfig) -> tuple[int, int]:
    """Output spikes of the test simulations: how many there are, and at how many of the scored steps."""
    events = [
        np.asarray(dataset.load(group).events.get(dataset.options.event, ()), np.int64) for group in dataset.split.test
    ]
    first = config.data.burn_in_ms
    return sum(len(steps) for steps in events), sum(len(np.unique(steps[steps >= first])) for steps in events)
