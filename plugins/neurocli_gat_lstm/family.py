"""The models of the family, as a table of contents: every method says where its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.errors import DataError
from neurocli.evaluation.metrics import MAE, R2, RMSE, Metric
from neurocli.evaluation.target import Bound, Cost, Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling, TrainedModel
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.config_v1 import V1Config
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.evaluation import baselines, metrics, targets
from neurocli_gat_lstm.graph.graph import KINDS
from neurocli_gat_lstm.model import folds_v1
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds, build_v1
from neurocli_gat_lstm.model.forecasts import fits, forecasts_of
from neurocli_gat_lstm.model.loss_v2 import loss_terms
from neurocli_gat_lstm.model.loss_v3 import loss_terms as loss_terms_v3
from neurocli_gat_lstm.model.v2 import GatLstm, build_v2
from neurocli_gat_lstm.model.v3 import GatLstmV3, build_v3


class _GatLstm(ModelFamily):
    """What all models share: worms, targets, metrics, references, checks of the data."""

    fixed_by_training = ("evaluate.horizons",)
    dataset: ClassVar[type[WormData]] = WormData

    def adapt(self, recordings: RecordingSet, config: GatLstmConfig, split: Split | None = None) -> WormData:
        return self.dataset(recordings, config, split)

    def targets(self, data: Any, config: GatLstmConfig, part: str = "test") -> list[Target]:
        return targets.targets(data, config, part)

    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        """The mean over the networks of all folds that have not seen a worm."""
        data, network = trained.dataset, trained.network
        assert isinstance(data, WormData)
        if not fits(network, data):
            raise DataError(
                "the run's own worms are needed to know which neurons its numbers belong to",
                where="--data",
                hint="bring the files back that the run was trained on",
            )
        predictions = {
            group: forecasts_of(network, data, group, data.frames_of(group, origins))[target.horizon_steps]
            for group, origins in target.origins.items()
        }
        return targets.as_prediction(data, target, predictions)

    def cost(self, trained: TrainedModel) -> Cost:
        """The networks of all folds, with the coefficients of the linear paths that they correct."""
        cost, data = super().cost(trained), trained.dataset
        if not isinstance(trained.network, LinearBuffers) or not isinstance(data, WormData):
            return cost
        folds, horizons, _, lags = trained.network.own.shape
        linear = folds * horizons * (len(data.names) * lags + 2 * int(data.linear_pairs.sum()))
        return Cost(cost.cpu_s, (cost.parameters or 0) + linear)

    def metrics(self, data: Any, config: GatLstmConfig) -> list[Metric]:
        z = targets.Z
        return [
            metrics.ErrorReduction(),
            R2("pooled"),
            metrics.NeuronMedianR2(),
            metrics.Correlation(),
            RMSE(z),
            MAE(z),
        ]

    def baselines(self, data: Any, config: GatLstmConfig) -> list[Predictor]:
        return baselines.baselines(data, config)

    def ceiling(self, data: Any, config: GatLstmConfig) -> Predictor | Bound | NoCeiling:
        return NoCeiling("no worm was recorded twice under the same conditions, so that no ceiling can be estimated")

    def controls(self, config: GatLstmConfig) -> dict[str, dict[str, Any]]:
        """The same training on every other graph."""
        kinds = [kind for kind in KINDS if kind != config.model.graph]
        return {f"{'no' if kind == 'none' else kind} graph": {"model.graph": kind} for kind in kinds}

    def control_exhibits(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        from neurocli_gat_lstm.evaluation.wiring_exhibit import wiring_exhibits

        assert isinstance(trained.dataset, WormData)
        return wiring_exhibits(trained.dataset, figures)

    def diagnose_data(self, recordings: RecordingSet, config: GatLstmConfig) -> list[Finding]:
        from neurocli_gat_lstm.diagnosis.data import data_findings

        return data_findings(recordings, config)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        from neurocli_gat_lstm.diagnosis.model import trained_findings

        return trained_findings(trained.on_cpu())

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_gat_lstm.evaluation.exhibits import evaluation_exhibits

        return evaluation_exhibits(trained, predictions, figures)

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        from neurocli_gat_lstm.interpretation.interpret import interpretation_exhibits

        return interpretation_exhibits(trained.on_cpu(), figures)

    def notes(self, data: Any, config: GatLstmConfig) -> Sequence[str]:
        from neurocli_gat_lstm.data.notes import notes

        return notes(data, config)

    def example(self, seed: int) -> RecordingSet:
        from neurocli_gat_lstm.simulation.example import small_worms

        return small_worms(seed)


class GatLstmV1(_GatLstm):
    """The published architecture, with its edges where the connectome has them; see model/v1."""

    Config = V1Config

    def build(self, config: V1Config, spec: dict[str, Any]) -> nn.Module:
        return build_v1(config, spec)

    def loss(self, network: nn.Module, batch: Batch, config: V1Config) -> LossTerms:
        assert isinstance(network, PlannedFolds)
        return LossTerms(folds_v1.loss_terms(network, batch, config.loss))


class GatLstmV2(_GatLstm):
    """Ours: graph attention and an LSTM correct a linear path along the same edges; see model/v2 and model/loss_v2."""

    Config = V2Config

    def build(self, config: V2Config, spec: dict[str, Any]) -> nn.Module:
        return build_v2(config, spec)

    def prepare(self, network: nn.Module, data: Any, config: V2Config) -> None:
        assert isinstance(network, GatLstm)
        if config.model.linear == "none":
            return
        for fold in range(data.folds):
            network.set_linear(fold, data.linear(fold).paths)

    def loss(self, network: nn.Module, batch: Batch, config: V2Config) -> LossTerms:
        assert isinstance(network, GatLstm)
        return LossTerms(loss_terms(network, batch, config.loss))


class GatLstmDirect(_GatLstm):
    """gat-lstm-v3: graph attention and an LSTM correct the linear path of every horizon at once; see model/v3 and data/history."""

    Config = V3Config
    dataset = DirectWormData

    def build(self, config: V3Config, spec: dict[str, Any]) -> nn.Module:
        return build_v3(config, spec)

    def prepare(self, network: nn.Module, data: Any, config: V3Config) -> None:
        assert isinstance(network, GatLstmV3)
        for fold in range(data.folds):
            network.set_linear(fold, data.linear(fold).paths)
            inputs, outputs = data.scales(fold)
            network.input_scale[fold] = torch.from_numpy(inputs)
            network.output_scale[fold] = torch.from_numpy(outputs)

    def loss(self, network: nn.Module, batch: Batch, config: V3Config) -> LossTerms:
        assert isinstance(network, GatLstmV3)
        return LossTerms(loss_terms_v3(network, batch))
