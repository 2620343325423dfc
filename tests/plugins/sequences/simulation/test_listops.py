"""ListOps: the distribution is that of the published recursion, and every label that of another evaluator."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from neurocli.errors import ConfigError
from neurocli_sequences.simulation.listops import TOKENS, draw_tree, evaluate, text_of
from neurocli_sequences.simulation.listops_stream import ListOpsStream
from neurocli_sequences.simulation.parameters import ListOpsConfig


def published_tree(rng: random.Random, depth: int, max_depth: int, max_args: int) -> tuple[object, int]:
    """(nested tree, tokens) of the published recursion: arguments first, then their operator."""
    chance = rng.random() if depth < max_depth else 1
    if chance > 0.25:
        return rng.choice(range(10)), 1
    length, arguments = 2, []
    for _ in range(rng.randint(2, max_args)):
        argument, tokens = published_tree(rng, depth + 1, max_depth, max_args)
        arguments.append(argument)
        length += tokens
    return (rng.choice(["[MIN", "[MAX", "[MED", "[SM"]), arguments), length


def published_value(tree: object) -> int:
    if not isinstance(tree, tuple):
        return int(tree)  # type: ignore[call-overload]
    values = [published_value(argument) for argument in tree[1]]
    return int({"[MIN": min, "[MAX": max, "[MED": np.median, "[SM": sum}[tree[0]](values)) % 10


def published_words(tree: object) -> list[str]:
    if not isinstance(tree, tuple):
        return [str(tree)]
    return [tree[0], *(word for argument in tree[1] for word in published_words(argument)), "]"]


def read(text: str) -> tuple[int, int, list[int]]:
    """(value, depth, arguments of each list) of a text, by a stack."""
    stack: list[list] = [["top"]]
    deepest, arguments = 0, []
    for word in text.split(" "):
        if word.startswith("["):
            stack.append([word[1:]])
            deepest = max(deepest, len(stack) - 1)
        elif word == "]":
            name, *values = stack.pop()
            arguments.append(len(values))
            ordered = sorted(values)
            middle = ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]
            value = {"MIN": ordered[0], "MAX": ordered[-1], "MED": middle // 2, "SM": sum(values) % 10}[name]
            stack[-1].append(value)
        else:
            assert len(word) == 1 and word.isdigit()
            stack[-1].append(int(word))
    ((_, value),) = stack
    return value, deepest, arguments


def test_by_hand() -> None:
    for text, value in (
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9),
        ("[MED 1 2 4 8 ]", 3),
        ("[MED 1 2 5 8 ]", 3),  # 3.5, rounded down
        ("[SM 9 9 5 ]", 3),
        ("[MIN [MED 7 5 6 ] [SM 1 2 ] ]", 3),
        ("4", 4),
    ):
        tokens = np.array([TOKENS.index(word) for word in text.split()], np.uint8)
        assert evaluate(tokens)[0] == value == read(text)[0]
        assert text_of(tokens).tobytes().decode() == text


@pytest.mark.slow
@pytest.mark.parametrize(("max_depth", "max_args"), [(10, 10), (20, 5)])
def test_trees_are_distributed_as_published(max_depth: int, max_args: int) -> None:
    count, longest = 20_000, 2000
    ours, theirs = [], []
    rng, published = np.random.default_rng(1), random.Random(1)
    tokens = np.empty(longest, np.uint8)
    while len(ours) < count:  # a digit alone is three quarters of all: without it the rest shows more
        length = draw_tree(rng, max_depth, max_args, tokens)
        if length > 1:
            ours.append(text_of(tokens[:length]).tobytes().decode())
    while len(theirs) < count:
        tree, length = published_tree(published, 1, max_depth, max_args)
        if 1 < length <= longest:
            theirs.append(" ".join(published_words(tree)))
    same(ours, theirs)


@pytest.mark.slow
def test_the_filter_is_the_published_one() -> None:
    stream = ListOpsStream(ListOpsConfig(seed=3, min_length=50, max_length=200))
    ours = [text_of(stream.tokens(index)).tobytes().decode() for index in range(3000)]
    published, theirs = random.Random(2), set()
    while len(theirs) < len(ours):
        tree, length = published_tree(published, 1, 10, 10)
        if 50 < length < 200:
            theirs.add(" ".join(published_words(tree)))
    lengths = {len(text.split(" ")) for text in ours}
    assert min(lengths) == 51 and max(lengths) == 199 and len(set(ours)) == len(ours)
    same(ours, sorted(theirs))


def same(ours: list[str], theirs: list[str]) -> None:
    """That two sets of texts have the same depths, arguments, operators, lengths, labels and pairs of words."""
    ours_read, theirs_read = [read(text) for text in ours], [read(text) for text in theirs]
    for name, histograms in {
        "label": ([r[0] for r in ours_read], [r[0] for r in theirs_read]),
        "depth": ([r[1] for r in ours_read], [r[1] for r in theirs_read]),
        # One a text: those of a text are not independent.
        "arguments": ([r[2][-1] for r in ours_read], [r[2][-1] for r in theirs_read]),
        "inner arguments": ([r[2][0] for r in ours_read], [r[2][0] for r in theirs_read]),
        "operator": ([t.split(" ")[0] for t in ours], [t.split(" ")[0] for t in theirs]),
        "second word": ([t.split(" ")[1] for t in ours], [t.split(" ")[1] for t in theirs]),
        "third word": ([t.split(" ")[2] for t in ours], [t.split(" ")[2] for t in theirs]),
    }.items():
        counts = [Counter(values) for values in histograms]
        table = np.array([[count[key] for key in sorted(counts[0] | counts[1], key=str)] for count in counts])
        table = table[:, table.sum(0) >= 20]
        assert table.shape[1] > 1, name
        assert chi2_contingency(table).pvalue > 1e-3, name
    assert ks_2samp([len(t.split(" ")) for t in ours], [len(t.split(" ")) for t in theirs]).pvalue > 1e-3


@pytest.mark.parametrize("options", [{}, {"min_length": 500, "max_length": 2000}, {"max_depth": 20, "max_args": 5}])
def test_every_label_by_another_evaluator(options: dict[str, int]) -> None:
    stream = ListOpsStream(ListOpsConfig(**options))
    for index in range(500):
        tokens = stream.tokens(index)
        assert evaluate(tokens) == read(text_of(tokens).tobytes().decode())[:2]


def test_labels_by_the_published_evaluation() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        tree, length = published_tree(rng, 1, 8, 6)
        words = published_words(tree)
        tokens = np.array([TOKENS.index(word) for word in words], np.uint8)
        assert len(words) == length and evaluate(tokens)[0] == published_value(tree)


def test_a_case_is_the_same_however_it_is_reached() -> None:
    config = ListOpsConfig(min_length=2, max_length=20)
    stream, other = ListOpsStream(config), ListOpsStream(config)
    forwards = [stream.tokens(index).tolist() for index in range(300)]
    assert len({tuple(tokens) for tokens in forwards}) == 300
    assert [other.tokens(index).tolist() for index in (250, 40, 40, 41)] == [forwards[i] for i in (250, 40, 40, 41)]
    assert ListOpsStream(config.model_copy(update={"seed": 1})).tokens(0).tolist() != forwards[0]


def test_when_there_are_no_more_expressions() -> None:
    stream = ListOpsStream(ListOpsConfig(min_length=0, max_length=2))
    assert sorted(int(stream.tokens(index)[0]) for index in range(10)) == list(range(10))
    with pytest.raises(ConfigError, match="only 10 different"):
        stream.tokens(10)
    with pytest.raises(ConfigError, match="no expression"):
        ListOpsStream(ListOpsConfig(max_depth=2, max_args=2, min_length=100, max_length=200)).tokens(0)
