"""Batches of gat-lstm-v3: chunks of one worm with what its network sees and what linear paths, fitted without it, leave over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import ConfigError
from neurocli.recordings import Batch, RecordingSet, Split
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.data.dataset import FEWEST_ROUNDS, Paths, WormData
from neurocli_gat_lstm.data.history import forecast_changes, inputs_of
from neurocli_gat_lstm.data.series import WormSeries

ROUNDS = 60
"""Batches of each network in an epoch."""


class DirectWormData(WormData):
    """Worms for a network that forecasts every horizon at once."""

    config: V3Config

    def __init__(self, recordings: RecordingSet, config: V3Config, split: Split | None = None) -> None:
        needed = max(config.model.look_back) + 2
        if config.evaluate.context < needed:
            raise ConfigError(
                f"changes over {max(config.model.look_back)} frames need a context of {needed} frames",
                where="model.look_back",
                hint="shorten it, or raise evaluate.context",
            )
        super().__init__(recordings, config, split)

    @property
    def look_back(self) -> tuple[int, ...]:
        return tuple(self.config.model.look_back)

    @property
    def burn_in(self) -> int:
        """Frames before a forecast that the LSTM has seen: as many as a context holds, and no more than it was trained with."""
        return min(self.config.loss.burn_in, self.config.evaluate.context - max(self.look_back) - 1)

    @property
    def span(self) -> int:
        """Frames of a chunk with those before it that it looks back on, and the targets after it."""
        return max(self.look_back) + self.burn_in + self.config.loss.chunk + max(self.horizons)

    def steps(self, part: str) -> int:
        if part != "train":
            return len(self.split.groups(part)) * self.members
        rounds = ROUNDS * self.folds * self.members
        return self.config.train.steps_per_epoch or max(rounds, FEWEST_ROUNDS)

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Chunks of one worm each, the members in turn; worms by their length, chunks anywhere inside a segment.

        member: which network; inputs [chunk, time, neuron, input]; residual [chunk, frame, neuron, horizon]: what comes after each
        of the frames that follow the warm-up, less what a linear path that has not seen the worm says; weight, known like
        residual, but without the horizon in weight; edge_index, edge_attr. All in the units of each frame.
        """
        if part != "train":
            yield from self._validation()
            return
        for member, worm, starts in self._drawn(np.random.default_rng([seed, epoch])):
            yield self.chunks(member, worm, self.paths_without(worm, member), starts)

    def chunks(self, member: int, worm: WormSeries, paths: Paths | None, starts: NDArray[np.int64]) -> Batch:
        """The chunks of a worm whose windows begin at the frames `starts`."""
        assert paths is not None
        inputs, residual = self._seen(worm, paths)
        first = starts[:, None] + max(self.look_back)
        frames = first + np.arange(self.burn_in + self.config.loss.chunk)
        scored = frames[:, self.burn_in :]
        known = np.stack([worm.known[scored + h] & worm.known[scored] for h in self.horizons], axis=-1)
        graph = self.graph_of(worm)
        return {
            "member": torch.tensor(member),
            "inputs": torch.from_numpy(inputs[frames]),
            "residual": torch.from_numpy(residual[scored]),
            "weight": torch.from_numpy(worm.weight(scored).astype(np.float32)),
            "known": torch.from_numpy(known),
            "edge_index": graph.edge_index,
            "edge_attr": graph.edge_attr,
        }

    def _seen(self, worm: WormSeries, paths: Paths) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(inputs [time, neuron, input], residuals [time, neuron, horizon]) of a whole worm under some paths, once each."""
        key = (worm.group, id(paths))
        if key not in self._inputs:
            inputs = inputs_of(paths, worm, self.horizons, self.look_back)
            linear = forecast_changes(paths, worm, self.horizons)
            residual = np.zeros(linear.shape, np.float32)
            for k, horizon in enumerate(self.horizons):
                at = np.arange(worm.frames - horizon)
                with np.errstate(divide="ignore", invalid="ignore"):  # in the burn-in, where nothing is forecast
                    residual[at, :, k] = worm.ahead(at, horizon) - worm.z[at] - linear[at, :, k]
            self._inputs[key] = (paths, inputs, np.nan_to_num(residual, posinf=0, neginf=0))
        return self._inputs[key][1:]

    @cached_property
    def _inputs(self) -> dict[tuple[str, int], Any]:
        return {}

    def scales(self, fold: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(root mean square of each input, of the change after each horizon as it is scored), over the training worms of a fold."""
        squares: list[NDArray[np.float64]] = []
        changes: list[list[float]] = []
        for worm in self.training_worms(fold):
            at = worm.origins(max(self.look_back) + 1, max(self.horizons))
            if not len(at):
                continue
            inputs, _ = self._seen(worm, self.linear(fold).without[worm.group])
            squares.append(np.square(inputs[at].astype(np.float64)).mean(axis=(0, 1)))
            changes.append([worm.mean_change(at, h) for h in self.horizons])
        floor = 1e-3
        if not squares:
            return np.ones(1, np.float32), np.ones(1, np.float32)
        inputs_rms = np.sqrt(np.mean(squares, axis=0)).clip(floor).astype(np.float32)
        return inputs_rms, np.sqrt(np.mean(changes, axis=0)).clip(floor).astype(np.float32)
