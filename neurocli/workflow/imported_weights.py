"""Weights that were trained elsewhere, scored like a run of ours."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from neurocli.errors import UsageError
from neurocli.evaluation.evaluate import evaluate
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Split
from neurocli.runs.plain import plain
from neurocli.runs.records import write_record
from neurocli.training.devices import resolve_device
from neurocli.workflow.configuring import Options, scored_by
from neurocli.workflow.data.sources import paths_of, recordings_for
from neurocli.workflow.evaluation_result import EvaluationResult
from neurocli.workflow.messages import Reporter
from neurocli.workflow.write_failures import WriteFailures


def evaluate_weights(
    model: str,
    weights: Path,
    data: Any,
    options: Options,
    device: str | None,
    runs_dir: Path,
    reporter: Reporter,
    *,
    controls: bool,
) -> EvaluationResult:
    """Score imported weights on all groups of `data`, or of the model's own simulator, which they have never seen.

    There are no training groups, so baselines that must be fitted are left out. Figures and evaluation.json go to
    `imported/MODEL-WEIGHTS-on-DATA-SUM` among the runs; the sum is of what is in the weights and in the data, so that other files
    of the same name do not overwrite it.
    """
    if controls:
        raise UsageError("imported weights have no controls", where="--controls", hint="leave it out")
    family = registry().family(model)
    where = resolve_device(device or "cpu", where="--device")
    imported = family.import_weights(weights)
    imported.config = scored_by(imported.config, options)
    recordings, _ = recordings_for(family, imported.config, data, reporter)
    split = Split((), (), tuple(recordings.groups), protocol="weights trained elsewhere")
    dataset = family.adapt(recordings, imported.config, split)
    trained = TrainedModel(imported.network.to(where).eval(), imported.config, dataset, 0, [], None, family)
    content = hashlib.sha256(weights.read_bytes() + dataset.test_fingerprint().encode()).hexdigest()[:8]
    name = f"{family.card.name}-{weights.resolve().parent.name}-{weights.stem}-on-{_called(data)}"[:190] + f"-{content}"
    folder = runs_dir / "imported" / name
    failures = WriteFailures()
    with failures.figures():
        evaluation = evaluate(family, trained, say=reporter.say, figures=folder / "figures")
    failures.leave_out(evaluation.exhibits)
    evaluation.notes += [f"assumed, since the weights file does not state it: {line}" for line in imported.assumed]
    with failures.file():
        folder.mkdir(parents=True, exist_ok=True)
        write_record(folder / "evaluation.json", plain(evaluation.as_dict()))
    return EvaluationResult(name, folder, folder / "evaluation.json", family, trained, evaluation, None, failures)


def _called(data: Any) -> str:
    """What data are called in a folder's name."""
    paths = paths_of(data)
    if paths is None:
        return "simulated" if data is None else "recordings"
    return paths[0].resolve().stem if len(paths) == 1 else f"{len(paths)}-files"
