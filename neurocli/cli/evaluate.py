"""`neuro evaluate RUN`, or `MODEL --weights FILE`: every score beside its baselines, its ceiling and its interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from neurocli.cli.options import RUNS, Data, Device, Json, Root
from neurocli.cli.output import Output, format_value, with_interval
from neurocli.evaluation.skill import in_words

if TYPE_CHECKING:
    from neurocli.evaluation.evaluate import Evaluation

HINDSIGHT = "conditioning on the future is hindsight: never quote these rows alone"
_ORDER = {"model": 0, "baseline": 1, "control": 2, "ceiling": 3}


def evaluate(
    run: Annotated[
        str, typer.Argument(help="A run folder, a run's name, or `latest`; a model with --weights.", metavar="RUN")
    ],
    data: Data = None,
    weights: Annotated[
        Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
        typer.Option("--weights", help="Weights that were trained elsewhere, for the model named in place of a run."),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also the model's controls: found among the runs, or trained now.")
    ] = False,
    device: Device = None,
    root: Root = RUNS,
    json: Json = False,
) -> None:
    """Score a run's best checkpoint (chosen on validation) on its test groups, or on new data."""
    with Output("evaluate", json=json) as output:
        if weights is not None:
            from neurocli.cli.weights import evaluate_weights

            evaluate_weights(output, run, weights, data, device, root, controls=controls)
            return
        from neurocli.cli.data import trained_of_run
        from neurocli.cli.lost import Lost
        from neurocli.cli.unfinished import unfinished_note
        from neurocli.evaluation.evaluate import evaluate as score
        from neurocli.runs.atomic import write_json
        from neurocli.runs.folder import RunFolder
        from neurocli.runs.lock import locked

        folder = RunFolder.find(root, run)
        family, trained, _ = trained_of_run(folder, data, device, root)
        with locked(folder):
            figures = folder.figures / ("new-data" if data else "evaluation")
            lost = Lost()
            with lost.figures():
                found = score(family, trained, say=output.say, figures=figures)
            lost.leave_out(found.exhibits)
            unfinished = unfinished_note(folder)
            if unfinished:
                found.notes.append(unfinished)
            from neurocli.cli.output import plain

            kept = folder.path / ("evaluation-new-data.json" if data else "evaluation.json")
            with lost.file():
                write_json(kept, plain(found.as_dict()))
        output.data.update(found.as_dict())
        output.data.update(run=str(folder.path), name=folder.name, params=trained.config.model_dump(mode="json"))
        output.data["files"] = [str(f) for f in (kept, *(e.figure for e in found.exhibits)) if f and f.is_file()]
        show(output, found, folder.name)
        for line in found.warnings:
            output.warn(line)
        lost.report()
        if controls:
            from neurocli.cli.controls import show_controls

            show_controls(output, folder, family, trained, data, device, root)


def show(output: Output, found: Evaluation, name: str) -> None:
    """Print an evaluation: scoreboard, skill, horizons, subsets, exhibits, notes."""
    main = found.questions[0]
    n, group = len(main["groups"]), found.protocol["group"]
    title = f"{found.model}  {name}: {_asked(main)}, {n} test {group}{'s' if n != 1 else ''}"
    columns = ["", "kind", *(_heading(m) for m in found.metrics)]
    board = _by_predictor(found, lambda s: s.subset == "all" and s.question == main["name"])
    rows = [
        [who, kind, *(cells.get((m["name"], m["unit"]), "–") for m in found.metrics)]
        for (who, kind), cells in board.items()
    ]
    note = _intervals(found) if n >= 3 else "fewer than three groups: no intervals"
    output.table(title, columns, rows, leaky=found.leaky, note=note)
    for line in _skill_lines(found):
        output.text(line)
    output.text()
    _show_differences(output, found)
    _show_horizons(output, found)
    _show_subsets(output, found)
    output.exhibits(found.exhibits, leaky=found.leaky)
    for line in found.notes:
        output.text(f"note: {line}")
    if output.json:
        return
    figures = {str(e.figure.parent) for e in found.exhibits if e.figure}
    for folder in sorted(figures):
        output.text(f"figures: {folder}")


def _intervals(found: Evaluation) -> str:
    """How the intervals were found, as the metrics take them."""
    methods: dict[str, list[str]] = {}
    for metric in found.metrics:
        methods.setdefault(metric["interval"], []).append(_heading(metric))
    named = " and ".join(
        one if len(methods) == 1 else f"{one} ({', '.join(metrics)})" for one, metrics in methods.items()
    )
    return f"95 % {named} intervals over independent groups"


def _asked(question: dict[str, Any]) -> str:
    """What a question asks for, in words."""
    if question["horizon_ms"] is None:
        return str(question["name"])
    return f"{format_value(question['horizon_ms'])} ms ahead"


def _skill_lines(found: Evaluation) -> list[str]:
    skill = found.skill
    lines = []
    words = in_words(skill, higher=found.metrics[0]["higher"])
    if words == "no room":
        lines.append(f"skill: no room, {skill['best_baseline']} is as near to the ceiling as these groups can tell")
    elif words.startswith("worse"):
        lines.append(f"skill: {words}, by more than the room that it leaves below the ceiling")
    elif skill["value"] is not None:
        lines.append(f"skill {words}  (0: no better than {skill['best_baseline']}, 1: at the ceiling)")
    else:
        reason = found.ceiling_reason or "a reference is missing"
        lines.append(f"skill unknown: {reason}")
    test = skill["paired"]
    if test:
        sure = f" p = {format_value(test['p'])}" if test["p"] is not None else " too few groups for a test"
        difference = with_interval(test["value"], test["low"], test["high"])
        lines.append(
            f"{skill['metric']} against {skill['best_baseline']} on the same {test['n_groups']} groups: {difference},{sure}"
        )
    return lines


def _show_differences(output: Output, found: Evaluation) -> None:
    rows = [
        [d["baseline"], with_interval(d["value"], d["low"], d["high"]), d["p"], d["verdict"] or "too few groups"]
        for d in found.differences
    ]
    if rows:
        title = f"{found.model} minus each baseline, {_heading(found.metrics[0])}, same groups"
        output.table(title, ["baseline", "difference", "p", "the model is"], rows, leaky=found.leaky)


def _show_horizons(output: Output, found: Evaluation) -> None:
    if len(found.questions) < 2:
        return
    metric = found.metrics[0]
    asked = [q["name"] for q in found.questions]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for s in _of_metric(found, metric):
        if s.subset == "all":
            cells.setdefault((s.name, s.kind), {})[s.question] = with_interval(s.value, s.low, s.high)
    rows = [[who, kind, *(values.get(q, "–") for q in asked)] for (who, kind), values in _ordered(cells)]
    rows.append(["skill", "", *(in_words(s, higher=metric["higher"]) for s in found.skills)])
    what = "horizon" if found.questions[0]["horizon_ms"] is not None else "alignment"
    output.table(f"{_heading(metric)} by {what}", ["", "kind", *asked], rows, leaky=found.leaky)


def _show_subsets(output: Output, found: Evaluation) -> None:
    main = found.questions[0]
    names = main["subsets"]
    # Targets chosen by what they are vary little among themselves: errors in the data's unit still mean something.
    own_unit = [m for m in found.metrics if m["unit"] == main["unit"]] or found.metrics
    for title, chosen, metric, note in (
        ("by subset", [n for n in names if n not in found.hindsight], found.metrics[0], None),
        (
            "by subset of what came after (hindsight)",
            [n for n in names if n in found.hindsight],
            own_unit[0],
            HINDSIGHT,
        ),
    ):
        if not chosen:
            continue
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for s in _of_metric(found, metric):
            if s.question == main["name"] and s.subset in chosen:
                cells.setdefault((s.name, s.kind), {})[s.subset] = with_interval(s.value, s.low, s.high)
        rows = [[who, kind, *(values.get(n, "–") for n in chosen)] for (who, kind), values in _ordered(cells)]
        output.table(f"{_heading(metric)} {title}", ["", "kind", *chosen], rows, leaky=found.leaky, note=note)


def _by_predictor(found: Evaluation, keep: Any) -> dict[tuple[str, str], dict[tuple[str, str], str]]:
    board: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for s in found.scores:
        if keep(s):
            board.setdefault((s.name, s.kind), {})[s.metric, s.unit] = with_interval(s.value, s.low, s.high)
    return dict(_ordered(board))


def _ordered(cells: dict[tuple[str, str], Any]) -> list[tuple[tuple[str, str], Any]]:
    """The model first, then baselines, controls and the ceiling."""
    return sorted(cells.items(), key=lambda item: _ORDER.get(item[0][1], 2))


def _of_metric(found: Evaluation, metric: dict[str, Any]) -> list[Any]:
    return [s for s in found.scores if (s.metric, s.unit) == (metric["name"], metric["unit"])]


def _heading(metric: dict[str, Any]) -> str:
    return f"{metric['name']} [{metric['unit']}]" if metric["unit"] else metric["name"]
