"""`neuro interpret RUN`: what the model has learned, held against what is known."""

from __future__ import annotations

import contextlib

from neurocli.cli.options import RUNS, Data, Device, Json, Root, Run
from neurocli.cli.output import Output


def interpret(run: Run, data: Data = None, device: Device = None, root: Root = RUNS, json: Json = False) -> None:
    """Show what a run's model has learned, with controls beside every claim."""
    with Output("interpret", json=json) as output:
        from neurocli.cli.data import trained_of_run
        from neurocli.cli.lost import Lost
        from neurocli.cli.output import plain
        from neurocli.cli.unfinished import unfinished_note
        from neurocli.runs.atomic import write_json
        from neurocli.runs.folder import RunFolder
        from neurocli.runs.lock import locked

        folder = RunFolder.find(root, run)
        family, trained, _ = trained_of_run(folder, data, device, root)
        with locked(folder):
            figures = folder.figures / "interpretation"
            with contextlib.suppress(OSError):  # whoever writes a figure says what is wrong
                figures.mkdir(parents=True, exist_ok=True)
            lost = Lost()
            with lost.figures():
                exhibits = family.interpret(trained, figures)
            lost.leave_out(exhibits)
            notes = list(family.notes(trained.data, trained.config))
            unfinished = unfinished_note(folder)
            if unfinished:
                notes.append(unfinished)
            protocol = {**trained.data.split.as_dict(), "group": trained.data.group_name()}
            kept = folder.path / "interpretation.json"
            result = {
                "model": family.card.name,
                "exhibits": [e.as_dict() for e in exhibits],
                "notes": notes,
                "protocol": protocol,
            }
            with lost.file():
                write_json(kept, plain(result))
        output.data.update(result)
        output.data.update(run=str(folder.path), name=folder.name, params=trained.config.model_dump(mode="json"))
        output.data["files"] = [str(f) for f in (kept, *(e.figure for e in exhibits)) if f and f.is_file()]
        output.exhibits(exhibits, leaky=trained.data.split.leaky)
        for line in notes:
            output.text(f"note: {line}")
        if kept.is_file():
            output.text(f"written to {kept}; on one page: neuro report {folder.name}")
        lost.report()
