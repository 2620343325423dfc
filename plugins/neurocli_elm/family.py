"""The models of the family: ELM neurons, which take any task. What they are published for are the tasks beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.config import FamilyConfig
from neurocli.diagnosis import Finding
from neurocli.plugin.cards import TaskCard
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import Imported, TrainedModel
from neurocli.plugin.task import SequenceModel
from neurocli.recordings import Dataset
from neurocli_elm.config import BranchSequenceNeuronConfig, ElmConfig, ElmV2Config, NeuronConfig, SequenceNeuronConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.model.build import config_of, options_of
from neurocli_elm.model.checkpoint import read_checkpoint
from neurocli_elm.model.neuron import ElmNeuron


class _Elm(SequenceModel):
    """An ELM neuron. OfCells: the configuration on simulated cells, which it was published for."""

    version: ClassVar[int]
    OfCells: ClassVar[type[FamilyConfig]]

    def config_class(self, task: TaskCard, sections: type[FamilyConfig]) -> type[FamilyConfig]:
        return self.OfCells if task.name == self.card.task else super().config_class(task, sections)

    def build_sequence(
        self,
        options: NeuronConfig,
        num_inputs: int,
        num_outputs: int,
        *,
        steps: int | None = None,
        delta_t: float = 1.0,
    ) -> ElmNeuron:
        sizes = options_of(options, num_inputs, self.version, num_output=num_outputs, delta_t=delta_t, steps=steps)
        return ElmNeuron(sizes, compiled={"auto": None, "on": True, "off": False}[options.compiled])

    def sized(self, options: NeuronConfig, size: int) -> NeuronConfig:
        return options.model_copy(update={"num_memory": size})

    def timescales(self, network: nn.Module) -> NDArray[np.float64]:
        assert isinstance(network, ElmNeuron)
        return np.asarray(network.tau_m.detach().cpu().double().numpy() / network.options.delta_t)

    def states(self, network: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert isinstance(network, ElmNeuron)
        states = network.forward_states(x)
        return {"memory": states.memory, "branch": states.branch}

    def import_weights(self, path: Path, options: Mapping[str, Any] | None = None) -> Imported:
        """A published checkpoint, with the model_config.json beside it; `options` stand over what that says."""
        checkpoint = read_checkpoint(path, version=self.version, overrides=options)
        return Imported(checkpoint.neuron(), config_of(checkpoint.options), [])

    def diagnose_network(self, network: nn.Module, dataset: Dataset, config: Any, subject: str) -> list[Finding]:
        from neurocli_elm.diagnosis.model import neuron_findings, synapse_findings, timescale_findings

        assert isinstance(network, ElmNeuron)
        if isinstance(dataset, SimulationData):
            return neuron_findings(network, dataset, config, subject)
        longest = int(dataset.spec.get("steps") or 0) * network.options.delta_t
        timescales = timescale_findings(network, round(longest), subject) if longest else []
        return [*timescales, *synapse_findings(network, subject)]

    def interpret_network(self, trained: TrainedModel, network: nn.Module, figures: Path) -> list[Exhibit]:
        if not isinstance(trained.dataset, SimulationData):
            return []
        from neurocli_elm.interpretation.interpret import interpretation_exhibits

        return interpretation_exhibits(trained, figures)


class ElmV1(_Elm):
    """Traces per synapse; memory gain lambda (1 - k). All published checkpoints are of this version."""

    version = 1
    Options = SequenceNeuronConfig
    OfCells = ElmConfig


class ElmV2(_Elm):
    """Branch ELM: traces per branch; memory gain 1 - k^lambda."""

    version = 2
    Options = BranchSequenceNeuronConfig
    OfCells = ElmV2Config
