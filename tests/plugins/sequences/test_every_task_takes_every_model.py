"""Every task takes every sequence model, and neither knows the other."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest
import torch

import neurocli_elm
import neurocli_sequences
from neurocli.plugin.cards import ModelCard, TaskCard
from neurocli.plugin.registry import registry
from neurocli.plugin.task import parameters_of
from neurocli.recordings.adapting import adapted

MODELS = [card.name for card in registry().cards(ModelCard) if card.task]
TASKS = [card.name for card in registry().cards(TaskCard)]
MODEL_CODE = (
    "neurocli_elm.family",
    "neurocli_elm.model.neuron",
    "neurocli_elm.model.cell",
    "neurocli_sequences.family",
)
MODEL_CODE += ("neurocli_sequences.model",)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("task", TASKS)
def test_two_steps_of_training(task: str, model: str) -> None:
    family = registry().family(model, task)
    config = family.Config()
    config.train.batch_size = 4
    if task == "neuronio":
        config.data.window = 100
    dataset = adapted(family, family.example(0), config)
    network = family.untrained(config, dataset.spec, 0).train()
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    batches = [next(iter(dataset.batches("train", seed=0, epoch=epoch))) for epoch in (0, 1)]
    for batch in batches:
        optimiser.zero_grad()
        loss = family.loss(network, batch, config).total
        loss.backward()
        optimiser.step()
        assert math.isfinite(loss.item())
    assert any(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    with torch.no_grad():
        assert math.isfinite(float(family.validation_loss(network.eval(), batches[0], config)))


@pytest.mark.parametrize("task", [task for task in TASKS if task not in ("neuronio", "shd", "shd-adding")])
def test_the_size_of_another_model_is_met(task: str) -> None:
    """As near as one unit more or less can come."""
    family, other = registry().family("lstm", task), registry().family("elm-v2", task)
    config = family.Config()
    dataset = adapted(family, family.example(0), config)
    wanted = parameters_of(other.untrained(other.Config(), dataset.spec, 0))
    config.model.match = "elm-v2"
    matched = parameters_of(family.untrained(config, dataset.spec, 0))
    assert abs(matched / wanted - 1) < 0.05


def imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return names | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


def test_tasks_import_no_model_and_models_no_task() -> None:
    for package in (neurocli_elm, neurocli_sequences):
        folder = Path(package.__file__).parent
        tasks = sorted(folder.glob("*_task*.py"))
        assert tasks
        for file in tasks:
            known = [name for name in imported(file) if name.startswith(MODEL_CODE)]
            assert not known, f"{file.name} imports {known}"
        for file in (folder / "family.py", *sorted((folder / "model").rglob("*.py"))):
            known = [name for name in imported(file) if "_task" in name.rpartition(".")[2]]
            assert not known, f"{file} imports {known}"
