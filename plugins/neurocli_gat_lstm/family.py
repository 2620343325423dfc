"""The models of the family, as a table of contents: every method says where its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.evaluation.metrics import MAE, R2, RMSE, Metric
from neurocli.evaluation.question import Bound, Prediction, Predictor, Question
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling, Trained
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli_gat_lstm import baselines, metrics, questions
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.data import WormData
from neurocli_gat_lstm.loss_v2 import loss_terms
from neurocli_gat_lstm.model_v2 import GatLstm, build_v2
from neurocli_gat_lstm.rollout import rolled_out


class _GatLstm(ModelFamily):
    """What both models share: worms, questions, metrics, references, checks of the data."""

    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> WormData:
        return WormData(recordings, config, split)

    def questions(self, data: Any, config: Any, part: str = "test") -> list[Question]:
        return questions.questions(data, config, part)

    def metrics(self, data: Any, config: Any) -> list[Metric]:
        z = questions.Z
        return [
            metrics.SkillOverPersistence(),
            R2("pooled"),
            metrics.NeuronMedianR2(),
            metrics.Correlation(),
            RMSE(z),
            MAE(z),
        ]

    def baselines(self, data: Any, config: Any) -> list[Predictor]:
        return baselines.baselines(data, config)

    def ceiling(self, data: Any, config: Any) -> Predictor | Bound | NoCeiling:
        return NoCeiling("no worm is recorded twice under the same conditions: how much could be forecast is not known")

    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        from neurocli_gat_lstm.diagnose import data_findings

        return data_findings(recordings, config)

    def diagnose_model(self, trained: Trained) -> list[Finding]:
        from neurocli_gat_lstm.diagnose_model import trained_findings

        return trained_findings(trained)

    def evaluate_more(self, trained: Trained, answers: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_gat_lstm.exhibits import evaluation_exhibits

        return evaluation_exhibits(trained, answers, figures)

    def interpret(self, trained: Trained, figures: Path) -> list[Exhibit]:
        from neurocli_gat_lstm.interpret import interpretation_exhibits

        return interpretation_exhibits(trained, figures)

    def notes(self, data: Any, config: Any) -> Sequence[str]:
        from neurocli_gat_lstm.notes import notes

        return notes(data, config)

    def example(self, seed: int) -> RecordingSet:
        from neurocli_gat_lstm.example import small_worms

        return small_worms(seed)


class GatLstmV2(_GatLstm):
    """Ours: graph attention and an LSTM correct a linear path over the same edges; see model_v2 and loss_v2."""

    Config = V2Config

    def build(self, config: Any, spec: dict[str, Any]) -> nn.Module:
        return build_v2(config, spec)

    def prepare(self, module: nn.Module, data: Any, config: Any) -> None:
        assert isinstance(module, GatLstm)
        if config.model.linear == "none":
            return
        for fold in range(data.folds):
            module.set_linear(fold, data.linear(fold).path)

    def loss(self, module: nn.Module, batch: Batch, config: Any) -> LossTerms:
        assert isinstance(module, GatLstm)
        return LossTerms(loss_terms(module, batch, config.loss))

    def predict(self, trained: Trained, question: Question) -> Prediction:
        data = trained.data
        assert isinstance(data, WormData)
        steps = question.horizon_steps
        answers = {g: forecasts(trained, g, o)[steps] for g, o in question.origins.items()}
        return questions.prediction(data, question, answers)


class GatLstmV1(GatLstmV2):
    pass


def forecasts(trained: Trained, group: str, origins: np.ndarray) -> dict[int, np.ndarray]:
    """Horizon → [origin, neuron] of a worm: the mean over the members of the folds that have not seen it."""
    data, module = trained.data, trained.module
    assert isinstance(data, WormData) and isinstance(module, GatLstm)
    key = (id(module), group, len(origins))
    if key not in data.forecasts:
        worm, evaluate = data.worms[group], trained.config.evaluate
        nodes = data.nodes_of(worm)
        each = []
        for fold in data.folds_for(group):
            linear = module.linear_of(fold, torch.from_numpy(nodes).to(module.own.device))
            for member in module.members_of(fold):
                each.append(
                    rolled_out(
                        member,
                        linear,
                        worm.z,
                        nodes,
                        data.graph_of(worm),
                        origins,
                        evaluate.context,
                        evaluate.horizons,
                    )
                )
        data.forecasts[key] = {h: np.mean([one[h] for one in each], axis=0) for h in evaluate.horizons}
    return data.forecasts[key]
