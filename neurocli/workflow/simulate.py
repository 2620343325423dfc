"""Simulate recordings from a world with known truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options, configured
from neurocli.workflow.messages import Listener, Reporter
from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.plugin.exhibit import Exhibit
    from neurocli.recordings import RecordingSet

DEFAULT_RUNS = 12


@dataclass
class Simulation:
    """What `simulate` made. It may stand wherever data are asked for.

    path: the recordings file; files: it and those in other formats; exhibits: tables and figures that say what was simulated;
    failures: files that could not be written, beside the recordings.

    >>> made.path.name, made.config.num_excitatory, made.exhibits[0].claims["trials"]
    ('sc-session.h5', 6, 2)
    >>> made.recordings.truth["weights"].shape  # [unit, unit], those that are not recorded too
    (59, 59)
    """

    simulator: str
    path: Path
    recordings: RecordingSet
    config: Any
    files: list[Path]
    exhibits: list[Exhibit]
    failures: WriteFailures = field(default_factory=WriteFailures)

    def __fspath__(self) -> str:
        return os.fspath(self.path)


def simulate(
    name: str,
    *,
    runs: int = DEFAULT_RUNS,
    out: AnyPath | None = None,
    preset: str | None = None,
    config: AnyPath | None = None,
    options: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    first: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    formats: Sequence[str] = (),
    figures: AnyPath | None = None,
    overwrite: bool = False,
    progress: Listener | None = None,
) -> Simulation:
    """Simulate runs `first` to `first + runs - 1` into a file; what is there already is used.

    name: as `neuro models` lists simulators; out: the file, NAME.h5 by default; preset, config, options: named set of values, TOML
    file, and values by name, each over the one before; workers: processes, one per core by default; scheduler: address of a Dask
    scheduler; formats: others to write as well; figures: their folder, NAME_figures beside the file by default.

    Raises UnknownName, ConfigError, UsageError, StorageError, PartlyDone where some runs failed, Interrupted.

    >>> import neurocli
    >>> made = neurocli.simulate("sc-session", runs=2, options={"num_excitatory": 6, "num_inhibitory": 3})
    >>> made.recordings.groups
    ['trial-0000', 'trial-0001']
    >>> made.recordings["trial-0000"].signal.shape, made.recordings["trial-0000"].unit  # [time, neuron]
    ((119, 9), 'sp/s')
    """
    from neurocli.errors import UnknownName
    from neurocli.plugin.registry import load_implementation, registry
    from neurocli.simulation.engine import simulate as run_simulation

    reporter = Reporter(progress)
    card = registry().simulator(name)
    simulator = load_implementation(card)(card)
    resolved = configured(simulator, Options(preset, config, sets, options or {}))
    for output_format in formats:
        if output_format not in simulator.Formats:
            raise UnknownName.among("output format", output_format, simulator.Formats)
    path = Path(out) if out is not None else Path(f"{card.name}.h5")
    with reporter.stage(f"simulating {card.name}"):
        recordings = run_simulation(
            simulator,
            resolved.config,
            runs=runs,
            out=path,
            first=first,
            workers=workers,
            scheduler=scheduler,
            overwrite=overwrite,
            progress=reporter.steps,
            say=reporter.say,
        )
    files, failures = [path], WriteFailures()
    for output_format in formats:
        with failures.file():
            files += simulator.export(recordings, output_format, path.parent)
    folder = Path(figures) if figures is not None else path.with_name(f"{path.stem}_figures")
    with failures.figures():
        exhibits = simulator.summary(recordings, folder)
    failures.leave_out(exhibits)
    return Simulation(card.name, path, recordings, resolved.config, files, exhibits, failures)
