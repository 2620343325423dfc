"""Take a model through the whole contract on the tiny data that its family brings.

from neurocli.testing import check_family

checks = check_family("mine-v1")
"""

from __future__ import annotations

from neurocli.plugin.family import ModelFamily
from neurocli.testing.contract import Check, Contract, Step
from neurocli.testing.steps import data, network, trained, training, unchanged
from neurocli.testing.steps.other_device import other_device

STEPS = (
    Step("card", data.card),
    Step("config", data.config, ("card",)),
    Step("example", data.example, ("card",)),
    Step("adapt", data.adapt, ("config", "example")),
    Step("batches", data.batches, ("adapt",)),
    Step("build", network.build, ("adapt",)),
    Step("loss", network.loss, ("batches", "build")),
    Step("validation-loss", network.validation_loss, ("batches", "build")),
    Step("batch-unchanged", unchanged.batch_unchanged, ("batches", "build")),
    Step("training", training.training, ("loss",)),
    Step("predict", trained.predict, ("build",)),
    Step("baselines", trained.baselines, ("predict",)),
    Step("data-unchanged", unchanged.data_unchanged, ("batches", "baselines")),
    Step("look-ahead", trained.look_ahead, ("predict",)),
    Step("other-device", other_device, ("batches", "predict")),
    Step("scores", trained.scores, ("baselines",)),
    Step("diagnose", trained.diagnose, ("predict",)),
    Step("interpret", trained.interpret, ("predict",)),
    Step("weights-file", network.weights_file, ("predict",)),
)
"""The contract, in the order in which a model is taken through it."""


def check_family(model: str | ModelFamily, *, seed: int = 0) -> list[Check]:
    """All checks of a model, given by its name or as a family. Never raises for a fault of the plugin.

    Raises UnknownName for a name that nobody has.
    """
    contract = Contract(model, STEPS, seed)
    try:
        return [contract.check(step.name) for step in STEPS]
    finally:
        contract.close()
