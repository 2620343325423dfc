"""The two models of the family, as a table of contents: every method says where its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neurocli.diagnosis import Finding
from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.target import Bound, Cost, Prediction, Predictor, Target
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling, TrainedModel
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli.recordings.split import NEW_DATA
from neurocli.training.devices import device_of
from neurocli_eirnn.config import V2Config
from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.padding import ADVICE, find_padding
from neurocli_eirnn.evaluation import baselines, metrics, targets
from neurocli_eirnn.evaluation.ceiling import ceiling
from neurocli_eirnn.evaluation.rates import fitted_numbers
from neurocli_eirnn.model import loss_v1, versions
from neurocli_eirnn.model.loss_v2 import poisson
from neurocli_eirnn.model.published_faults import published_faults
from neurocli_eirnn.model.v1 import PublishedEiRnn
from neurocli_eirnn.model.v2 import DaleRnn


def protocol_notes(dataset: SessionData, config: EirnnConfig) -> list[str]:
    """Which trials are scored, where some are kept for confirmation; and by which rule bins count."""
    lines = ["each time bin is weighted by its number of trials, for model, baselines and ceiling alike"]
    held = int(dataset.held_back.sum())
    if held:
        lines.append(
            f"{held} trials are kept for confirmation (every fourth, by its number in the file; data.part=confirmation scores them)"
        )
    elif (
        config.data.part == "confirmation" and dataset.session.true_rates is None and dataset.split.protocol != NEW_DATA
    ):
        lines.append(
            "the test trials are those kept for confirmation: a choice made after seeing these scores must be tested on other trials"
        )
    if dataset.eye is None:
        lines.append(
            "the eye position is in the file's own units and not in z-scores, as in training: the mean and standard deviation of the"
            " training trials are unknown (put the run's data back in place, or train again)"
        )
    return lines


class _Eirnn(ModelFamily):
    """What both models share: trials, targets, metrics, references, checks of the data."""

    validation_is_loss = False  # 1 - r, a PSTH loss or a likelihood, against a weighted sum

    def adapt(self, recordings: RecordingSet, config: EirnnConfig, split: Split | None = None) -> SessionData:
        return SessionData(recordings, config, split)

    def build(self, config: EirnnConfig, spec: dict[str, Any]) -> nn.Module:
        return versions.build(config, spec)

    def loss(self, network: nn.Module, batch: Batch, config: EirnnConfig) -> LossTerms:
        return versions.loss_of(network, batch, config)

    def targets(self, data: Any, config: EirnnConfig, part: str = "test") -> list[Target]:
        return targets.targets(data, config, part)

    @torch.no_grad()
    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        dataset = trained.dataset
        assert isinstance(dataset, SessionData)
        device = device_of(trained.network)
        inputs = torch.from_numpy(dataset.inputs[dataset.rows(target.groups)]).to(device)
        rates = np.concatenate([trained.network(chunk).cpu().numpy() for chunk in inputs.split(256)])
        return targets.from_whole_trials(target, dict(zip(target.groups, rates, strict=True)))

    def metrics(self, data: Any, config: EirnnConfig) -> list[Metric]:
        correlations = [metrics.PsthCorrelation(ms, data.bin_ms) for ms in config.evaluate.smoothing_ms]
        ratios = [
            metrics.RateRatio(data.bin_ms),
            metrics.MedianRateRatio(data.bin_ms),
            metrics.SdRatio(50.0, data.bin_ms),
        ]
        return [*correlations, *ratios]

    def baselines(self, data: Any, config: EirnnConfig) -> list[Predictor]:
        return baselines.baselines(data, config)

    def cost(self, trained: TrainedModel) -> Cost:
        return Cost(trained.cpu_s, fitted_numbers(trained.network))

    def ceiling(self, data: Any, config: EirnnConfig) -> Predictor | Bound | NoCeiling:
        return ceiling(data)

    def diagnose_data(self, recordings: RecordingSet, config: EirnnConfig) -> list[Finding]:
        from neurocli_eirnn.diagnosis.data import data_findings

        return data_findings(recordings, config)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        from neurocli_eirnn.diagnosis.model import trained_findings

        return trained_findings(trained.on_cpu())

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        from neurocli_eirnn.evaluation.exhibits import evaluation_exhibits

        return evaluation_exhibits(trained, predictions, figures)

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        from neurocli_eirnn.interpretation.interpret import interpretation_exhibits

        return interpretation_exhibits(trained.on_cpu(), figures)

    def notes(self, data: Any, config: EirnnConfig) -> Sequence[str]:
        counts = data.faults.counts
        used = int(data.used.sum())
        lines = [
            f"trials: {config.data.trials}, {used} of {counts['trials']} used ({counts['ordered']} have their events in order)"
        ]
        broken = used - int((data.used & data.faults.plausible).sum())
        placed = int((data.used & data.faults.at_reward).sum())
        if broken or placed:
            kinds = [f"{broken} are BROKEN (their inputs show events that did not happen)"] if broken else []
            if placed:
                kinds.append(f"{placed} {'more have' if broken else 'have'} target and go placed at the reward")
            lines.append(f"of the trials used, {', '.join(kinds)}")
        if data.overlapping:
            lines.append(
                f"{len(data.overlapping)} trials overlap with a later one, and are cut where that begins (no spike counts twice)"
            )
        padded = find_padding(data.session)
        if padded is not None:
            lines.append(f"trials are padded with {padded.kind}, which is taken as rates; {ADVICE}")
        lines += protocol_notes(data, config)
        if data.session.missing:
            lines.append(f"missing in the data, and replaced by zeros: {', '.join(data.session.missing)}")
        return lines

    def example(self, seed: int) -> RecordingSet:
        from neurocli_eirnn.simulation.example import small_session

        return small_session(seed)


class EirnnV1(_Eirnn):
    """The published network and recipe, in the stages it went through; see model_v1 and loss_v1."""

    Config = V1Config

    def unused_parameters(self, config: V1Config, spec: dict[str, Any]) -> dict[str, str]:
        """The readout of the eye position, which the published loss leaves out."""
        return {} if config.loss.eye else dict.fromkeys(("eye_weights", "eye_bias"), "loss.eye is 0")

    def validation_loss(self, network: nn.Module, batch: Batch, config: V1Config) -> torch.Tensor:
        assert isinstance(network, PublishedEiRnn)
        return loss_v1.validation(network, batch, config.loss)

    def notes(self, data: Any, config: EirnnConfig) -> Sequence[str]:
        assert isinstance(config, V1Config)
        return [*super().notes(data, config), *published_faults(data, config)]


class EirnnV2(_Eirnn):
    """Ours: every neuron on a unit of its own type, hidden units, gains per neuron; see model_v2 and loss_v2."""

    Config = V2Config

    def prepare(self, network: nn.Module, data: Any, config: V2Config) -> None:
        """Fit the linear path to the training trials, once for all runs on them."""
        assert isinstance(network, DaleRnn)
        if network.linear_path and data.split.train:
            fitted = baselines.event_time_fit(data).values
            network.set_linear(torch.from_numpy(fitted["coefficients"]), torch.from_numpy(fitted["intercept"]))

    def parameter_groups(self, network: nn.Module, config: V2Config) -> list[dict[str, Any]]:
        """Decay on weights alone: gains, time constants and biases have no reason to be small."""
        weights = {"v", "input_weights", "return_weights"}
        named = dict(network.named_parameters())
        return [
            {"params": [p for name, p in named.items() if name in weights], "weight_decay": config.train.weight_decay},
            {"params": [p for name, p in named.items() if name not in weights], "weight_decay": 0.0},
        ]

    def validation_loss(self, network: nn.Module, batch: Batch, config: V2Config) -> torch.Tensor:
        """Likelihood of the single trials: with few validation trials, less noisy than a correlation of their mean.

        The network's alone, since the linear path is fitted to the validation trials too.
        """
        assert isinstance(network, DaleRnn)
        return poisson(network.network_rates(batch["inputs"]), batch, network.bin_ms)
