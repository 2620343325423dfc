"""`neuro evaluate MODEL --weights FILE`: weights that were trained elsewhere, scored like a run of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neurocli.cli.output import Output, plain
from neurocli.cli.show_evaluation import show
from neurocli.errors import UsageError


def evaluate_weights(
    output: Output,
    model: str,
    weights: Path,
    data: Sequence[Path] | None,
    device: str | None,
    root: Path,
    sets: Sequence[str] = (),
    *,
    controls: bool,
) -> None:
    """Score imported weights on all groups of `data`, or of the model's own simulator, which they have never seen.

    There are no training groups, so baselines that must be fitted are left out. Figures and evaluation.json go to
    `imported/MODEL-WEIGHTS-on-DATA-SUM` among the runs; the sum is of what is in the weights and in the data, so that other files
    of the same name do not overwrite it.
    """
    import hashlib

    from neurocli.cli.data import recordings_for
    from neurocli.cli.evaluate_options import overridden
    from neurocli.cli.lost import Lost
    from neurocli.evaluation.evaluate import evaluate
    from neurocli.plugin.family import Trained
    from neurocli.plugin.registry import registry
    from neurocli.recordings import Split
    from neurocli.runs.atomic import write_json
    from neurocli.training.devices import resolve_device

    if controls:
        raise UsageError("imported weights have no controls", where="--controls", hint="leave it out")
    family = registry().family(model)
    where = resolve_device(device or "cpu", where="--device")
    imported = family.import_weights(weights)
    imported.config = overridden(imported.config, sets)
    recordings, _ = recordings_for(family, imported.config, data)
    split = Split((), (), tuple(recordings.groups), protocol="weights trained elsewhere")
    module = family.adapt(recordings, imported.config, split)
    trained = Trained(imported.module.to(where).eval(), imported.config, module, 0, [])
    scored = "simulated" if not data else data[0].resolve().stem if len(data) == 1 else f"{len(data)}-files"
    content = hashlib.sha256(weights.read_bytes() + module.test_fingerprint().encode()).hexdigest()[:8]
    name = f"{family.card.name}-{weights.resolve().parent.name}-{weights.stem}-on-{scored}"[:190] + f"-{content}"
    folder = root / "imported" / name
    lost = Lost()
    with lost.figures():
        found = evaluate(family, trained, say=output.say, figures=folder / "figures")
    lost.leave_out(found.exhibits)
    found.notes += [f"assumed, as the file does not say it: {line}" for line in imported.assumed]
    with lost.file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "evaluation.json", plain(found.as_dict()))
    output.data.update(found.as_dict())
    output.data.update(weights=str(weights), name=name, params=imported.config.model_dump(mode="json"))
    output.data["files"] = [
        str(f) for f in (folder / "evaluation.json", *(e.figure for e in found.exhibits)) if f and f.is_file()
    ]
    show(output, found, weights.name)
    for line in found.warnings:
        output.warn(line)
    lost.report()
