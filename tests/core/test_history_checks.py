"""The gap between training and validation is one only where both are the same quantity."""

from __future__ import annotations

from neurocli.cli.progress import Progress
from neurocli.diagnosis.finding import WARN
from neurocli.diagnosis.shared import check_history
from neurocli.workflow.messages import Event, Reporter

HISTORY = [
    {"epoch": 1.0, "train_loss": 1.0, "validation_loss": 4.0},
    {"epoch": 2.0, "train_loss": 1.0, "validation_loss": 3.0},
]


def test_a_gap_is_a_warning_where_both_are_losses() -> None:
    found = {f.check: f for f in check_history(HISTORY)}
    assert found["train-validation-gap"].verdict == WARN and found["train-validation-gap"].value == 3.0


def test_no_gap_between_different_quantities() -> None:
    checks = {f.check for f in check_history(HISTORY, validation_is_loss=False)}
    assert checks == {f.check for f in check_history(HISTORY)} - {"train-validation-gap"}


def test_progress_names_them_apart(capsys) -> None:
    row = {"event": "epoch", "epoch": 2, "epochs": 2, "train_loss": 23.6, "validation_loss": 0.57}
    for same in (True, False):
        reporter = Reporter(Progress())
        with reporter.stage("training toy"):
            reporter.tell(Event("epoch", row=row | {"validation_is_loss": same}))
    assert capsys.readouterr().err.splitlines() == [
        "training toy: epoch 2 of 2  training loss 23.6, validation loss 0.57",
        "training toy: epoch 2 of 2  training loss 23.6, validation error 0.57",
    ]
