"""`Task`: what one kind of data asks of any sequence model. `SequenceModel`: what a family supplies to take any task.

A task knows no model and a model no task: the task asks for a network of so many inputs and outputs at every step, and does all
else that a `ModelFamily` does. What did best for a model on a task stands in a recipe, `recipes/<model>/<task>.toml` in the package
of the model.
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import create_model

from neurocli.errors import ConfigError, UsageError
from neurocli.plugin.cards import ModelCard, TaskCard
from neurocli.plugin.family import Imported, ModelFamily, TrainedModel
from neurocli.plugin.presets import package_folder, presets_folder

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from neurocli.config.sections import FamilyConfig, Section
    from neurocli.diagnosis.finding import Finding
    from neurocli.plugin.exhibit import Exhibit
    from neurocli.recordings import Dataset


class SequenceModel(ABC):
    """A model of sequences: from inputs at every step to outputs at every step. `Options` holds the options of its network."""

    Options: ClassVar[type[Section]]

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    @abstractmethod
    def build_sequence(
        self, options: Any, num_inputs: int, num_outputs: int, *, steps: int | None = None, delta_t: float = 1.0
    ) -> torch.nn.Module:
        """An untrained network of inputs [sample, time, input] to outputs [sample, time, output], causal, from a state of zero.

        steps: the longest sequence of the training, where it is known; delta_t: length of a step in the unit of the model's time
        constants. Randomness from torch's global generator.
        """

    def config_class(self, task: TaskCard, sections: type[FamilyConfig]) -> type[FamilyConfig]:
        """The options of a task, its `sections`, with those of the network as the section `model`, and the recipe's values as defaults."""
        return with_options(sections, self.Options, self.recipe(task.name))

    def recipe(self, task: str) -> Mapping[str, Any]:
        """What did best for this model on a task, by section; empty where nobody has tried."""
        path = package_folder(self) / "recipes" / self.card.name / f"{task}.toml"
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def sized(self, options: Any, size: int) -> Any:
        """The same options with another size of the network, by which its parameters are matched to those of another model.

        Raises UsageError where a model cannot.
        """
        raise UsageError(
            f"{self.card.name} has no size that could be matched", where="model.match", hint="leave it out"
        )

    def timescales(self, network: torch.nn.Module) -> NDArray[np.float64] | None:
        """Time constants [unit] of the network's memory in steps; None where it has none that can be read off.

        Where the memory of `states` has more units, unit n has time constant n modulo their number.
        """
        return None

    def states(self, network: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """States [sample, time, unit] of the network at every step of input [sample, time, input], by name, the memory first.

        Without gradients. Default: none are known.
        """
        return {}

    def unused_parameters(self, options: Any, spec: dict[str, Any]) -> dict[str, str]:
        """As `ModelFamily.unused_parameters`, of the network alone."""
        return {}

    def import_weights(self, path: Path, options: Mapping[str, Any] | None = None) -> Imported:
        """As `ModelFamily.import_weights`."""
        raise UsageError(
            f"{self.card.name} reads no weights that were trained elsewhere",
            where="--weights",
            hint="train a run, and evaluate it",
        )

    def diagnose_network(self, network: torch.nn.Module, dataset: Dataset, config: Any, subject: str) -> list[Finding]:
        """Findings about the network itself, which is that of `build_sequence`; subject: `untrained` or `trained`."""
        return []

    def interpret_network(self, trained: TrainedModel, network: torch.nn.Module, figures: Path) -> list[Exhibit]:
        """What the network itself shows, beyond what its task asks for."""
        return []


class Task(ModelFamily):
    """A `ModelFamily` but for its network, which any `SequenceModel` builds. `Options`: its sections, without `model`."""

    Options: ClassVar[type[FamilyConfig]]

    def __init__(self, card: TaskCard, model: SequenceModel) -> None:
        super().__init__(replace(model.card, simulator=card.simulator))
        self.task, self.model = card, model
        self.task_name = card.name
        self.Config = model.config_class(card, self.Options)  # type: ignore[misc]

    @property
    def presets(self) -> Path:
        """Those of the model for its own task; for another, a folder of that name among them."""
        folder = presets_folder(self.model, self.card.name)
        return folder if self.task.name == self.card.task else folder / self.task.name

    def num_inputs(self, config: Any, spec: dict[str, Any]) -> int:
        """Inputs of the network at every step. Default: as the data have."""
        return int(spec["num_input"])

    def num_outputs(self, config: Any, spec: dict[str, Any]) -> int:
        """Outputs of the network at every step. Default: as the data ask for."""
        return int(spec["num_output"])

    def build(self, config: Any, spec: dict[str, Any]) -> torch.nn.Module:
        options = config.model
        if getattr(options, "match", None):
            options = self._matched(config, spec)
        return self._built(options, config, spec)

    def _built(self, options: Any, config: Any, spec: dict[str, Any]) -> torch.nn.Module:
        timing = {"steps": spec.get("steps"), "delta_t": spec.get("delta_t", 1.0)}
        sizes = self.num_inputs(config, spec), self.num_outputs(config, spec)
        network = self.model.build_sequence(options, *sizes, **timing)
        return self.around(network, config, spec)

    def around(self, network: torch.nn.Module, config: Any, spec: dict[str, Any]) -> torch.nn.Module:
        """The network with what the task puts around it: an embedding of tokens, a readout over time. Default: nothing."""
        return network

    def inside(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network that `around` was given."""
        return network

    def watch(self, network: torch.nn.Module, data: Any, config: Any, folder: Path) -> None:
        """Keep in `folder` what `train.watch` names of a network in eval mode, on a few fixed validation cases.

        The random state that it leaves behind is forgotten. Default: ConfigError, since such a task has nothing to show.
        """
        raise ConfigError(
            f"the task {self.task_name} has nothing to watch", where="train.watch", hint="leave train.watch out"
        )

    def _matched(self, config: Any, spec: dict[str, Any]) -> Any:
        """The network's options at the size whose parameters come nearest to those of the model `model.match` on this task."""
        from neurocli.plugin.registry import registry

        other = registry().family(config.model.match, self.task.name)
        wanted = parameters_of(other.untrained(other.Config(), spec, 0))

        def count(size: int) -> int:
            return parameters_of(self._built(self.model.sized(config.model, size), config, spec))

        import torch

        with torch.random.fork_rng(devices=[]):
            high = 1
            while count(high) < wanted and high < 2**16:
                high *= 2
            low = high // 2
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if count(middle) >= wanted else (middle, high)
            nearest = min((size for size in (low, high) if size > 0), key=lambda size: abs(count(size) - wanted))
        return self.model.sized(config.model, nearest)

    def unused_parameters(self, config: Any, spec: dict[str, Any]) -> dict[str, str]:
        return self.model.unused_parameters(config.model, spec)

    def import_weights(self, path: Path, options: Mapping[str, Any] | None = None) -> Imported:
        return self.model.import_weights(path, options)

    def diagnose_model(self, trained: TrainedModel) -> list[Finding]:
        network = self.inside(trained.network)
        return self.model.diagnose_network(network, trained.dataset, trained.config, "trained")

    def interpret(self, trained: TrainedModel, figures: Path) -> list[Exhibit]:
        return self.model.interpret_network(trained, self.inside(trained.network), figures)


def parameters_of(network: torch.nn.Module) -> int:
    """Trained numbers of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def with_options(sections: type[FamilyConfig], options: type[Section], recipe: Mapping[str, Any]) -> type[FamilyConfig]:
    """A configuration class of the `sections` of a task and the `options` of a network, with a recipe's values as its defaults.

    Raises pydantic's ValidationError where the recipe names what is not there.
    """
    fields: dict[str, Any] = {"model": (options, options())}
    kind = create_model(sections.__name__, __base__=sections, **fields)
    if not recipe:
        return kind
    with_recipe = kind.model_validate(_merged(kind().model_dump(), recipe))
    fields = {name: (info.annotation, getattr(with_recipe, name)) for name, info in kind.model_fields.items()}
    return create_model(sections.__name__, __base__=kind, **fields)


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with others over them."""
    return {
        **values,
        **{
            key: _merged(values[key], value) if isinstance(value, Mapping) and key in values else value
            for key, value in over.items()
        },
    }
