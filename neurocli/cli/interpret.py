"""`neuro interpret RUN`: what the model has learned, compared with what is known."""

from __future__ import annotations

from neurocli.cli.options import RUNS, Data, Device, Json, Run, RunsDir
from neurocli.cli.output import Output
from neurocli.cli.progress import Progress


def interpret(run: Run, data: Data = None, device: Device = None, runs_dir: RunsDir = RUNS, json: Json = False) -> None:
    """Show what a run's model has learned, with controls beside every claim."""
    with Output("interpret", json=json) as output:
        from neurocli.workflow.interpret import interpret as interpret_run

        interpretation = interpret_run(run, data=data, device=device, runs_dir=runs_dir, progress=Progress(output))
        output.data.update(interpretation.as_dict())
        output.data.update(
            run=str(interpretation.path), name=interpretation.name, params=interpretation.config.model_dump(mode="json")
        )
        output.data["files"] = [str(path) for path in interpretation.files]
        output.exhibits(interpretation.exhibits, leaky=bool(interpretation.protocol["leaky"]))
        for line in interpretation.notes:
            output.text(f"note: {line}")
        if interpretation.file.is_file():
            output.text(f"written to {interpretation.file}; on one page: neuro report {interpretation.name}")
        interpretation.failures.report()
