"""Kneser-Ney n-grams against an implementation that counts in dictionaries and sums over all tokens, context by context."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from neurocli_sequences.evaluation.ngram import NGram, fitted

SIZE, FIRST = 9, 4
"""Numbers of tokens, and the first that is one: 4 (never seen) to 8."""
CHOICES = SIZE - FIRST


def texts(seed: int, count: int = 3, length: int = 150) -> list[np.ndarray]:
    """Of a chain in which some tokens are rare, so that contexts are unseen."""
    rng = np.random.default_rng(seed)
    chance = rng.dirichlet(np.full(CHOICES - 1, 0.4), CHOICES - 1)
    made = []
    for _ in range(count):
        text = [int(rng.integers(CHOICES - 1))]
        while len(text) < length:
            text.append(int(rng.choice(CHOICES - 1, p=chance[text[-1]])))
        made.append(np.array(text) + FIRST + 1)
    return made


class Slow:
    """As Chen & Goodman (1999) write it: equations 27 and after, with continuation counts below the highest order."""

    def __init__(self, training: list[np.ndarray], order: int) -> None:
        self.order = order
        raw: Counter[tuple[int, ...]] = Counter()
        before: dict[tuple[int, ...], set[int | None]] = defaultdict(set)
        for text in training:
            words = [int(t) for t in text]
            for k in range(1, order + 1):
                for i in range(len(words) - k + 1):
                    gram = tuple(words[i : i + k])
                    raw[gram] += 1
                    before[gram].add(words[i - 1] if i else None)
        self.count = {gram: n if len(gram) == order else len(before[gram]) for gram, n in raw.items()}
        self.taken = {k: self._discounts(k) for k in range(1, order + 1)}

    def _discounts(self, k: int) -> list[float]:
        of = Counter(n for gram, n in self.count.items() if len(gram) == k)
        y = of[1] / (of[1] + 2 * of[2]) if of[1] else 0.5
        rough = [1 - 2 * y * of[2] / of[1] if of[1] else y]
        rough += [2 - 3 * y * of[3] / of[2] if of[2] else y, 3 - 4 * y * of[4] / of[3] if of[3] else y]
        return [min(max(d, 0.05), j + 0.95) for j, d in enumerate(rough)]

    def probability(self, context: tuple[int, ...], token: int) -> float:
        context = context[len(context) - min(len(context), self.order - 1) :]
        below = 1 / CHOICES if not context else self.probability(context[1:], token)
        k = len(context) + 1
        following = {gram[-1]: n for gram, n in self.count.items() if len(gram) == k and gram[:-1] == context}
        if not following:
            return below
        taken = {w: self.taken[k][min(n, 3) - 1] for w, n in following.items()}
        total = sum(following.values())
        left = sum(taken.values()) / total
        return max(following.get(token, 0) - taken.get(token, 0), 0) / total + left * below


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_and_guesses_are_those_of_a_slow_one(order: int) -> None:
    training, test = texts(0), texts(1, count=1, length=60)[0]
    test = np.concatenate([test, [FIRST], test[:8]])  # a token that no training text has
    log2, right = fitted(training, order, SIZE, CHOICES).scores(test)
    slow = Slow(training, order)
    for i, token in enumerate(test):
        context = tuple(int(t) for t in test[:i])
        every = [slow.probability(context, w) for w in range(FIRST, SIZE)]
        assert math.isclose(sum(every), 1, rel_tol=1e-12)
        assert math.isclose(2 ** log2[i], every[token - FIRST], rel_tol=1e-9), i
        assert bool(right[i]) == math.isclose(every[token - FIRST], max(every), rel_tol=1e-12)


@pytest.mark.parametrize("order", [2, 4])
def test_probabilities_of_all_tokens_add_up_to_1(order: int) -> None:
    """Also shows that no token is seen before it is predicted."""
    ngram = fitted(texts(2), order, SIZE, CHOICES)
    for seed in range(20):
        context = np.random.default_rng(seed).integers(FIRST, SIZE, seed % 7)
        total = sum(2 ** ngram.scores(np.append(context, token))[0][-1] for token in range(FIRST, SIZE))
        assert math.isclose(total, 1, rel_tol=1e-12)


def test_no_ngram_reaches_from_one_text_into_the_next() -> None:
    first, second = np.array([5, 6, 7, 5, 6]), np.array([8, 8, 7, 8])
    one, other = (fitted(list(t), 2, SIZE, CHOICES).orders[2].key for t in ((first, second), (second, first)))
    pairs = {(a, b) for text in (first, second) for a, b in pairwise(text.tolist())}
    assert len(one) == len(other) == len(pairs)


def test_a_text_of_one_token_and_texts_shorter_than_the_order() -> None:
    ngram = fitted([np.array([5]), np.array([5, 6])], 4, SIZE, CHOICES)
    assert np.isfinite(ngram.scores(np.array([5, 6, 7, 5, 8]))[0]).all()
    assert len(ngram.scores(np.array([5]))[0]) == 1


def test_more_training_text_of_the_same_kind_is_better_than_none() -> None:
    """On text of a chain, a bigram comes near to the chain's own entropy, and higher orders do not beat it."""
    rng = np.random.default_rng(0)
    chance = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])

    def chain(length: int) -> np.ndarray:
        drawn, state = rng.random(length), 0
        text = np.empty(length, int)
        for i, u in enumerate(drawn):
            state = int(np.searchsorted(np.cumsum(chance[state]), u))
            text[i] = state
        return text + FIRST + 1

    training, test = chain(40_000), chain(10_000)
    true = -np.log2(chance[test[:-1] - FIRST - 1, test[1:] - FIRST - 1]).mean()
    bits = [-fitted([training], order, SIZE, CHOICES).scores(test)[0][1:].mean() for order in (1, 2, 4)]
    assert true <= bits[1] < 1.01 * true < bits[0] and bits[1] < bits[2] < 1.02 * true


def test_a_text_of_the_size_of_a_few_plays_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    text = (rng.zipf(1.3, 1_500_000) % 80) + FIRST
    start = time.process_time()
    ngram = fitted([text], 5, 84, 80)
    assert isinstance(ngram, NGram) and np.isfinite(ngram.scores(text[:100_000])[0]).all()
    assert time.process_time() - start < 30
