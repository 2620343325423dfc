"""`neuro compare RUN RUN...`: trained models side by side on the same test groups."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from neurocli.cli.options import RUNS, Device, Json, Root
from neurocli.cli.output import Output, format_value, with_interval


def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs; the first is what the others are held against.")],
    device: Device = None,
    root: Root = RUNS,
    json: Json = False,
) -> None:
    """Compare runs on the same test groups: scores, and paired differences with intervals."""
    with Output("compare", json=json) as output:
        from neurocli.cli.data import trained_of_run
        from neurocli.cli.unfinished import unfinished_note
        from neurocli.config.differing import differing, in_words
        from neurocli.errors import UsageError
        from neurocli.evaluation.compare import Contestant
        from neurocli.evaluation.compare import compare as held_against
        from neurocli.runs.folder import RunFolder

        folders = [RunFolder.find(root, run) for run in runs]
        names = [folder.name for folder in folders]
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise UsageError(
                "compare needs two or more different runs",
                where=" ".join(runs),
                hint="neuro runs lists those that there are",
            )
        contestants, notes = [], []
        for folder in folders:
            output.say(f"loading {folder.name}")
            family, trained, _ = trained_of_run(folder, None, device, root)
            contestants.append(Contestant(folder.name, family, trained))
            unfinished = unfinished_note(folder)
            if unfinished:
                notes.append(f"{folder.name}: {unfinished}")
        output.say(f"fitting the baselines on the training groups of {names[0]}")
        found = held_against(contestants)
        leaky = any(c.trained.data.split.leaky for c in contestants)
        output.data.update(
            runs=names,
            scores=[s.as_dict() for s in found.scores],
            differences=[d.as_dict() for d in found.differences],
            protocol={**contestants[0].trained.data.split.as_dict(), "leaky": leaky},
        )
        output.data["best_baselines"] = found.best_baselines
        output.data["notes"] = notes
        configs = [c.trained.config.model_dump(mode="json") for c in contestants]
        options = {name: differing(configs[0], config) for name, config in zip(names[1:], configs[1:], strict=True)}
        output.data["options"] = options
        for question in found.questions:
            _show(output, found, question.name, names, leaky)
        for letter, name in _letters(names).items():
            changed = options.get(name)  # against the first
            output.text(f"{letter}: {name}" + (f" ({in_words(changed)})" if changed else ""))
        for line in notes:
            output.text(f"note: {line}")


def _letters(names: list[str]) -> dict[str, str]:
    """A, B, ... for the runs: their names are too long for a table of differences."""
    return {chr(ord("A") + n) if n < 26 else f"run {n + 1}": name for n, name in enumerate(names)}


def _show(output: Output, found: Any, question: str, names: list[str], leaky: bool) -> None:
    """The runs, the best baseline and the ceiling; then what each run is better by than the first."""
    from neurocli.evaluation.intervals import FEWEST_FOR_P
    from neurocli.evaluation.wording import why_no_p

    scores = [s for s in found.scores if s.question == question]
    headings = list(dict.fromkeys((s.metric, s.unit) for s in scores if s.kind == "model"))
    best = found.best_baselines.get(question)
    lines = [(name, f"{letter}  {name}") for letter, name in _letters(names).items()]
    if best is not None:
        lines.append((best, f"best baseline: {best}"))
    lines += [(name, f"ceiling: {name}") for name in dict.fromkeys(s.name for s in scores if s.kind == "ceiling")]
    rows = []
    for name, shown in lines:
        cells = {(s.metric, s.unit): with_interval(s.value, s.low, s.high) for s in scores if s.name == name}
        rows.append([shown, *(cells.get(h, "–") for h in headings)])
    first, *others = _letters(names).items()
    for letter, name in others:
        mine = [d.as_dict() for d in found.differences if (d.name, d.question) == (name, question)]
        cells = {(d["metric"], d["unit"]): with_interval(d["value"], d["low"], d["high"]) for d in mine}
        ps = {(d["metric"], d["unit"]): format_value(d["p"]) for d in mine}
        verdicts = {(d["metric"], d["unit"]): d["verdict"] or "–" for d in mine}
        rows.append([f"{letter} - {first[0]}", *(cells[h] for h in headings)])
        rows.append([f"  {letter} is", *(verdicts[h] for h in headings)])
        rows.append(["  p", *(ps[h] for h in headings)])
    n = scores[0].n_groups
    columns = ["", *(f"{metric} [{unit}]" if unit else metric for metric, unit in headings)]
    note = why_no_p(n) if others and n < FEWEST_FOR_P else None
    output.table(f"{question}, the same {n} test groups", columns, rows, leaky=leaky, note=note)
