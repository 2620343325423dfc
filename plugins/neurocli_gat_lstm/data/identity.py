"""Who the neurons of a worm are: one name for a column at most, and what the file's labels leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from neurocli.diagnosis.words import counted, listed
from neurocli.recordings import Note
from neurocli_gat_lstm.graph.labels import Label, read_label

UNIDENTIFIED = "unidentified-"


@dataclass
class Identity:
    """channels: a name for each column; written: channel → the file's text, where it is another; uncertain: channels whose
    label the file doubts; notes: what was found on the way."""

    channels: list[str]
    written: dict[str, str] = field(default_factory=dict)
    uncertain: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def identify(names: Sequence[str | None], doubted: Sequence[bool], where: str) -> Identity:
    """The neurons by the labels of their columns; doubted: columns whose label the file rates low.

    Of several columns that are the same neuron the one certain label counts; where none or more than one is certain, nobody is
    that neuron. A text that is no neuron's, as the class AVA, stays where it is unique.
    """
    labels = [read_label(name) for name in names]
    unsure = [label.uncertain or low for label, low in zip(labels, doubted, strict=True)]
    columns: dict[str, list[int]] = {}
    for column, label in enumerate(labels):
        if label.name is not None:
            columns.setdefault(label.name, []).append(column)
    channels = [f"{UNIDENTIFIED}{column + 1}" for column in range(len(labels))]
    beside, twice, vague = [], [], []
    for name, of_name in columns.items():
        certain = [column for column in of_name if not unsure[column]]
        chosen = of_name if len(of_name) == 1 else certain if len(certain) == 1 and labels[certain[0]].is_neuron else []
        for column in chosen:
            channels[column] = name
        if len(of_name) == 1:
            continue
        if chosen:
            beside += [
                f"{_text(labels, c, of_name)} beside {labels[chosen[0]].shown}" for c in of_name if c not in chosen
            ]
        elif labels[of_name[0]].is_neuron:
            twice.append(f"{name} in columns {_columns(of_name)}")
        else:
            vague.append(name)
    identity = Identity(channels)
    identity.uncertain = [channels[c] for c, low in enumerate(unsure) if low and channels[c] == labels[c].name]
    identity.written = {
        channel: label.text for channel, label in zip(channels, labels, strict=True) if label.text not in ("", channel)
    }
    identity.notes = [
        *_uncertain(labels, unsure, beside, where),
        *_twice(twice, where),
        *_unclear(labels, vague, where),
        *_spellings(labels, where),
    ]
    return identity


def not_understood(written: dict[str, str]) -> list[str]:
    """The texts of unidentified neurons that mean to say something."""
    labels = [read_label(text) for channel, text in written.items() if channel.startswith(UNIDENTIFIED)]
    return [label.shown for label in labels if label.is_unclear]


def _uncertain(labels: Sequence[Label], unsure: Sequence[bool], beside: Sequence[str], where: str) -> list[Note]:
    texts = [label.shown for label, low in zip(labels, unsure, strict=True) if low and label.name is not None]
    if not texts:
        return []
    found = f"{len(texts)} of {counted(len(labels), 'label')} uncertain: {listed(texts)}"
    if beside:
        found += f"; {listed(beside)}: the certain label counts, the other neuron is unidentified"
    return [
        Note(
            "uncertain-labels",
            where,
            found,
            "names are used whether certain or not; data.uncertain=exclude uses the certain ones alone",
        )
    ]


def _twice(twice: Sequence[str], where: str) -> list[Note]:
    if not twice:
        return []
    found = f"one neuron is there twice: {listed(twice)} (counted from 1); none of these columns is identified"
    return [Note("duplicate-labels", where, found, "correct the file: keep one of the labels")]


def _unclear(labels: Sequence[Label], vague: Sequence[str], where: str) -> list[Note]:
    texts = [label.shown + (" (one of several)" if label.candidates else "") for label in labels if label.is_unclear]
    texts += [f"{name} (more than once)" for name in vague]
    if not texts:
        return []
    found = f"{counted(len(texts), 'label')} not understood: {listed(texts)}; these neurons are unidentified"
    return [Note("unclear-labels", where, found, "write each as a neuron's name, or leave it empty")]


def _spellings(labels: Sequence[Label], where: str) -> list[Note]:
    """Names that took more than another case, or zeros in a number, to be understood."""
    other = [label for label in labels if label.name is not None and not label.uncertain and not label.text.isalnum()]
    if not other:
        return []
    return [Note("spelling", where, f"read as names: {listed(f'{x.shown} as {x.name}' for x in other)}")]


def _text(labels: Sequence[Label], column: int, of_name: Sequence[int]) -> str:
    """A label, with its column where others are written alike."""
    alike = sum(labels[other].text == labels[column].text for other in of_name) > 1
    return labels[column].shown + (f" (column {column + 1})" if alike else "")


def _columns(columns: Sequence[int]) -> str:
    numbers = [str(column + 1) for column in columns]
    return f"{', '.join(numbers[:-1])} and {numbers[-1]}"
