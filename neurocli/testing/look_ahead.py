"""No forecast knows what follows its origin: asked of the whole path from recording to prediction.

What a test recording holds after an origin is changed, the recordings are adapted again by the same split, and the model and
every baseline answer again. All that they say of targets whose origin is at or before the change must be the same bits,
whatever is done on the way: normalisation, smoothing, interpolation, summaries. A model that answers from its inputs alone
must not look at the recorded signal of a test group at all, nor at inputs that come later. What is said of whole recordings,
such as their class, must not change with the labels of test groups. What a family computes from
training groups when a training begins is computed again too. Where a forecast's targets lie is not believed but tried.
A baseline that is kept (`evaluation.fitted`) is found again by its training groups, and not fitted a second time.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.evaluation.target import Prediction, Target
from neurocli.plugin.family import ModelFamily, TrainedModel
from neurocli.recordings import Recording, RecordingSet, Split
from neurocli.testing.altered import (
    Alter,
    another_last_sample,
    another_signal,
    other_gaps,
    other_inputs,
    with_altered,
)
from neurocli.testing.origins import EARLIER, LATER, NO_HORIZON, Origins

NOT_ASKED = "it has no origin inside of a recording, with samples before and after"
_CUTS = (0.35, 0.8)
"""Where in a target's origins the future begins."""
_SHAKE = 0.05


@dataclass(frozen=True)
class Seen:
    """who: the model, or a baseline; what it looked at; of which group, from which origin on."""

    who: str
    what: str
    target: str
    group: str
    origin: int

    def __str__(self) -> str:
        return f"{self.who} sees {self.what}: {self.target} of {self.group}, origin {self.origin}"


@dataclass
class Report:
    """What was looked at by whom, and how many predictions were compared.

    counts: (who, target) → how many; reasons: the same → why some were not.
    """

    seen: list[Seen] = dataclasses.field(default_factory=list)
    counts: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    reasons: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    @property
    def compared(self) -> int:
        """How many predictions were compared."""
        return self.counts.total()

    @property
    def unchecked(self) -> list[str]:
        """Who could not be asked about which target, and why: no prediction of it was compared."""
        return [
            f"{target} of {who} cannot be checked: {reason}"
            for (who, target), reason in self.reasons.items()
            if not self.counts[who, target]
        ]

    def not_compared(self, target: str, reason: str) -> None:
        """Note why predictions of a target were left out."""
        for who, name in self.reasons:
            if name == target or name.startswith(f"{target}: "):
                self.reasons[who, name] = reason


@dataclass(frozen=True)
class _Experiment:
    """what: is changed; alter: group → (change, last sample that stays); blind: for models without forecasts;
    labels: for what is said of whole recordings; at_gap: a value is missing there that the next sample has; gaps: later samples are missing that were not, so that targets may
    have other origins, and a family may refuse them.
    """

    what: str
    alter: Mapping[str, tuple[Alter, int]]
    blind: bool = False
    labels: bool = False
    at_gap: bool = False
    gaps: bool = False


Predictions = dict[str, dict[str, Mapping[str, NDArray[Any]]]]


def look_ahead(
    family: ModelFamily, trained: TrainedModel, recordings: RecordingSet, *, baselines_each_time: bool = True
) -> Report:
    """Who sees the future of which test group. The weights are shaken, so that no part of a new model keeps silent.

    baselines_each_time: False asks the baselines once for each kind of change, and once more at a gap, where fitting them takes
    long.
    """
    shaken = dataclasses.replace(trained, network=awake(family, trained))
    split, config = trained.dataset.split, trained.config
    targets, predictions = _predictions_of(family, shaken, recordings)
    report, places = Report(), Origins()
    report.reasons = {(who, name): NOT_ASKED for who, named in predictions.items() for name in named}
    for name, target in targets.items():
        if target.horizon_ms is not None and target.horizon_steps < 1:
            report.seen.append(Seen("the target", NO_HORIZON, name, target.groups[0], 0))
    baselines_asked: set[tuple[str, bool]] = set()
    for experiment in _experiments(recordings, targets, split):
        what, cuts = experiment.what, {group: cut for group, (_, cut) in experiment.alter.items()}
        altered = with_altered(recordings, {group: alter for group, (alter, _) in experiment.alter.items()})
        try:
            data = family.adapt(altered, config, split)
        except DataError:
            if experiment.gaps:
                continue
            raise
        fit = baselines_each_time or (what, experiment.at_gap) not in baselines_asked
        baselines_asked.add((what, experiment.at_gap))
        retrained = dataclasses.replace(trained, dataset=data)
        retrained = dataclasses.replace(retrained, network=awake(family, retrained))
        again, later = _predictions_of(family, retrained, recordings, data, baselines=fit)
        for name, target in targets.items():
            if experiment.labels != target.of_whole or experiment.blind == (target.horizon_ms is not None):
                continue
            # Of folds only the group that was changed: its own fold is asked about it, and has never seen it.
            for group in [group for group in target.groups if group in cuts]:
                same = not (experiment.blind or experiment.gaps or experiment.labels)
                _compare(report, what, target, again.get(name), predictions, later, group, cuts[group], same)
                if same and name in again and group in again[name].values:
                    late = places.look(recordings[group], target, again[name], group, cuts[group])
                    if late is not None:
                        report.seen.append(Seen("the target", LATER, name, group, late))
    report.seen.extend(Seen("the target", EARLIER, *place) for place in places.never_moved())
    return report


def awake(family: ModelFamily, trained: TrainedModel) -> torch.nn.Module:
    """The model with what it takes from training groups, every weight a little off its start."""
    network = copy.deepcopy(trained.network)
    family.prepare(network, trained.dataset, trained.config)
    generator = torch.Generator().manual_seed(trained.seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(_SHAKE * torch.randn(weight.shape, generator=generator).to(weight))
    return network.eval()


def _predictions_of(
    family: ModelFamily, trained: TrainedModel, recordings: RecordingSet, data: Any = None, *, baselines: bool = True
) -> tuple[dict[str, Target], Predictions]:
    """(targets by name, who → target → group → values), on the data as given or as they were."""
    if data is None:
        data = family.adapt(recordings, trained.config, trained.dataset.split)
        trained = dataclasses.replace(trained, dataset=data)
    targets = {target.name: target for target in family.targets(data, trained.config)}
    predictions: Predictions = {"the model": {}}
    with torch.no_grad():
        for name, target in targets.items():
            predictions["the model"].update(_values(name, family.predict(trained, target)))
    for predictor in family.baselines(data, trained.config) if baselines else ():  # some of them are trained
        of_predictor = predictions.setdefault(f"the baseline {predictor.name}", {})
        for name, target in targets.items():
            prediction = predictor.predict(target)
            if prediction is not None:
                of_predictor.update(_values(name, prediction))
    for name, target in targets.items():
        if target.now is not None:
            predictions.setdefault("the last value seen", {})[name] = target.now
    return targets, predictions


def _values(name: str, prediction: Prediction) -> dict[str, Mapping[str, NDArray[Any]]]:
    return {name: prediction.values, **{f"{name}: {key}": values for key, values in prediction.extra.items()}}


def _experiments(recordings: RecordingSet, targets: Mapping[str, Target], split: Split) -> Iterator[_Experiment]:
    """All test groups are changed together, but for folds: there each group is trained on for the others."""
    origins: dict[str, NDArray[np.int64]] = {}
    for target in targets.values():
        for group in target.groups:
            if group in recordings and np.size(target.origins[group]):
                origins.setdefault(group, np.unique(target.origins[group]))
    if not origins:
        return
    together = [[next(iter(origins))], [next(reversed(origins))]] if split.folds else [list(origins)]
    forecasts = [target.horizon_ms is not None for target in targets.values() if not target.of_whole]
    if any(target.of_whole for target in targets.values()):
        yield from _for_labels(recordings, list(origins))
    for groups in together:
        cuts = {group: _cuts(recordings[group], origins[group]) for group in groups}
        if any(forecasts):
            yield from _for_forecasts(recordings, cuts)
        if not all(forecasts):
            yield from _for_inputs(recordings, cuts)


def _for_forecasts(recordings: RecordingSet, cuts: Mapping[str, list[int]]) -> Iterator[_Experiment]:
    for number, here in enumerate(_one_by_one(cuts)):
        for what, large in (("later samples", False), ("how large later samples are", True)):
            alter = {g: (partial(_all_later, cut=c, large=large), c) for g, c in here.items()}
            yield _Experiment(what, alter, at_gap=number >= len(_CUTS))
    *_, last = _one_by_one(cuts)
    alter = {g: (partial(other_gaps, cut=c), c) for g, c in last.items()}
    yield _Experiment("which later samples are missing", alter, gaps=True)
    yield _Experiment("the last sample", {g: (another_last_sample, recordings[g].steps - 2) for g in cuts})


def _for_inputs(recordings: RecordingSet, cuts: Mapping[str, list[int]]) -> Iterator[_Experiment]:
    for what, large in (("the recorded signal", False), ("how large the recorded signal is", True)):
        change = partial(another_signal, cut=-1, large=large)
        yield _Experiment(what, {group: (change, recordings[group].steps) for group in cuts}, blind=True)
    for number, here in enumerate(_one_by_one(cuts)):
        alter = {g: (partial(other_inputs, cut=c), c) for g, c in here.items()}
        yield _Experiment("later inputs", alter, blind=True, at_gap=number >= len(_CUTS))


def _for_labels(recordings: RecordingSet, groups: list[str]) -> Iterator[_Experiment]:
    """Each test group has the labels of the next one."""

    def change(recording: Recording, of: str) -> Recording:
        return dataclasses.replace(recording, labels=recordings[of].labels)

    following = dict(zip(groups, [*groups[1:], groups[0]], strict=True))
    alter = {group: (partial(change, of=following[group]), recordings[group].steps) for group in groups}
    yield _Experiment("the labels of test recordings", alter, blind=True, labels=True)


def _one_by_one(cuts: Mapping[str, list[int]]) -> Iterator[dict[str, int]]:
    for number in range(max(map(len, cuts.values()), default=0)):
        yield {group: places[min(number, len(places) - 1)] for group, places in cuts.items()}


def _all_later(recording: Recording, cut: int, large: bool) -> Recording:
    return other_inputs(another_signal(recording, cut, large=large), cut)


def _cuts(recording: Recording, origins: NDArray[np.int64]) -> list[int]:
    """The last samples that stay: some origins, and one at which a value is missing that the next sample has."""
    cuts = [int(origins[int(share * (len(origins) - 1))]) for share in _CUTS]
    there = np.isfinite(recording.signal)
    if recording.mask is not None:
        there &= recording.mask
    before_return = np.flatnonzero((~there[:-1] & there[1:]).any(axis=1))
    inside = before_return[(before_return >= origins[0]) & (before_return < origins[-1])]
    return [*cuts, *inside[len(inside) // 2 :][:1].tolist()]


def _compare(
    report: Report,
    what: str,
    target: Target,
    again: Target | None,
    predictions: Predictions,
    later: Predictions,
    group: str,
    cut: int,
    same_origins: bool,
) -> None:
    """Predictions of origins up to `cut`, those of the altered recordings beside those of the recordings as they were.

    same_origins: the target must have the same ones up to there.
    """
    before = np.asarray(target.origins[group])
    after = np.asarray(again.origins[group]) if again is not None and group in again.values else before[:0]
    early, still = before <= cut, after <= cut
    # Windows around events of the inputs may move with these, and nothing is asked about what is missing.
    if same_origins and not np.array_equal(before[early], after[still]):
        report.seen.append(Seen("the target", what, target.name, group, cut))
        return
    common = np.intersect1d(before[early], after[still])
    rows, rows_again = (np.flatnonzero(np.isin(places, common) & (places <= cut)) for places in (before, after))
    if len(rows) != len(rows_again):
        report.not_compared(target.name, "two predictions have the same origin, and the change moves only one of them")
        return
    for who, named in predictions.items():
        if who not in later:
            continue
        for name, values in named.items():
            if name != target.name and not name.startswith(f"{target.name}: "):
                continue
            one, other = np.asarray(values[group]), np.asarray(later[who][name][group])
            if len(one) != len(before) or len(other) != len(after):
                report.reasons[who, name] = "its predictions are not one for each origin"
                continue
            differs = [
                not np.array_equal(a, b, equal_nan=True) for a, b in zip(one[rows], other[rows_again], strict=True)
            ]
            report.counts[who, name] += len(differs)
            if any(differs):
                origin = int(before[rows[differs.index(True)]])
                report.seen.append(Seen(who, what, name, group, origin))
