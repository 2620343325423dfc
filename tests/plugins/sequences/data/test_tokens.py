"""Tokens: the numbers are those of the definition, texts come back, and what was saved is what is read."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocli.errors import ConfigError, DataError, UnknownName
from neurocli_sequences.data.tokens import Vocabulary, listops_tokens, listops_vocabulary


@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=5), unit=st.sampled_from(["byte", "character"]))
@settings(max_examples=150, deadline=None)
def test_known_characters_and_bytes_come_back(texts: list[str], unit: str) -> None:
    vocabulary = Vocabulary.of(texts, unit)
    for text in texts:
        numbers = vocabulary.encode(text)
        assert len(numbers) == (len(text.encode()) if unit == "byte" else len(text))
        assert vocabulary.decode(numbers) == text
        assert vocabulary.decode(vocabulary.encode(text, begin=True, end=True)) == text
    padded, lengths = vocabulary.encode_all(texts)
    for text, row, length in zip(texts, padded, lengths, strict=True):
        assert (row[:length] == vocabulary.encode(text)).all() and (row[length:] == 0).all()


@given(texts=st.lists(st.text("abcde éβ", max_size=30), min_size=1), least=st.integers(1, 4), room=st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_the_most_common_first(texts: list[str], least: int, room: int) -> None:
    vocabulary = Vocabulary.of(texts, "character", least_count=least, largest=4 + room)
    counts = Counter("".join(texts))
    expected = [
        c for n in range(max(counts.values(), default=0), least - 1, -1) for c in sorted(counts) if counts[c] == n
    ]
    assert vocabulary.tokens == ("<pad>", "<unk>", "<bos>", "<eos>", *expected[:room])
    for text in texts:
        slow = [vocabulary.tokens.index(c) if c in vocabulary.tokens else 1 for c in text]
        assert vocabulary.encode(text).tolist() == slow


def test_words_are_lower_case_and_split_at_spaces() -> None:
    vocabulary = Vocabulary.of(["The cat  saw\nthe dog", "the dog <pad>"], "word")
    assert vocabulary.tokens[4:] == ("the", "dog", "<pad>", "cat", "saw")
    assert vocabulary.encode("THE cow saw", begin=True, end=True).tolist() == [2, 4, 1, 8, 3]
    assert vocabulary.encode("<pad> <unk>").tolist() == [6, 1]  # what a text says is never a special token
    assert vocabulary.decode([2, 4, 1, 8, 3, 0, 0]) == "the <unk> saw"


@pytest.mark.parametrize("unit", ["byte", "character", "word", "listops"])
def test_saved_and_read(unit: str) -> None:
    vocabulary = Vocabulary.of(["Ein schöner Tag", "[MAX 1 2 ]"], unit)
    again = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.as_dict())))
    assert again == vocabulary and len(again) == len(vocabulary.tokens)


def test_listops_keeps_the_closing_brackets() -> None:
    published = "( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )"
    assert listops_tokens(published) == ["[MAX", "2", "9", "[MIN", "4", "7", "]", "]"]
    assert listops_tokens("[MAX 2 9 [MIN 4 7]]") == listops_tokens(published)
    vocabulary = listops_vocabulary()
    assert len(vocabulary) == 18 and vocabulary.tokens[:3] == ("<pad>", "<unk>", "<eos>")
    numbers = vocabulary.encode(published, end=True)
    assert 1 not in numbers and numbers[-1] == vocabulary.special("<eos>")
    assert vocabulary.decode(numbers) == "[MAX 2 9 [MIN 4 7 ] ]"
    with pytest.raises(DataError, match="no <bos>"):
        vocabulary.encode(published, begin=True)


def test_what_is_no_vocabulary_is_refused() -> None:
    good = Vocabulary.of(["abc"], "character").as_dict()
    for change in (
        {"tokens": ["a", "b"]},
        {"tokens": [*good["tokens"], "a"]},
        {"specials": "4"},
        {"tokens": 3},
        {"specials": 0},
    ):
        with pytest.raises(DataError):
            Vocabulary.from_dict(good | change)
    with pytest.raises(DataError, match="damaged"):
        Vocabulary.from_dict([])
    with pytest.raises(DataError, match="damaged"):
        Vocabulary.from_dict(good | {"tokens": [*good["tokens"], "two"]})
    with pytest.raises(UnknownName, match="charcter"):
        Vocabulary.of(["abc"], "charcter")
    with pytest.raises(ConfigError, match="room"):
        Vocabulary.of(["abc"], "word", largest=4)
    for number in (-1, len(good["tokens"])):
        with pytest.raises(DataError, match="no token has the number"):
            Vocabulary.from_dict(good).decode([number])


@pytest.mark.realdata
def test_plays_come_back() -> None:
    root = os.environ.get("NEUROCLI_REAL_DATA")
    if root is None:
        pytest.skip("NEUROCLI_REAL_DATA is not set")
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(root, "text", "shakespeare").glob("*.txt"))]
    for unit in ("byte", "character"):
        vocabulary = Vocabulary.of(texts, unit)
        assert len(vocabulary) < 150
        assert all(vocabulary.decode(vocabulary.encode(text)) == text for text in texts[:2])
    words = Vocabulary.of(texts, "word", least_count=2, largest=5000)
    assert len(words) == 5000 and np.mean(words.encode(texts[0]) == 1) < 0.2
