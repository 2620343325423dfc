"""Dataset adapter: worms in units that know no future, split by worm, dealt out as chunks with the linear path that is corrected."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property, reduce
from operator import add
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import ConfigError, DataError
from neurocli.recordings import Batch, Dataset, RecordingSet, Split, leave_one_out, split_by_options
from neurocli.recordings.split import NEW_DATA
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.config_v1 import V1Config
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.linear.moments import Moments
from neurocli_gat_lstm.data.linear.path import LinearPath
from neurocli_gat_lstm.data.linear.penalties import Fitted, fit, fit_shared, no_paths
from neurocli_gat_lstm.data.linear.tensors import beyond_rollout, linear_tensors
from neurocli_gat_lstm.data.new_worms import without_known
from neurocli_gat_lstm.data.selection import is_control, scored, usable
from neurocli_gat_lstm.data.series import UNIDENTIFIED, WormSeries
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.graph.wiring import Wiring

FEW = 10
"""With fewer worms each is left out in turn."""
INNER_FOLDS = 5
"""Parts of the training worms that are left out in turn to choose penalties."""
LAGS = 10
"""Own past of the linear models that no option belongs to."""
ROUNDS, FEWEST_ROUNDS = 10, 40
"""Batches of each network in an epoch, and of all folds together: one fold alone has more worms to learn from."""
VALIDATION_CHUNKS = 24
Paths = dict[int, LinearPath]
"""Horizon → linear path."""
Forecasts = dict[int, NDArray[np.floating[Any]]]
"""Horizon → [origin, neuron]."""


class WormData(Dataset):
    """Worms by group; names: every neuron that a worm of the run identifies, which are the nodes of its graph.

    fold: a training of its own; there is one without folds. members: networks of each fold. corrects: whether the model
    corrects a linear path.
    """

    normalisation = None
    config: GatLstmConfig

    def __init__(self, recordings: RecordingSet, config: GatLstmConfig, split: Split | None = None) -> None:
        options = config.data
        self.recordings, self.config = recordings, config
        self.left_out: list[str] = []
        self.doubts: list[str] = []
        if split is None:
            self.worms, self.left_out = usable(recordings, options)
            split = _split(list(self.worms), options)
        else:
            if split.protocol == NEW_DATA:
                split, self.left_out, self.doubts = without_known(recordings, split, options)
            known = [g for g in dict.fromkeys([*split.train, *split.validation]) if g in recordings]
            self.worms = scored(recordings, known, options) | scored(recordings, split.test, options)
        if options.normalisation == "whole":
            split = dataclasses.replace(split, leaky=True)
        self.split = split
        self.rollout_steps = config.loss.rollout
        self.lags = config.model.lags
        self.chunk = config.loss.chunk
        self._check()
        fitted_on = list(
            dict.fromkeys([*split.train, *split.validation, *(group for fold in split.folds for group in fold.test)])
        )
        named = {n for g in fitted_on or self.worms for n in self.worms[g].names if not n.startswith(UNIDENTIFIED)}
        self.names = tuple(sorted(named))
        self.members = config.model.members
        self.corrects = not isinstance(config, V1Config)
        steps = [worm.dt_ms for worm in self.worms.values()]
        self._folds = max(1, len(split.folds))
        self.spec = {
            "names": list(self.names),
            "folds": self.folds,
            "dt_ms": float(np.median([self.worms[g].dt_ms for g in fitted_on] or steps)),
            "edge_features": 3 if config.model.distance else 2,
        }
        self.forecasts: dict[Any, Any] = {}  # of baselines, by (name, worm, number of origins)
        self._graphs: dict[str, GraphTensors] = {}
        self._scales: dict[int, torch.Tensor] = {}
        self._products: dict[tuple[str, ...], Moments] = {}
        self._fits: dict[tuple[str, int], Any] = {}
        _ = self.wiring.graph  # what is wrong with the connectome is said before a run begins
        self._forecasts_of: WeakKeyDictionary[torch.nn.Module, tuple[int, dict[tuple[str, int], Forecasts]]] = (
            WeakKeyDictionary()
        )

    # -- worms and folds ----------------------------------------------------------------------------------------------

    def adopt(self, spec: dict[str, Any], normalisation: Any) -> None:
        """The names and the number of folds that a run's networks were built for."""
        if isinstance(spec.get("names"), list) and isinstance(spec.get("folds"), int):
            self.names, self._folds = tuple(str(name) for name in spec["names"]), spec["folds"]
            self.spec = spec
            self._graphs.clear()
            self.__dict__.pop("wiring", None)

    @property
    def folds(self) -> int:
        return self._folds

    def training_worms(self, fold: int) -> list[WormSeries]:
        """The worms that a fold is fitted on."""
        part = self.split.folds[fold].train if self.split.folds else self.split.train
        return [self.worms[group] for group in part]

    def folds_for(self, group: str) -> list[int]:
        """The folds whose networks forecast a worm: those that were not fitted on it."""
        fold = self.split.fold_of(group)
        return list(range(self.folds)) if fold is None else [fold]

    def forecasts_by(self, network: torch.nn.Module) -> dict[tuple[str, int], Forecasts]:
        """Forecasts that a network has made, by (worm, number of origins); empty again once its weights have changed."""
        version = sum(parameter._version for parameter in network.parameters())
        cached = self._forecasts_of.get(network)
        if cached is None or cached[0] != version:
            cached = self._forecasts_of[network] = (version, {})
        return cached[1]

    def group_name(self) -> str:
        return "worm"

    def scope(self) -> str:
        """What intervals over worms hold for."""
        from neurocli_gat_lstm.data.notes import scope

        return scope(self)

    def is_control(self, group: str) -> bool:
        return is_control(self.recordings[group])

    @cached_property
    def wiring(self) -> Wiring:
        """The edges among the names of the run."""
        return Wiring(self.config.model, self.names)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Those that are scored, and one frame, from which a network's rollout goes on."""
        return tuple(sorted({1, *self.config.evaluate.horizons}))

    def linear(self, fold: int) -> Fitted:
        """The linear path that a model corrects, fitted on the training worms of a fold."""
        model = self.config.model
        teachers = [worm.group for worm in self.training_worms(fold)]
        if model.linear == "none" or not teachers:
            return no_paths(self.names, self.lags, self.horizons, teachers)
        if model.linear == "own":
            return self._fitted("own", fold, self.all_pairs & False, self.lags, (True, False, False))
        if model.linear == "all":
            return self.full_linear(fold)
        return self.graph_linear(fold)

    @property
    def all_pairs(self) -> NDArray[np.bool_]:
        """[post, pre]: every pair of different neurons."""
        return ~np.eye(len(self.names), dtype=bool)

    @property
    def linear_pairs(self) -> NDArray[np.bool_]:
        """[post, pre]: the pairs that the linear path which a model corrects may use."""
        model = self.config.model
        if model.linear == "all":
            return self.all_pairs
        return self.wiring.allowed(model.hops) & (model.linear == "edges")

    def graph_linear(self, fold: int) -> Fitted:
        return self._fitted("graph", fold, self.wiring.allowed(self.config.model.hops), self.lags)

    def full_linear(self, fold: int) -> Fitted:
        """The same regression over all pairs of neurons: what linear models can do without any graph."""
        return self._fitted("full", fold, self.all_pairs, self.full_lags)

    @property
    def full_lags(self) -> int:
        return self.lags if self.config.model.linear == "all" else LAGS

    def shared_linear(self, fold: int, lags: int) -> tuple[Paths, bool]:
        """(one autoregression for all neurons at each horizon, whether its penalties lie inside of their grid)."""
        key = (f"shared {lags}", fold)
        if key not in self._fits:
            self._fits[key] = fit_shared(self._parts(f"shared {lags}", fold, self.all_pairs & False, lags))
        return self._fits[key]

    def _fitted(
        self,
        name: str,
        fold: int,
        allowed: NDArray[np.bool_],
        lags: int,
        free: tuple[bool, bool, bool] = (True, True, True),
    ) -> Fitted:
        key = (name, fold)
        if key not in self._fits:
            self._fits[key] = fit(self._parts(name, fold, allowed, lags), free)
        return self._fits[key]

    def _parts(self, name: str, fold: int, allowed: NDArray[np.bool_], lags: int) -> list[tuple[list[str], Moments]]:
        """The training worms of a fold in at most INNER_FOLDS parts, with the products of each."""
        worms = self.training_worms(fold)
        count = min(INNER_FOLDS, len(worms))
        products = []
        for part in (worms[k::count] for k in range(count)):
            key = (name, *(worm.group for worm in part))
            if key not in self._products:
                per_worm = (Moments.of(worm, self.names, allowed, lags, self.horizons) for worm in part)
                self._products[key] = reduce(add, per_worm)
            products.append(([worm.group for worm in part], self._products[key]))
        return products

    def products_of_pairs(self, fold: int) -> list[Moments]:
        """Products of all pairs of neurons, with the linear path's own past, of the parts of a fold's training worms."""
        return [m for _, m in self._parts(f"pairs {self.lags}", fold, self.all_pairs, self.lags)]

    def frames_of(self, group: str, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The frames of a worm at which forecasts are made, from the samples of its recording that a target names."""
        worm, evaluate = self.worms[group], self.config.evaluate
        if self.config.data.dt == "native":
            return samples
        frames = worm.origins(evaluate.context, max(evaluate.horizons), evaluate.stride)
        assert np.array_equal(worm.sample[frames], samples), "a target of other options"
        return frames

    # -- batches ------------------------------------------------------------------------------------------------------

    @property
    def span(self) -> int:
        """Frames of a chunk with its history and its rollout."""
        return self.lags + self.chunk + max(1, self.rollout_steps)

    def steps(self, part: str) -> int:
        if part == "train":
            return self.config.train.steps_per_epoch or max(ROUNDS * self.folds, FEWEST_ROUNDS) * self.members
        return len(self.split.groups(part)) * self.members

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Chunks of one worm each, the members in turn; worms by their length, chunks anywhere inside a segment.

        member: which network; x [chunk, span, neuron] in units of each frame's own time, 0 where hidden; next like x: what
        comes one frame after, in the units of the frame; ahead [chunk, step, neuron]: what comes 1, 2, ... frames after the
        last frame that is known, in its units; known like x, weight like x: how much an error in the units of a frame counts;
        present bool [chunk, neuron]; nodes [neuron] index in `names`, len(names) for an unknown name; edge_index, edge_attr;
        own, level, change: the linear path of one frame, fitted without this worm; direct [chunk, step, neuron]: what the
        paths of longer horizons add to its rollout; scale [step]: persistence's squared error.
        """
        if part != "train":
            yield from self._validation()
            return
        rng = np.random.default_rng([seed, epoch])
        loss = self.config.loss
        for member, worm, starts in self._drawn(rng):
            n = len(worm.names)
            present = rng.random((len(starts), n)) >= loss.neuron_dropout
            present[~present.any(axis=1)] = True
            nameless = rng.random(n) < loss.name_dropout
            yield self._chunks(member, worm, self.paths_without(worm, member), starts, present, nameless)

    def _drawn(self, rng: np.random.Generator) -> Iterator[tuple[int, WormSeries, NDArray[np.int64]]]:
        """(member, worm, first frames of its chunks) of each training step."""
        for number in range(self.steps("train")):
            member = number % (self.folds * self.members)
            worms = [worm for worm in self.training_worms(member // self.members) if len(worm.windows(self.span))]
            sizes = np.array([worm.frames for worm in worms], float)
            worm = worms[int(rng.choice(len(worms), p=sizes / sizes.sum()))]
            yield member, worm, rng.choice(worm.windows(self.span), self.config.train.batch_size)

    def paths_without(self, worm: WormSeries, member: int) -> Paths | None:
        """The linear paths that a member corrects, fitted without a worm of its training."""
        return self.linear(member // self.members).without[worm.group] if self.corrects else None

    def _validation(self) -> Iterator[Batch]:
        for group in self.split.validation:
            worm = self.worms[group]
            starts = worm.windows(self.span)
            starts = starts[:: max(1, len(starts) // VALIDATION_CHUNKS)]
            paths = self.linear(0).paths if self.corrects else None
            for member in range(self.members):
                yield self.chunks(member, worm, paths, starts)

    def chunks(self, member: int, worm: WormSeries, paths: Paths | None, starts: NDArray[np.int64]) -> Batch:
        """The chunks of a worm that begin at the frames `starts`, with all its neurons and names."""
        n = len(worm.names)
        return self._chunks(member, worm, paths, starts, np.ones((len(starts), n), bool), np.zeros(n, bool))

    def _chunks(
        self,
        member: int,
        worm: WormSeries,
        paths: Paths | None,
        starts: NDArray[np.int64],
        present: NDArray[np.bool_],
        nameless: NDArray[np.bool_],
    ) -> Batch:
        frames = starts[:, None] + np.arange(self.span)
        known = worm.known[frames] & present[:, None, :]
        graph = self.graph_of(worm)
        return {
            "member": torch.tensor(member),
            "x": torch.from_numpy(np.where(present[:, None, :], worm.z[frames], np.float32(0))),
            **self.targets(worm, starts),
            "known": torch.from_numpy(known),
            "present": torch.from_numpy(present),
            "nodes": torch.from_numpy(np.where(nameless, len(self.names), self.nodes_of(worm))),
            "edge_index": graph.edge_index,
            "edge_attr": graph.edge_attr,
            **(self.linear_part(paths, worm, starts) if paths is not None else {}),
            "scale": self.scale(member // self.members),
        }

    @property
    def known_frames(self) -> int:
        """Frames of a chunk that the network is given, before its rollout."""
        return self.span - max(1, self.rollout_steps)

    def targets(self, worm: WormSeries, starts: NDArray[np.int64]) -> Batch:
        """next, weight [chunk, span, neuron] and ahead [chunk, step, neuron] of chunks that begin at `starts`."""
        frames = starts[:, None] + np.arange(self.span)
        last = starts + self.known_frames - 1
        ahead = [worm.ahead(last, step) for step in range(1, max(1, self.rollout_steps) + 1)]
        following = worm.ahead(np.minimum(frames, worm.frames - 2), 1)  # that of the last frame is not used
        values_of = {"next": following, "weight": worm.weight(frames), "ahead": np.stack(ahead, axis=1)}
        return {name: torch.from_numpy(values.astype(np.float32)) for name, values in values_of.items()}

    def linear_part(self, paths: Paths, worm: WormSeries, starts: NDArray[np.int64]) -> Batch:
        """own, level, change of the path of one frame, and what the others add to its rollout [chunk, step, neuron]."""
        steps = max(1, self.rollout_steps)
        reached = [h for h in self.horizons if h <= steps]
        added = beyond_rollout(paths, worm, starts + self.known_frames - 1, reached)
        beyond = np.zeros((len(starts), steps, len(worm.names)), np.float32)
        for horizon, values in added.items():
            beyond[:, horizon - 1] = values
        return {**linear_tensors(paths[1], worm.names), "direct": torch.from_numpy(beyond)}

    def nodes_of(self, worm: WormSeries) -> NDArray[np.int64]:
        """[neuron] index of each name, len(names) where it is unknown."""
        place = {name: k for k, name in enumerate(self.names)}
        return np.array([place.get(name, len(self.names)) for name in worm.names], np.int64)

    def graph_of(self, worm: WormSeries) -> GraphTensors:
        """The edges among a worm's neurons."""
        if worm.group not in self._graphs:
            self._graphs[worm.group] = self.wiring.among(worm.names)
        return self._graphs[worm.group]

    def scale(self, fold: int) -> torch.Tensor:
        """[step] mean squared change of training worms after 1, 2, ... steps, as it is scored: what persistence gets wrong."""
        if fold not in self._scales:
            changes = []
            for step in range(1, max(1, self.rollout_steps) + 1):
                per_worm = [worm.mean_change(worm.origins(1, step), step) for worm in self.training_worms(fold)]
                changes.append(float(np.nanmean(per_worm)))
            self._scales[fold] = torch.tensor(changes, dtype=torch.float32).clamp_min(1e-6)
        return self._scales[fold]

    def _check(self) -> None:
        """Refuse worms that are too short before hours go into a training."""
        evaluate = self.config.evaluate
        if self.lags >= evaluate.context:
            raise ConfigError(
                f"a linear path of {self.lags} frames needs a longer context than {evaluate.context} frames",
                where="model.lags",
                hint="lower it, or raise evaluate.context",
            )
        ahead = evaluate.context + max(evaluate.horizons)
        for part, needed, before, what in (
            ("train", self.span, 1, "a training chunk needs"),
            ("validation", self.span, 1, "a validation chunk needs"),
            ("test", ahead, evaluate.context, "the context with the longest horizon needs"),
        ):
            for group in self.split.groups(part):
                worm = self.worms[group]
                # What a first forecast looks back on may lie in the burn-in.
                longest = max(stop - max(start, worm.burn_in - before) for start, stop in worm.segments)
                if longest < needed:
                    raise DataError(
                        f"there are {longest} frames without a gap after the burn-in, and {what} {needed}",
                        where=self.recordings.where(group),
                        hint="leave this worm out, or lower loss.chunk, evaluate.context or evaluate.horizons",
                    )


def _split(groups: list[str], options: DataConfig) -> Split:
    if options.split == "leave-one-out" or (options.split == "auto" and len(groups) < FEW):
        return leave_one_out(groups, "leave one worm out")
    return split_by_options(groups, options)
