"""How the epoch is chosen, and what choosing it on the test set would claim, as is common for these data."""

from __future__ import annotations

import math
from pathlib import Path

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.data.shd_split import BY_FILE, NEW_SPEAKERS

TEST_ACCURACY = "test_accuracy"
"""Column of the history; nothing is chosen by it."""


def choice_notes(data: ShdData) -> list[str]:
    """What the epoch is chosen on, and which speakers are where."""
    if data.split.protocol not in BY_FILE:
        return []
    heard, chose, tested = (_speakers(data, part) for part in ("train", "validation", "test"))
    if data.split.protocol == NEW_SPEAKERS:
        names = " and ".join(sorted(map(str, chose), key=lambda name: (len(name), name)))
        several = "s" if len(chose) != 1 else ""
        both = len(chose & tested)
        where = f"{both} of them in the test file as well, by other utterances" if both else "not in the test file"
        return [
            f"the epoch is chosen on speaker{several} {names}, whom training does not hear ({where}); "
            f"{len(heard & tested)} of {len(tested)} test speakers are in training; the test set is scored only"
        ]
    shared = f", and {len(heard & tested)} of {len(tested)} test speakers" if data.speakers_known else ""
    notes = [f"the published split is by file: training and validation have the same speakers{shared}"]
    if data.options.hold_out == "speakers":
        why = "are unknown" if not data.speakers_known else "are too few"
        notes.append(f"the speakers of the training file {why}: the epoch is chosen on utterances, not on new speakers")
    return notes


def chosen_on_test(trained: TrainedModel, figures: Path) -> Exhibit | None:
    """Accuracy on the test set at the epoch that validation chose, and at the one that is best on the test set itself.

    None where the test set is not the published one, or the history does not hold its accuracy in every epoch.
    """
    dataset, rows = trained.dataset, trained.history
    assert isinstance(dataset, ShdData)
    if dataset.split.protocol not in BY_FILE or not rows or any(TEST_ACCURACY not in row for row in rows):
        return None
    best = max(rows, key=lambda row: row[TEST_ACCURACY])  # the first of equals
    # As training does: the first of the lowest, or the last where nothing chooses.
    validated = all(math.isfinite(row.get("validation_loss", math.nan)) for row in rows)
    own = min(rows, key=lambda row: row["validation_loss"]) if validated else rows[-1]
    difference = best[TEST_ACCURACY] - own[TEST_ACCURACY]
    on = "new speakers" if dataset.split.protocol == NEW_SPEAKERS else "other utterances"
    lines = [
        [f"{on} (validation)" if validated else "nothing: the last", int(own["epoch"]), own[TEST_ACCURACY], 0.0],
        ["the test set", int(best["epoch"]), best[TEST_ACCURACY], difference],
    ]
    path = figures / "chosen-on-test.png"
    with saved_figure(path, height=3.2) as (_, axes):
        axes.plot([row["epoch"] for row in rows], [row[TEST_ACCURACY] for row in rows], color="0.5", marker=".")
        axes.plot(own["epoch"], own[TEST_ACCURACY], "o", color="#0b6bcb", label="chosen by validation")
        axes.plot(
            best["epoch"], best[TEST_ACCURACY], "x", color="#c01c28", markersize=9, label="chosen on the test set"
        )
        axes.set(xlabel="epoch", ylabel="accuracy on the test set")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8)
    note = (
        f"the largest of {len(rows)} accuracies on the test set is no estimate of the accuracy on new data: part of it is chance. "
        "Many published accuracies of these data are of this kind: compare those with the second line, and believe the first"
    )
    table = Table(["epoch chosen on", "epoch", "test accuracy", "difference"], lines, note)
    claims = {
        "accuracy": own[TEST_ACCURACY],
        "accuracy_chosen_on_test": best[TEST_ACCURACY],
        "difference": difference,
        "epochs": len(rows),
    }
    return Exhibit("chosen-on-test", "What choosing the epoch on the test set would claim", table, path, claims)


def _speakers(data: ShdData, part: str) -> set[int | None]:
    return {data.about[group].speaker for group in data.split.groups(part)}
