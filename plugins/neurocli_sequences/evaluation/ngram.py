"""Interpolated Kneser-Ney n-grams with three discounts (Chen & Goodman 1999, Computer Speech & Language 13:359), in numpy.

An n-gram of order k is known by its number in a sorted table: its key is the number of its first k - 1 tokens in the table before,
times the number of tokens, plus its last token. So keys stay small whatever the order, and are found by bisection. Libraries for
n-grams (kenlm, nltk) need a compiler, or loop over tokens in Python.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
DISCOUNTS = 3
LEAST_DISCOUNT = 0.05
"""Where counts of counts say less, or nothing: what no training text has must keep a probability."""


@dataclass(frozen=True)
class Order:
    """The n-grams of one order, by number; the empty one alone is of order 0.

    key, probability [n-gram]: the probability is that of the last token after the others. As contexts of the next order [n-gram]:
    keep, the share that is left to the order below (1 where nothing follows); top_probability and top, the highest probability among
    the tokens that follow in training, and that token (0 and -1 where none does).
    """

    key: Ints
    probability: Floats
    keep: Floats
    top_probability: Floats
    top: Ints


class NGram:
    """Probabilities of the next token, from as many tokens before it as the order says, less one.

    orders: from 0; size: numbers that tokens have, those that are never next among them.
    """

    def __init__(self, orders: Sequence[Order], size: int) -> None:
        self.orders, self.size = list(orders), size

    def scores(self, tokens: NDArray[np.integer]) -> tuple[Floats, NDArray[np.bool_]]:
        """(log2-probability of each token after those before it, whether it is the most probable one), [token] of one text."""
        t = np.asarray(tokens, np.int64)
        context = np.zeros(len(t), np.int64)
        p = np.full(len(t), self.orders[0].probability[0])
        best, guess = p.copy(), np.full(len(t), -1)
        for below, here in itertools.pairwise(self.orders):
            known = context >= 0
            keep = np.where(known, below.keep[context], 1.0)
            top = np.where(known, below.top_probability[context], 0.0)
            number = _found(here.key, np.where(known, context * self.size + t, -1))
            p = np.where(number >= 0, here.probability[number], keep * p)
            # What follows in training is compared as it is; what does not has its share of the order below, and so has the best of it.
            guess = np.where(top > keep * best, below.top[context], guess)
            best = np.maximum(top, keep * best)
            context = np.concatenate([[-1], number[:-1]])
        return np.log2(p), guess == t


def fitted(texts: Sequence[NDArray[np.integer]], order: int, size: int, choices: int) -> NGram:
    """n-grams of the texts, each [token] of numbers below `size`; none reaches from one text into another.

    choices: how many tokens a next one can be, seen or not: the probabilities of all of them add up to 1.
    """
    order = min(order, max(map(len, texts)))  # where all texts are shorter, no longer one was seen
    t = np.concatenate([np.asarray(text, np.int64) for text in texts])
    place = np.concatenate([np.arange(len(text)) for text in texts])
    numbers = [np.zeros(len(t), np.int64)]
    keys, suffixes, counts, starts = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], [np.ones(1)], []
    for k in range(1, order + 1):
        there = place >= k - 1
        context = numbers[-1] if k == 1 else np.concatenate([[-1], numbers[-1][:-1]])
        key, number, count = np.unique(context[there] * size + t[there], return_inverse=True, return_counts=True)
        suffix = np.empty(len(key), np.int64)
        suffix[number] = numbers[-1][there]
        in_text = np.full(len(t), -1)
        in_text[there] = number
        numbers.append(in_text)
        keys.append(key)
        suffixes.append(suffix)
        counts.append(count.astype(np.float64))
        starts.append(np.unique(in_text[place == k - 1]))
    for k in range(1, order):
        # Below the highest order it counts after how many different tokens an n-gram stands; the beginning of a text is one more.
        counts[k] = np.bincount(suffixes[k + 1], minlength=len(keys[k])).astype(np.float64)
        counts[k][starts[k - 1][starts[k - 1] >= 0]] += 1
    orders: list[Order] = []
    probability = np.full(1, 1 / choices)
    for k in range(1, order + 1):
        context, token = np.divmod(keys[k], size)
        keep, above = _interpolated(counts[k], context, probability, suffixes[k], len(keys[k - 1]))
        orders.append(Order(keys[k - 1], probability, keep, *_top(above, context, token, len(keys[k - 1]))))
        probability = above
    nothing = np.zeros(0)
    orders.append(Order(keys[-1], probability, nothing, nothing, nothing.astype(np.int64)))
    return NGram(orders, size)


def discounts(counts: Floats) -> Floats:
    """What is taken off an n-gram that was counted once, twice, and three times or more [3], from how many there are of each."""
    n = [float((counts == k).sum()) for k in range(1, DISCOUNTS + 2)]
    share = n[0] / (n[0] + 2 * n[1]) if n[0] else 0.5
    taken = np.empty(DISCOUNTS)
    for k in range(DISCOUNTS):
        rough = k + 1 - (k + 2) * share * n[k + 1] / n[k] if n[k] else share
        taken[k] = np.clip(rough, LEAST_DISCOUNT, k + 1 - LEAST_DISCOUNT)
    return taken


def _interpolated(counts: Floats, context: Ints, below: Floats, suffix: Ints, contexts: int) -> tuple[Floats, Floats]:
    """(share that each context leaves to the order below [context], probability [n-gram])."""
    taken = discounts(counts)[np.minimum(counts, DISCOUNTS).astype(int) - 1]
    total = np.bincount(context, counts, contexts)
    left = np.bincount(context, taken, contexts)
    keep = np.divide(left, total, out=np.ones(contexts), where=total > 0)
    return keep, (counts - taken) / total[context] + keep[context] * below[suffix]


def _top(probability: Floats, context: Ints, token: Ints, contexts: int) -> tuple[Floats, Ints]:
    """(highest probability of what follows each context, its token); keys are in the order of their contexts."""
    highest, which = np.zeros(contexts), np.full(contexts, -1)
    followed, first = np.unique(context, return_index=True)
    highest[followed] = np.maximum.reduceat(probability, first)
    tops = np.flatnonzero(probability == highest[context])
    of, at = np.unique(context[tops], return_index=True)
    which[of] = token[tops[at]]
    return highest, which


def _found(keys: Ints, wanted: Ints) -> Ints:
    """The number of each key in a sorted table, -1 where it is not there."""
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)
