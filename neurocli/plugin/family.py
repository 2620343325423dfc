"""`ModelFamily`: what a family of models supplies. The core does everything else.

adapt → build → prepare → loss  what training needs
targets, predict, metrics     what evaluation scores
baselines, ceiling              what the score is held against
diagnose_data, diagnose_model   what is wrong
interpret                       what the model has learned, held against known truth
example                         tiny data for the contract kit
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from neurocli.errors import UsageError
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.cost import Cost
from neurocli.plugin.presets import presets_folder

if TYPE_CHECKING:
    import torch

    from neurocli.config.sections import FamilyConfig
    from neurocli.diagnosis.finding import Finding
    from neurocli.evaluation.metrics import Metric
    from neurocli.evaluation.target import Bound, Prediction, Predictor, Target
    from neurocli.plugin.exhibit import Exhibit
    from neurocli.recordings import Batch, Dataset, RecordingSet, Split
    from neurocli.recordings.readers import Readers


@dataclass(frozen=True)
class LossTerms:
    """A loss as a sum of named terms, each a scalar tensor that already carries its weight."""

    terms: dict[str, torch.Tensor]

    @property
    def total(self) -> torch.Tensor:
        return sum(self.terms.values())  # type: ignore[return-value]


@dataclass(frozen=True)
class NoCeiling:
    """Why nobody can say what a perfect model would reach on these data."""

    reason: str


Untrained = Callable[[Any, dict[str, Any], int], "torch.nn.Module"]
"""`ModelFamily.untrained`, for whoever needs no more of a family: (config, spec, seed) → network."""


@dataclass
class TrainedModel:
    """A trained model with all that it needs to be asked: what the methods below receive after training.

    network: in eval mode; seed: of its training; history: a record for each epoch; cpu_s: what the training took, None where it was
    trained elsewhere; family: None where a network was put together by hand, and then there is no untrained one.
    """

    network: torch.nn.Module
    config: Any
    dataset: Dataset
    seed: int
    history: list[dict[str, float]]
    cpu_s: float | None = None
    family: ModelFamily | None = None

    def untrained(self, seed: int | None = None) -> torch.nn.Module:
        """The network as training with a seed, by default its own, finds it before the first step, in eval mode on the CPU: a control."""
        if self.family is None:
            raise UsageError(
                "who does not know the family of a network cannot build an untrained one", where="TrainedModel"
            )
        return self.family.untrained(self.config, self.dataset.spec, self.seed if seed is None else seed)

    def on_cpu(self) -> TrainedModel:
        """The same model on the CPU, itself where it is there: for what looks at few windows and at single weights.

        Some of that has no form on a GPU: cuDNN differentiates a recurrent network in training mode alone.
        """
        tensors = (*self.network.parameters(), *self.network.buffers())
        if all(tensor.device.type == "cpu" for tensor in tensors):
            return self
        return replace(self, network=copy.deepcopy(self.network).cpu())


@dataclass
class Imported:
    """A model from somewhere else: its network, the configuration that describes it, and what had to be assumed."""

    network: torch.nn.Module
    config: Any
    assumed: list[str]


class ModelFamily(ABC):
    """One model of a family. `card` is the card that named it; `Config` holds its options."""

    Config: ClassVar[type[FamilyConfig]]
    validation_is_loss: ClassVar[bool] = True
    """Whether `validation_loss` is the training loss of other groups; only then do the two make a ratio."""

    task_name: str | None = None
    """The task of a sequence model, which a run keeps; None where the model has no choice of tasks."""

    fixed_by_training: ClassVar[tuple[str, ...]] = ()
    """Options of the `evaluate` section that a trained model was built for: `neuro evaluate RUN --set` refuses them."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    @property
    def presets(self) -> Path:
        """The folder of the model's presets: `presets/<model>/` in the family's package."""
        return presets_folder(self, self.card.name)

    # -- training ------------------------------------------------------------------------------------------------

    def own_data(self, config: Any) -> Sequence[Path] | None:
        """Files to use where a user names none; default None: the simulator makes a small set.

        Raises DataError where these options ask for data that are not there.
        """
        return None

    def readers(self) -> Readers | None:
        """What opens the files that are named, where their content does not tell what they are (plain text); default None: any reader."""
        return None

    @abstractmethod
    def adapt(self, recordings: RecordingSet, config: Any, split: Split | None = None) -> Dataset:
        """Dataset adapter: split by group, normalise on training groups, cut windows.

        `split` is the split of the run when a trained model is asked again; with all groups in `test` the data are new.
        Raises DataError or LeakError.
        """

    @abstractmethod
    def build(self, config: Any, spec: dict[str, Any]) -> torch.nn.Module:
        """An untrained module for data of that `spec`; randomness from torch's global generator."""

    def untrained(self, config: Any, spec: dict[str, Any], seed: int) -> torch.nn.Module:
        """The network as training with `seed` finds it before the first step, in eval mode."""
        import torch

        from neurocli.plugin.seeds import BUILD, seed_epoch

        with torch.random.fork_rng(devices=[]):
            seed_epoch(seed, BUILD)
            return self.build(config, spec).eval()

    def prepare(self, module: torch.nn.Module, data: Dataset, config: Any) -> None:  # noqa: B027
        """Set what a new module takes from its training groups before the first step: fitted linear paths, gains."""

    @abstractmethod
    def loss(self, module: torch.nn.Module, batch: Batch, config: Any) -> LossTerms:
        """The loss of one batch."""

    def parameter_groups(self, module: torch.nn.Module, config: Any) -> list[dict[str, Any]]:
        """The optimiser's parameter groups. Default: all parameters with `train.weight_decay`."""
        return [{"params": [p for p in module.parameters() if p.requires_grad]}]

    def unused_parameters(self, config: Any, spec: dict[str, Any]) -> dict[str, str]:
        """Name → why a parameter of the network has no part in training under these options and data. Default: all are trained.

        The contract kit takes a parameter that never moves for a fault unless it is named here. What no option ever trains is a
        buffer, or has requires_grad=False.
        """
        return {}

    def validation_loss(self, module: torch.nn.Module, batch: Batch, config: Any) -> torch.Tensor:
        """What the best epoch is chosen by; lower is better. Default: the training loss."""
        return self.loss(module, batch, config).total

    def epoch_record(self, network: torch.nn.Module, dataset: Dataset, config: Any) -> dict[str, float]:
        """More numbers of an epoch for its record in the history, which choose nothing; network: in eval mode, without gradients.

        They must not take the name of another column. Default: none.
        """
        return {}

    # -- evaluation ----------------------------------------------------------------------------------------------

    @abstractmethod
    def targets(self, data: Dataset, config: Any, part: str = "test") -> list[Target]:
        """What is scored: values of the groups of `part`, one target per horizon; the first is the main one."""

    @abstractmethod
    def predict(self, trained: TrainedModel, target: Target) -> Prediction:
        """The model's prediction of a target, aligned with its values."""

    @abstractmethod
    def metrics(self, data: Dataset, config: Any) -> list[Metric]:
        """What answers are scored by; the first is the main one, by which skill is computed."""

    @abstractmethod
    def baselines(self, data: Dataset, config: Any) -> list[Predictor]:
        """Trivial and linear predictors, fitted on the training groups."""

    @abstractmethod
    def ceiling(self, data: Dataset, config: Any) -> Predictor | Bound | NoCeiling:
        """What a perfect model could reach on these data: as predictions, as a number, or the reason why it is unknown."""

    def import_weights(self, path: Path) -> Imported:
        """A model whose weights were trained elsewhere. Raises UsageError where the family reads none, or DataError."""
        raise UsageError(
            f"{self.card.name} reads no weights that were trained elsewhere",
            where="--weights",
            hint="train a run, and evaluate it",
        )

    def controls(self, config: Any) -> dict[str, dict[str, Any]]:
        """Control → the options (dotted key → value) that make it of `config`: what `neuro evaluate RUN --controls` trains."""
        return {}

    def cost(self, trained: TrainedModel) -> Cost:
        """What training took, and how many numbers of one model are fitted. Default: all trained numbers of the module."""
        return Cost(trained.cpu_s, sum(p.numel() for p in trained.network.parameters() if p.requires_grad))

    def control_exhibits(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        """What stands beside the trained controls: nulls that are too many to be trained, and cheap enough to be computed."""
        return []

    def suspicious_score(self, data: Dataset, config: Any) -> float | None:
        """A main-metric value of the main target that honest models cannot reach: above it, suspect a leak."""
        return None

    def evaluate_more(self, trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
        """Further tables and figures; `predictions` are the model's predictions by target name."""
        return []

    # -- diagnosis and interpretation ----------------------------------------------------------------------------

    @abstractmethod
    def diagnose_data(self, recordings: RecordingSet, config: Any) -> list[Finding]:
        """Checks of the data alone."""

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        """Checks of a trained model, beyond those that every family shares."""
        return []

    @abstractmethod
    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        """What the model has learned: figures with their numbers, controls beside them."""

    def notes(self, data: Dataset, config: Any) -> Sequence[str]:
        """Lines that every table of this model carries (what it exploits, what it assumes)."""
        return []

    @abstractmethod
    def example(self, seed: int) -> RecordingSet:
        """Tiny data in seconds, for the contract kit and for tests."""
