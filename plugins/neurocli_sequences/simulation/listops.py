"""ListOps: expressions of nested lists, drawn as published.

Nangia & Bowman (2018), "ListOps: a diagnostic dataset for latent tree learning", NAACL student workshop, and the longer ones of
Tay et al. (2021), "Long Range Arena", ICLR, whose generator (github.com/google-research/long-range-arena,
lra_benchmarks/data/listops.py) is followed: a node is a digit with probability 3/4 (always at the greatest depth), else an operator
with 2 to `max_args` arguments, which are drawn before the operator; whole expressions are kept by their number of tokens.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
TOKENS = (*"0123456789", *OPERATORS, "]")
"""The words of an expression; a token is its place here."""
FIRST_OPERATOR, CLOSE = 10, 14
VALUE_P = 0.25
"""Share of nodes that are no digit (the published name: a node is a digit where a draw lies above it)."""

_BYTES = np.zeros((len(TOKENS), 5), np.uint8)
_WIDTH = np.array([len(token) + 1 for token in TOKENS])
for _token, _text in enumerate(TOKENS):
    _BYTES[_token, : len(_text) + 1] = np.frombuffer(f"{_text} ".encode(), np.uint8)


@njit(cache=True)
def draw_tree(rng: np.random.Generator, max_depth: int, max_args: int, tokens: NDArray[np.uint8]) -> int:
    """Draw one expression into `tokens`; gives its length, or -1 where it is longer than `tokens`.

    The order of tokens is that of the text. The operator is drawn independently of its arguments, so that drawing it first, as
    here, gives the same distribution as the published recursion.
    """
    left = np.zeros(
        max_depth + 1, np.int64
    )  # arguments that are still to come, of the operator that is open at each depth
    depth, length = 1, 0
    while True:
        if length == len(tokens):
            return -1
        if depth < max_depth and rng.random() <= VALUE_P:
            tokens[length] = FIRST_OPERATOR + int(rng.random() * 4)
            left[depth] = 2 + int(rng.random() * (max_args - 1))
            depth += 1
            length += 1
            continue
        tokens[length] = int(rng.random() * 10)
        length += 1
        while depth > 1:  # after an argument: the lists that end with it
            left[depth - 1] -= 1
            if left[depth - 1]:
                break
            if length == len(tokens):
                return -1
            tokens[length] = CLOSE
            length += 1
            depth -= 1
        if depth == 1:
            return length


@njit(cache=True)
def draw_expression(
    rng: np.random.Generator, max_depth: int, max_args: int, min_length: int, max_length: int, tries: int
) -> NDArray[np.uint8]:
    """Tokens of the first expression with more than `min_length` and fewer than `max_length` of them; none after `tries` draws."""
    tokens = np.empty(max_length - 1, np.uint8)
    for _ in range(tries):
        length = draw_tree(rng, max_depth, max_args, tokens)
        if length > min_length:
            return tokens[:length].copy()
    return tokens[:0]


@njit(cache=True)
def evaluate(tokens: NDArray[np.uint8]) -> tuple[int, int]:
    """(value of an expression, 0 to 9; how many lists lie within one another, 0 for a digit).

    The median of an even number of values is the mean of the middle two, rounded down, as published: int(numpy.median(values)).
    """
    values = np.empty(len(tokens), np.int64)
    starts = np.empty(len(tokens), np.int64)  # of the open lists: where their values begin
    operators = np.empty(len(tokens), np.int64)
    top, depth, deepest = 0, 0, 0
    for token in tokens:
        if token < FIRST_OPERATOR:
            values[top] = token
            top += 1
        elif token < CLOSE:
            operators[depth], starts[depth] = token - FIRST_OPERATOR, top
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
            start = starts[depth]
            arguments = np.sort(values[start:top])
            count = top - start
            if operators[depth] == 0:
                value = arguments[0]
            elif operators[depth] == 1:
                value = arguments[count - 1]
            elif operators[depth] == 2:
                value = (arguments[(count - 1) // 2] + arguments[count // 2]) // 2
            else:
                value = arguments.sum() % 10
            values[start] = value
            top = start + 1
    return int(values[0]), int(deepest)


def text_of(tokens: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bytes of the text: tokens with one space between them, `[MAX 2 9 [MIN 4 7 ] 0 ]`.

    That is the published column `Source` without its parentheses, which only repeat the nesting, and the spaces beside them.
    """
    width = _WIDTH[tokens]
    return _BYTES[tokens][np.arange(_BYTES.shape[1]) < width[:, None]][:-1]
