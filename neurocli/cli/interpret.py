"""`neuro interpret RUN`: what the model has learned, held against what is known."""

from __future__ import annotations

from neurocli.cli.options import RUNS, Data, Device, Json, Run, RunsDir
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress


def interpret(run: Run, data: Data = None, device: Device = None, runs_dir: RunsDir = RUNS, json: Json = False) -> None:
    """Show what a run's model has learned, with controls beside every claim."""
    with Output("interpret", json=json) as output:
        from neurocli.workflow.interpret import interpret as look_into

        found = look_into(run, data=data, device=device, runs_dir=runs_dir, progress=Progress(output))
        output.data.update(found.as_dict())
        output.data.update(run=str(found.path), name=found.name, params=found.config.model_dump(mode="json"))
        output.data["files"] = [str(path) for path in found.files]
        output.exhibits(found.exhibits, leaky=bool(found.protocol["leaky"]))
        for line in found.notes:
            output.text(f"note: {line}")
        if found.kept.is_file():
            output.text(f"written to {found.kept}; on one page: neuro report {found.name}")
        found.failures.report()
