"""The options of the simulated sequences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neurocli.simulation.simulator import SimulatorConfig

NO_LIMIT = 100_000
"""Most tokens of an expression: with the published parameters without a limit, no expression comes near it."""


class ListOpsConfig(SimulatorConfig):
    """Expressions of nested lists. Lengths are in tokens: operators, digits and closing brackets."""

    seed: int = Field(0, ge=0, description="seed of the expressions")
    max_depth: int = Field(10, ge=1, le=100, description="greatest depth of a node, the outermost one being at 1")
    max_args: int = Field(10, ge=2, le=100, description="most arguments of an operator; the fewest are 2")
    min_length: int = Field(10, ge=0, le=NO_LIMIT, description="expressions have more tokens than this")
    max_length: int = Field(200, ge=2, le=NO_LIMIT, description="expressions have fewer tokens than this")

    @model_validator(mode="after")
    def _some_length_is_allowed(self) -> ListOpsConfig:
        if self.min_length + 1 >= self.max_length:
            raise ValueError("min_length must be at least 2 below max_length: both lengths are excluded")
        return self


class PathfinderConfig(SimulatorConfig):
    """Images of 32 x 32 pixels with two paths of dashes, two circles, and distractors, as in Long Range Arena."""

    seed: int = Field(0, ge=0, description="seed of the images; each image has a random stream of its own")
    contour_length: Literal[6, 9, 14] = Field(
        14, description="dashes of each of the two paths: 6 easy, 9 intermediate, 14 hard"
    )
    continuity: float = Field(
        1.0, gt=0, le=10, description="how straight paths are: the turn from dash to dash counts this many times"
    )
    single_dashes: bool = Field(False, description="also scatter single dashes, as many as find room")

    @property
    def distractor_length(self) -> int:
        """Dashes of a distractor."""
        return self.contour_length // 3

    @property
    def distractors(self) -> int:
        """How many distractors are tried; one that finds no room is left out."""
        return 20 // self.distractor_length
