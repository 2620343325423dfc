"""A run: one training on disk, and all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.runs.folder import RunFolder
from neurocli.runs.records import read_record, without_figure_sums
from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.finding import RUNS_DIR, folder_of
from neurocli.workflow.messages import Listener, Reporter

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from neurocli.evaluation.target import Target
    from neurocli.plugin.family import ModelFamily, TrainedModel
    from neurocli.recordings import Dataset, Recording


@dataclass(frozen=True)
class GroupPrediction:
    """What a model says of one group at one target.

    target: name of what is scored, such as `25 ms`; time_ms: [time], from the recording's first sample; observed, predicted: [time,
    channel] in `unit`; channels: their names.

    >>> said = next(neurocli.load_run("latest").predictions())
    >>> said.group, said.target, said.unit
    ('simulated-net0-seed0-0000', '1 step', 'dF/F0')
    >>> said.predicted.shape == said.observed.shape == (len(said.time_ms), len(said.channels))
    True
    """

    group: str
    target: str
    time_ms: NDArray[np.float64]
    observed: NDArray[Any]
    predicted: NDArray[Any]
    channels: list[str]
    unit: str


class Run:
    """One training. What it holds is read when it is asked for.

    >>> run.model, run.config.train.seed
    ('gat-lstm-v3', 0)
    """

    def __init__(self, folder: RunFolder | AnyPath) -> None:
        self.folder = folder if isinstance(folder, RunFolder) else RunFolder(Path(folder))
        self._trained: tuple[ModelFamily, TrainedModel] | None = None

    def __repr__(self) -> str:
        return f"Run({self.name!r})"

    def __fspath__(self) -> str:
        return str(self.folder.path)

    # -- on disk -------------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The run's folder.

        >>> (run.path / "config.toml").is_file()
        True
        """
        return self.folder.path

    @property
    def name(self) -> str:
        """`model/timestamp-hash`, by which commands find it.

        >>> run.name
        'gat-lstm-v3/20...-...-...'
        """
        return self.folder.name

    @property
    def info(self) -> dict[str, Any]:
        """The content of run.json: model, status, data, split. Raises DataError where it is damaged.

        >>> run.info["group_name"], run.info["split"]["leaky"]
        ('worm', False)
        """
        return self.folder.read_info()

    @property
    def model(self) -> str:
        """The model's name, as `neuro models` lists it.

        >>> run.model
        'gat-lstm-v3'
        """
        return str(self.info["model"])

    @property
    def status(self) -> str:
        """created, running, interrupted, failed or finished.

        >>> run.status
        'finished'
        """
        from neurocli.workflow.unfinished import state_of

        return str(state_of(self.folder, self.info).status)

    @property
    def family(self) -> ModelFamily:
        """What the plugin supplies for this model.

        >>> run.family.card.family, run.family.card.simulator
        ('gat_lstm', 'celegans')
        """
        from neurocli.workflow.configuring import family_of_run

        return family_of_run(self.info)

    @property
    def config(self) -> Any:
        """Options by section. Raises DataError where this version does not take them.

        >>> run.config.train.max_steps
        2
        """
        from neurocli.training.load import config_of

        return config_of(self.family, self.folder)

    @property
    def history(self) -> list[dict[str, float]]:
        """A record for each epoch.

        >>> sorted(run.history[-1])
        ['epoch', 'learning_rate', 'step', 'train_loss']
        """
        from neurocli.training.history import read_history

        return read_history(self.folder.metrics_csv)

    @property
    def metrics(self) -> dict[str, Any]:
        """What the finished training comes to. Raises DataError where it has not finished.

        >>> run.metrics["epochs"], run.metrics["steps"], sorted(run.metrics)
        (1, 2, ['best_epoch', 'best_validation_loss', 'cpu_s', 'epochs', 'parameters', 'steps', 'wall_s'])
        """
        return read_record(self.folder.metrics_json)

    # -- results -------------------------------------------------------------------------------------------------

    def result(self, name: str) -> dict[str, Any]:
        """The last `evaluation`, `diagnosis` or `interpretation`. Raises DataError where there is none yet.

        >>> run.result("evaluation")["skill"]["target"]
        '1 step'
        """
        from neurocli.errors import DataError

        path = self.path / f"{name}.json"
        verb = {"evaluation": "evaluate", "diagnosis": "diagnose", "interpretation": "interpret"}[name]
        if not path.exists():
            raise DataError(f"the run has no {name} yet", where=self.name, hint=f"neurocli.{verb}(run) makes it")
        return without_figure_sums(read_record(path))

    @property
    def scores(self) -> list[dict[str, Any]]:
        """Every score of the last evaluation, a record each.

        >>> next(score["n_groups"] for score in run.scores if score["kind"] == "model")
        4
        """
        return list(self.result("evaluation")["scores"])

    @property
    def exhibits(self) -> list[dict[str, Any]]:
        """What the last evaluation and interpretation show: name, title, table, figure, claims.

        >>> run.exhibits[0]["title"]
        'S at every horizon'
        """
        exhibits: list[dict[str, Any]] = []
        for name in ("evaluation", "interpretation"):
            if (self.path / f"{name}.json").exists():
                exhibits += self.result(name)["exhibits"]
        return exhibits

    @property
    def figures(self) -> list[Path]:
        """The pictures in the run's folder.

        >>> run.figures[0].name
        'classes.png'
        """
        return sorted(self.folder.figures.rglob("*.png"))

    def report(self, out: AnyPath | None = None) -> Path:
        """Write what is known of the run as one HTML page; gives its path.

        >>> run.report("page.html").read_text(encoding="utf-8")[:15]
        '<!doctype html>'
        """
        from neurocli.workflow.report import report

        return report(self, out=out).path

    # -- in memory -----------------------------------------------------------------------------------------------

    def trained(self, data: Any = None, *, device: str | None = None, progress: Listener | None = None) -> TrainedModel:
        """The trained model with its dataset, or with other data to predict. Kept where it is the run's own.

        >>> run.trained().seed
        0
        """
        from neurocli.workflow.data.reopening import trained_of_run

        if data is not None or device is not None:
            return trained_of_run(self.folder, data, device, Reporter(progress))[1]
        if self._trained is None:
            self._trained = trained_of_run(self.folder, None, None, Reporter(progress))
        return self._trained[1]

    @property
    def network(self) -> torch.nn.Module:
        """The torch module with the weights of the best epoch, in eval mode.

        >>> run.network.training
        False
        """
        return self.trained().network

    @property
    def dataset(self) -> Dataset:
        """The recordings that the run was trained on, split and normalised as then.

        >>> run.dataset.split.test == tuple(run.dataset.recordings.groups)  # each worm is left out once
        True
        """
        return self.trained().dataset

    def predictions(self, data: Any = None, *, device: str | None = None) -> Iterator[GroupPrediction]:
        """What the model says of every test group, or of new data, at each target, beside what was observed.

        >>> list(dict.fromkeys(said.target for said in run.predictions()))
        ['1 step', '5 steps', '10 steps', '25 steps']
        """
        import numpy as np

        trained, family = self.trained(data, device=device), self.family
        for target in family.targets(trained.dataset, trained.config):
            prediction = family.predict(trained, target)
            for group in target.groups:
                recording = trained.dataset.recordings[group]
                observed = np.asarray(target.values[group])
                places = np.asarray(target.origins[group]) + target.horizon_steps
                yield GroupPrediction(
                    group,
                    target.name,
                    (places * recording.dt_ms).astype(np.float64),
                    observed,
                    np.asarray(prediction.values[group]),
                    _channels(target, recording, observed.shape[1]),
                    target.unit,
                )


def _channels(target: Target, recording: Recording, width: int) -> list[str]:
    """Names of a target's channels; numbers where nobody has named them."""
    names = list(target.channels) or recording.channels or []
    return list(names) if len(names) == width else [str(n) for n in range(width)]


def load_run(name: str | PathLike[str] = "latest", *, runs_dir: AnyPath = RUNS_DIR) -> Run:
    """A run by its folder, its name, or `latest`. Raises UnknownName with the nearest names, or UsageError.

    >>> import neurocli
    >>> run = neurocli.load_run("latest", runs_dir="runs")
    >>> run
    Run('gat-lstm-v3/20...-...-...')
    """
    return Run(folder_of(name, runs_dir))
