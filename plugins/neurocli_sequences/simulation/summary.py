"""What simulated sequences look like: how many cases of each class, how long, and examples."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.report.figure import saved_figure

_SHOWN = 8
_MOST = 2000
"""Most cases that are looked at: reading one takes longer than simulating it."""


def summarise_listops(recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
    """The exhibit `simulation`; its figure goes into `figures`."""
    labels = [recording.labels for recording in itertools.islice(recordings.values(), _MOST)]
    if not labels:
        return []
    lengths, depths = (np.array([label[name] for label in labels]) for name in ("length", "depth"))
    counts = Counter(label["class"] for label in labels)
    table = Table(
        ["value", "expressions", "tokens, mean", "depth, mean"],
        [
            [
                value,
                counts[value],
                *(_mean(x, [label["class"] == value for label in labels]) for x in (lengths, depths)),
            ]
            for value in range(10)
        ],
        f"{_of(len(labels), recordings)} expressions, of {lengths.min()} to {lengths.max()} tokens, median {np.median(lengths):g}, "
        f"nested up to {depths.max()} deep; always the most common value would be right for "
        f"{max(counts.values()) / len(labels):.1%}. First: {_text(recordings, 60)}",
    )
    claims = {
        "expressions": len(labels),
        "tokens_mean": float(lengths.mean()),
        "depth_mean": float(depths.mean()),
        "largest_class": max(counts.values()) / len(labels),
    }
    figure = None
    if figures is not None:
        figure = figures / "simulation.png"
        with saved_figure(figure, nrows=1, ncols=3, width=13.0, height=4.0) as (_, (values, long, deep)):
            values.bar(range(10), [counts[value] for value in range(10)], color="0.55")
            values.set(xlabel="value", ylabel="expressions", title="Value", xticks=range(10))
            long.hist(lengths, bins=40, color="0.55")
            long.set(xlabel="tokens", ylabel="expressions", title="Length")
            deep.hist(depths, bins=np.arange(depths.max() + 2) - 0.5, color="0.55")
            deep.set(xlabel="depth", ylabel="expressions", title="Nesting")
    return [Exhibit("simulation", "The simulated expressions", table, figure, claims)]


def summarise_pathfinder(recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
    """The exhibit `simulation`; its figure goes into `figures`."""
    rows: list[tuple[int, int, float]] = []
    examples: list[Recording] = []
    for recording in itertools.islice(recordings.values(), _MOST):
        rows.append((recording.labels["class"], recording.labels["dashes"], float(recording.signal.mean())))
        if len(examples) < _SHOWN:
            examples.append(recording)
    if not rows:
        return []
    values = np.array(rows)
    table = Table(
        ["circles", "images", "dashes, mean", "grey level, mean"],
        [
            [name, int((values[:, 0] == kind).sum()), *(_mean(values[:, x], values[:, 0] == kind) for x in (1, 2))]
            for kind, name in enumerate(("apart", "connected"))
        ],
        f"{_of(len(rows), recordings)} images; what differs between the rows would tell the class without following a path",
    )
    claims = {"images": len(rows), "connected": float(values[:, 0].mean()), "dashes_mean": float(values[:, 1].mean())}
    figure = None
    if figures is not None:
        figure = figures / "simulation.png"
        with saved_figure(figure, nrows=2, ncols=_SHOWN // 2, width=12.0, height=6.4) as (_, axes):
            for axis, recording in zip(np.ravel(axes), examples, strict=False):
                axis.imshow(recording.signal, cmap="gray", vmin=0, vmax=255)
                axis.set_title("connected" if recording.labels["class"] else "apart")
            for axis in np.ravel(axes):
                axis.set_axis_off()
    return [Exhibit("simulation", "The simulated images", table, figure, claims)]


def _of(seen: int, recordings: RecordingSet) -> str:
    return f"{seen}" if seen == len(recordings) else f"the first {seen} of {len(recordings)}"


def _mean(values: np.ndarray, chosen: object) -> float | None:
    kept = values[np.asarray(chosen)]
    return round(float(kept.mean()), 2) if len(kept) else None


def _text(recordings: RecordingSet, longest: int) -> str:
    text = recordings[recordings.groups[0]].signal[:, 0].astype(np.uint8).tobytes().decode("ascii")
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
