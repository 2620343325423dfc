"""Expressions one after the other, none of them twice: case number i is the i-th different one that is drawn."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError
from neurocli.simulation.simulator import seed_of
from neurocli_sequences.simulation.listops import draw_expression
from neurocli_sequences.simulation.parameters import ListOpsConfig

_TRIES = 20_000
_REPEATS = 2_000


class ListOpsStream:
    """The cases of one set of parameters, in order.

    As in the published generator, what was drawn before is drawn again, so a case depends on all before it. Every process draws
    them all, from the first one on, and keeps those that are its own: drawing takes far less time than storing.
    """

    def __init__(self, config: ListOpsConfig) -> None:
        self._config = config
        self._begin()

    def _begin(self) -> None:
        self._rng = np.random.default_rng(seed_of(self._config.seed, 0))
        self._drawn: set[bytes] = set()
        self._last: tuple[int, NDArray[np.uint8]] = (-1, np.zeros(0, np.uint8))

    def tokens(self, index: int) -> NDArray[np.uint8]:
        """The tokens of a case. Raises ConfigError where these parameters do not give so many."""
        if index < self._last[0]:
            self._begin()
        while self._last[0] < index:
            self._last = self._last[0] + 1, self._next()
        return self._last[1]

    def _next(self) -> NDArray[np.uint8]:
        config = self._config
        for _ in range(_REPEATS):
            tokens = draw_expression(
                self._rng, config.max_depth, config.max_args, config.min_length, config.max_length, _TRIES
            )
            if not len(tokens):
                break
            key = tokens.tobytes()
            if key not in self._drawn:
                self._drawn.add(key)
                return tokens
        else:
            raise ConfigError(
                f"only {len(self._drawn)} different expressions come up with these lengths and depths",
                where="max_length",
                hint="allow longer expressions, or ask for fewer runs",
            )
        raise ConfigError(
            f"in {_TRIES} draws no expression has more than {config.min_length} and fewer than {config.max_length} tokens",
            where="min_length",
            hint="lower min_length, or raise max_depth or max_args",
        )


@lru_cache(maxsize=2)
def stream_of(config_json: str) -> ListOpsStream:
    """The stream of this process for parameters, as JSON: it goes on where the last case ended."""
    return ListOpsStream(ListOpsConfig.model_validate_json(config_json))
