"""What an evaluation found, with all that can be read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.write_failures import WriteFailures

if TYPE_CHECKING:
    from neurocli.evaluation.evaluate import Evaluation
    from neurocli.plugin.exhibit import Exhibit
    from neurocli.plugin.family import ModelFamily, TrainedModel
    from neurocli.workflow.controls import ControlComparison


@dataclass
class EvaluationResult:
    """What `evaluate` found.

    name: of the run, or of the weights' file; path: folder of the result; file: its JSON file; trained: the model that was scored;
    controls: what a comparison with controls found, where it was asked for; failures: files that could not be written.

    >>> result.evaluation.skill["target"], result.evaluation.leaky, result.trained.seed
    ('1 step', False, 0)
    >>> result.controls is None and result.failures.errors == []
    True
    """

    name: str
    path: Path
    file: Path
    family: ModelFamily
    trained: TrainedModel
    evaluation: Evaluation
    controls: ControlComparison | None = None
    failures: WriteFailures = field(default_factory=WriteFailures)

    @property
    def config(self) -> Any:
        """The options of the model that was scored.

        >>> result.config.train.max_steps
        2
        """
        return self.trained.config

    @property
    def scores(self) -> list[dict[str, Any]]:
        """Every score, a record each, as in --json; `pandas.DataFrame(result.scores)` is a table of them.

        >>> [(s["name"], s["unit"]) for s in result.scores if s["metric"] == "S" and s["kind"] == "model"][0]
        ('gat-lstm-v3', '1 - MSE/MSE of persistence')
        """
        from neurocli.runs.plain import plain

        return list(plain(self.evaluation.as_dict()["scores"]))

    @property
    def verdict(self) -> str:
        """The main score beside its references, and what the difference allows to say.

        >>> print(result.verdict)
        S (1 - MSE/MSE of persistence), ... ahead: gat-lstm-v3 ...; best baseline: ...; ceiling: unknown. no skill: ...
        """
        from neurocli.report.scores import score_line, skill_lines

        values = self.evaluation.as_dict()
        return ". ".join([score_line(values), *skill_lines(values)])

    @property
    def exhibits(self) -> list[Exhibit]:
        """The family's further tables and figures.

        >>> result.exhibits[0].title
        'S at every horizon'
        """
        return self.evaluation.exhibits

    @property
    def files(self) -> list[Path]:
        """What was written.

        >>> [path.name for path in result.files][:2]
        ['evaluation.json', 's_by_horizon.png']
        """
        written = [self.file, *(e.figure for e in self.exhibits if e.figure)]
        return [path for path in written if path.is_file()]
