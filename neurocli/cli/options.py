"""Options that several commands share; a name means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Data = Annotated[
    Optional[list[Path]],  # noqa: UP045  typer 0.15 reads this form only
    typer.Option(
        "--data",
        help="A file or folder of recordings; may be repeated. By default the data of the run; for a model, a small simulated set.",
    ),
]
Task = Annotated[
    Optional[str],  # noqa: UP045  typer 0.15 reads this form only
    typer.Option("--task", help="Task of a sequence model, as `neuro models` lists them; by default the model's own."),
]
Preset = Annotated[
    str | None, typer.Option("--preset", help="Named set of option values (`neuro models show NAME` lists them).")
]
ConfigFile = Annotated[
    Optional[Path],  # noqa: UP045  typer 0.15 reads this form only
    typer.Option("--config", help="TOML file with option values, which override the preset."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value, which overrides preset and file; may be repeated.", metavar="KEY=VALUE"),
]
Device = Annotated[Optional[str], typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]  # noqa: UP045
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Folder that holds the runs.")]
Run = Annotated[str, typer.Argument(help="A run folder, a run's name, or `latest`.", metavar="RUN")]

RUNS = Path("runs")
