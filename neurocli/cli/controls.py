"""`neuro evaluate RUN --controls`: the same training without what the model claims to use, and what the difference is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.cli.output import Output, format_value, with_interval
from neurocli.errors import UsageError

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily, Trained


def show_controls(
    output: Output, folder: Any, family: ModelFamily, trained: Trained, data: Any, device: str | None, root: Path
) -> None:
    """Find or train every control of a run, and print the paired differences on the same test groups.

    Raises UsageError for a model without controls.
    """
    from neurocli.cli.data import trained_of_run
    from neurocli.evaluation.compare import Contestant, compare
    from neurocli.evaluation.wording import why_no_p

    wanted = family.controls(trained.config)
    if not wanted:
        raise UsageError(f"{family.card.name} has no controls", where="--controls", hint="leave it out")
    contestants = [Contestant(family.card.name, family, trained)]
    runs = {}
    for name, overrides in wanted.items():
        run = _run_of(output, folder, family, trained, overrides, name, root)
        runs[name] = str(run.path)
        _, control, _ = trained_of_run(run, data, device, root)
        contestants.append(Contestant(name, family, control))
    found = compare(contestants)
    main = (found.scores[0].metric, found.scores[0].unit)
    rows = []
    for question in found.questions:
        for name in [c.name for c in contestants]:
            score = next(
                s for s in found.scores if (s.name, s.question, s.metric, s.unit) == (name, question.name, *main)
            )
            row: list[Any] = [question.name, name, with_interval(score.value, score.low, score.high), "", ""]
            difference = next(
                (
                    d
                    for d in found.differences
                    if (d.name, d.question, d.metric, d.unit) == (name, question.name, *main)
                ),
                None,
            )
            if difference is not None:  # of the control to the model; shown the other way round
                values = difference.as_dict()
                value, low, high = (None if values[k] is None else -values[k] for k in ("value", "high", "low"))
                p = why_no_p(values["n_groups"]) if values["p"] is None else format_value(values["p"])
                row[3:] = [with_interval(value, low, high), p]
            rows.append(row)
    group = trained.data.group_name()
    output.data["controls"] = [
        {"run": runs.get(d.name), "control": d.name, **{k: v for k, v in d.as_dict().items() if k != "name"}}
        for d in found.differences
    ]
    output.table(
        f"controls, the same {len(trained.data.split.test)} test {group}s",
        ("question", "", f"{main[0]} [{main[1]}]" if main[1] else main[0], "model - control", "p"),
        rows,
        leaky=trained.data.split.leaky,
        note=f"paired by {group}, one training each; an interval that holds zero does not tell the model from the control with these "
        f"{group}s, which is no evidence that it does not use what the control lacks",
    )
    _show_exhibits(output, folder, family, trained)


def _show_exhibits(output: Output, folder: Any, family: ModelFamily, trained: Trained) -> None:
    """What the family shows beside its trained controls."""
    from neurocli.cli.lost import Lost

    output.say("nulls that need no training")
    figures, lost = folder.figures / "controls", Lost()
    with lost.figures():
        exhibits = family.control_exhibits(trained, figures)
    lost.leave_out(exhibits)
    output.data["control_exhibits"] = [exhibit.as_dict() for exhibit in exhibits]
    output.exhibits(exhibits, leaky=trained.data.split.leaky)
    lost.report()


def _run_of(
    output: Output, folder: Any, family: ModelFamily, trained: Trained, overrides: dict[str, Any], name: str, root: Path
) -> Any:
    """The finished run of a control, or a new one, trained now on the run's own data."""
    from neurocli.cli.data import recordings_of_run
    from neurocli.cli.train import fit_run, new_run
    from neurocli.config.resolve import resolve
    from neurocli.recordings.adapting import adapted
    from neurocli.runs.folder import list_runs

    values = {**trained.config.model_dump(mode="json")}
    config = resolve(type(trained.config), preset=("run", values), flags=overrides).config
    wanted = config.model_dump(mode="json")
    info = folder.read_info()
    for run in list_runs(root):
        if _is(run, family.card.name, wanted, info):
            output.say(f"{name}: {run.name}")
            return run
    output.say(f"{name}: training it")
    module = adapted(family, recordings_of_run(info, family.card), config)
    about = {"data": info["data"], "preset": info.get("preset"), "control_of": folder.name, "control": name}
    run = new_run(root, family, config, dict.fromkeys(overrides, f"control of {folder.name}"), module, about)
    fit_run(family, config, module, run)
    return run


def _is(run: Any, model: str, config: dict[str, Any], info: dict[str, Any]) -> bool:
    """Whether a run has finished with that configuration on the same data."""
    from neurocli.errors import DataError

    try:
        other = run.read_info()
        same = (other.get("model"), other.get("status")) == (model, "finished") and run.read_config() == config
    except DataError:
        return False
    return bool(same and (other.get("data") or {}).get("fingerprints") == info["data"].get("fingerprints"))
