"""The models of the family, as a table of contents: every method says where its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.question import Bound, Prediction, Predictor, Question
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import Imported, LossTerms, ModelFamily, NoCeiling, Trained
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli_elm import baselines, questions
from neurocli_elm.build import build_neuron, config_of
from neurocli_elm.checkpoint import read_checkpoint
from neurocli_elm.config import ElmConfig
from neurocli_elm.data import SimulationData
from neurocli_elm.loss import loss_terms, validation
from neurocli_elm.model import ElmNeuron
from neurocli_elm.windows import cut


class _Elm(ModelFamily):
    """An ELM neuron that answers input spikes with a soma voltage and a spike probability."""

    Config = ElmConfig
    version: ClassVar[int]
    validation_is_loss = False

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> SimulationData:
        return SimulationData(recordings, config, split)

    def build(self, config: Any, spec: dict[str, Any]) -> nn.Module:
        return build_neuron(config, spec, self.version)

    def import_weights(self, path: Path) -> Imported:
        """A published checkpoint, with the model_config.json beside it."""
        found = read_checkpoint(path, version=self.version)
        return Imported(found.neuron(), config_of(found.options), list(found.assumed))

    def loss(self, module: nn.Module, batch: Batch, config: Any) -> LossTerms:
        assert isinstance(module, ElmNeuron)
        return LossTerms(loss_terms(module, batch, config.loss))

    def validation_loss(self, module: nn.Module, batch: Batch, config: Any) -> torch.Tensor:
        assert isinstance(module, ElmNeuron)
        return validation(module, batch)

    def questions(self, data: Any, config: Any, part: str = "test") -> list[Question]:
        return questions.questions(data, config, part)

    @torch.no_grad()
    def predict(self, trained: Trained, question: Question) -> Prediction:
        """Whole simulations, each from a state of zero."""
        data, module = trained.data, trained.module
        assert isinstance(data, SimulationData) and isinstance(module, ElmNeuron)
        device = next(module.parameters()).device
        answers = {}
        for group in question.groups:
            recording = data.load(group)
            windows = cut([recording], [(0, 0)], recording.steps, labels=data.options.event)
            spike, soma = module.neuronio_output(windows.input_events().to(device))
            answers[group] = spike[0].double().cpu().numpy(), soma[0].double().cpu().numpy()
        return questions.prediction(question, answers)

    def metrics(self, data: Any, config: Any) -> list[Metric]:
        return questions.metrics()

    def baselines(self, data: Any, config: Any) -> list[Predictor]:
        return baselines.baselines(data, config)

    def ceiling(self, data: Any, config: Any) -> Predictor | Bound | NoCeiling:
        def value(question: Question, metric: Metric, subset: str) -> float | None:
            return {"RMSE": 0.0, "MAE": 0.0, "EV": 100.0}.get(metric.name, 1.0)

        return Bound("the cell itself", value, "a simulated cell answers its input without noise")

    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        from neurocli_elm.diagnose import data_findings

        return data_findings(recordings, config)

    def diagnose_model(self, trained: Trained) -> list[Finding]:
        from neurocli_elm.diagnose_model import trained_findings

        return trained_findings(trained)

    def evaluate_more(self, trained: Trained, answers: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_elm.exhibits import evaluation_exhibits

        return evaluation_exhibits(trained, answers, figures)

    def interpret(self, trained: Trained, figures: Path) -> list[Exhibit]:
        from neurocli_elm.interpret import interpretation_exhibits

        return interpretation_exhibits(trained, figures)

    def notes(self, data: Any, config: Any) -> Sequence[str]:
        spikes = [len(data.load(group).events[config.data.event]) for group in data.split.test]
        return [
            f"{data.excitatory} excitatory and {data.channels - data.excitatory} inhibitory inputs; "
            f"{int(np.sum(spikes))} output spikes in {len(spikes)} test simulations",
            f"soma voltage clipped at -55 mV, spikes {config.data.labels}, first {config.data.ignored} ms not scored",
        ]

    def example(self, seed: int) -> RecordingSet:
        from neurocli_elm.example import small_cells

        return small_cells(seed)


class ElmV1(_Elm):
    """Traces per synapse; memory gain lambda (1 - k). All published checkpoints are of this version."""

    version = 1


class ElmV2(_Elm):
    """Branch ELM: traces per branch; memory gain 1 - k^lambda."""

    version = 2
