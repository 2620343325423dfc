"""Texts as windows of tokens: each token is scored once with its context, parts share nothing, and copies are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import ConfigError, DataError, LeakError
from neurocli.recordings import Recording, RecordingSet
from neurocli_sequences.config import TextConfig
from neurocli_sequences.data.passages import LENGTH, seen
from neurocli_sequences.data.readers.sections import SectionedTextReader, in_sections
from neurocli_sequences.data.text_dataset import NOT_SCORED, TextData
from neurocli_sequences.data.tokens import CUTS
from neurocli_sequences.data.words import pieces, places


def prose(seed: int, words: int = 400) -> str:
    rng = np.random.default_rng(seed)
    drawn = ["".join(rng.choice(list("abcdefghij"), rng.integers(2, 7))) for _ in range(words)]
    return "\n".join(" ".join(drawn[n : n + 8]) for n in range(0, words, 8)) + "\n"


def recordings(texts: dict[str, str], **labels: dict[str, str]) -> RecordingSet:
    made = []
    for group, text in texts.items():
        signal = np.frombuffer(text.encode(), np.uint8)[:, None]
        made.append(Recording(group, signal, 1.0, "byte", labels=labels.get(group, {})))
    return RecordingSet.of(made, meta={"kind": "text"})


def config(**task: object) -> TextConfig:
    made = TextConfig()
    for name, value in task.items():
        setattr(made.task, name, value)
    return made


def six() -> RecordingSet:
    return recordings({f"t{n}": prose(n) for n in range(6)})


# -- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "context"), [(32, 16), (7, 0), (50, 49), (5000, 10)])
def test_each_token_is_scored_once_with_its_context(window: int, context: int) -> None:
    data = TextData(six(), config(window=window, context=context))
    count = {group: np.zeros(len(data.tokens(group)), int) for group in data.split.test}
    for stretch in data.stretches("test"):
        count[stretch.group][stretch.scored : stretch.stop] += 1
        assert stretch.scored - stretch.first >= min(max(context, 1), stretch.scored)
        assert stretch.stop - 1 - stretch.first <= window
        x, y = data.read([stretch])
        tokens = data.tokens(stretch.group)
        assert (x[0] == tokens[stretch.first : stretch.stop - 1]).all()
        scored = y[0] != NOT_SCORED
        assert (y[0][scored] == tokens[stretch.scored : stretch.stop]).all()
        assert scored.sum() == stretch.stop - stretch.scored
    for times in count.values():
        assert times[0] == 0 and (times[1:] == 1).all()


def test_training_windows_are_of_the_training_texts_alone_and_lie_anywhere() -> None:
    data = TextData(six(), config(window=64, context=8, burn_in=5))
    texts = {group: data.text(group) for group in data.split.train}
    first = list(data.batches("train", seed=1, epoch=0))
    assert len(first) == data.steps("train")
    for batch in first:
        assert batch["x"].shape[1] == 64
        for x, y in zip(batch["x"].tolist(), batch["y"].tolist(), strict=True):
            window = data.vocabulary.decode([*x, y[-1]])
            where = [group for group, text in texts.items() if window in text]
            assert where
            known = [k for k, target in enumerate(y) if target != NOT_SCORED]
            assert known == list(range(0 if texts[where[0]].startswith(window) else 5, 64))
            assert all(y[k] == x[k + 1] for k in known[:-1])
    again, later = (next(iter(data.batches("train", seed=1, epoch=e)))["x"] for e in (0, 1))
    assert (again == first[0]["x"]).all() and not (later == again).all()


def test_a_text_shorter_than_a_window_is_read_whole() -> None:
    texts = {f"t{n}": prose(n, 8 + 3 * n) for n in range(6)}
    data = TextData(recordings(texts), config(window=300, context=10))
    for batch in data.batches("train", seed=0, epoch=0):
        for x, y in zip(batch["x"], batch["y"], strict=True):
            read = int((y != NOT_SCORED).sum())
            assert data.vocabulary.decode([*x[:read].tolist(), int(y[read - 1])]) in texts.values()


def test_the_vocabulary_is_that_of_the_training_texts() -> None:
    texts = {f"t{n}": prose(n) for n in range(6)}
    split = TextData(recordings(texts), config()).split
    texts[split.test[0]] += "ZZZ"
    texts[split.validation[0]] += "Y"
    data = TextData(recordings(texts), config())
    assert not {"Z", "Y"} & set(data.vocabulary.tokens)
    assert data.unknown("test") == 3 / sum(len(texts[group]) for group in split.test)
    assert data.vocabulary.decode(data.tokens(split.test[0])[-3:]) == "\ufffd" * 3
    other = TextData(recordings({"new": "abcZ" * 20}), config(), split=type(split)((), (), ("new",)))
    other.adopt(data.spec, None)
    assert other.vocabulary == data.vocabulary and other.tokens("new")[3] == 1


@pytest.mark.parametrize("unit", ["character", "byte", "word"])
def test_places_of_tokens(unit: str) -> None:
    text = "  Äpfel und 𝄞 Noten,\r\n\tİx\u2003ende ßé"
    first, characters = places(text, unit)
    tokens = CUTS[unit](text)
    content = text.encode()
    assert len(first) == len(characters) == len(tokens)
    for at, token in zip(first, tokens, strict=True):
        assert content[at:].decode("latin-1" if unit == "byte" else "utf-8").lower().startswith(token.lower())
    assert characters.sum() == len(text)


def test_pieces_cut_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurocli_sequences.data.words._PIECE", 5)
    text = prose(0, 60)
    for unit in ("word", "character"):
        cut = list(pieces(text, unit))
        assert "".join(cut) == text and len(cut) > 10
        assert [token for piece in cut for token in CUTS[unit](piece)] == CUTS[unit](text)


# -- splits, sections and copies --------------------------------------------------------------------------------------


def test_a_single_text_is_cut_into_sections_and_split_in_blocks(tmp_path: Path) -> None:
    text = prose(0, 6000)
    (tmp_path / "book.txt").write_text(text)
    read = SectionedTextReader().read([tmp_path / "book.txt"])
    assert "".join(read[g].signal.tobytes().decode() for g in read) == text
    assert len(read) == 20 and all(read[g].signal.tobytes().endswith(b"\n") for g in read)
    options = config()
    for seed in (0, 1, 5, 40):
        options.data.split_seed = seed
        split = TextData(read, options).split
        order = [split.groups(part) for part in ("validation", "test")]
        inside = [read.groups.index(g) for groups in order for g in groups]
        assert inside == list(range(inside[0], inside[0] + 7))
        assert sorted([*split.train, *order[0], *order[1]]) == sorted(read.groups)
        if seed == 0:
            assert inside[-1] == 19
    assert "blocks" in split.protocol and read.notes
    new = TextData(read, options, type(split)((), (), tuple(read.groups), "new data"))
    assert new.group_name() == "section" and "narrow" in new.scope()


def test_text_without_line_breaks_is_cut_between_characters() -> None:
    read = in_sections(recordings({"t": "äö𝄞" * 1500}))
    assert len(read) == 20 and "".join(read[g].signal.tobytes().decode() for g in read) == "äö𝄞" * 1500


def test_published_parts_are_kept() -> None:
    texts = {"wiki.train.tokens": prose(0, 3000), "wiki.valid.tokens": prose(1), "wiki.test.tokens": prose(2)}
    labels = {name: {"part": part} for name, part in zip(texts, ("train", "validation", "test"), strict=True)}
    split = TextData(in_sections(recordings(texts, **labels)), config()).split
    assert split.groups("train") == ("wiki.train.tokens",) and split.groups("test") == ("wiki.test.tokens",)
    del texts["wiki.valid.tokens"], labels["wiki.valid.tokens"]
    split = TextData(in_sections(recordings(texts, **labels)), config()).split
    assert split.groups("test") == ("wiki.test.tokens",) and len(split.train) == 18
    assert split.validation[-1].endswith(":20")


def test_a_copied_file_is_a_leak() -> None:
    texts = {f"t{n}": prose(n) for n in range(6)}
    split = TextData(recordings(texts), config()).split
    texts[split.test[0]] = texts[split.train[0]]
    with pytest.raises(LeakError, match="same text"):
        TextData(recordings(texts), config())
    texts[split.test[0]] = "another beginning\n" + texts[split.train[0]][40:]
    with pytest.raises(LeakError, match="letter for letter"):
        TextData(recordings(texts), config())


def test_shared_passages_against_the_search_of_python() -> None:
    rng = np.random.default_rng(3)
    others = [bytes(rng.integers(97, 100, 900).astype(np.uint8)) for _ in range(3)]
    text = (
        others[0][:70]
        + b"x"
        + others[2][500:570]
        + bytes(rng.integers(97, 100, 300).astype(np.uint8))
        + others[1][-60:]
    )
    wanted = [any(text[n : n + LENGTH] in other for other in others) for n in range(len(text) - LENGTH + 1)]
    found = seen(np.frombuffer(text, np.uint8), [np.frombuffer(other, np.uint8) for other in others])
    assert found.tolist() == wanted and sum(wanted) == 21 + 21 + 11
    assert len(seen(np.frombuffer(b"short", np.uint8), [])) == 0


def test_shared_passages_of_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    text = np.frombuffer(prose(5).encode(), np.uint8)
    whole = seen(text, [text[100:]])
    monkeypatch.setattr("neurocli_sequences.data.passages._CHUNK", 64)
    assert (seen(text, [text[100:]]) == whole).all() and whole.sum() == len(whole) - 100


def test_what_cannot_be_used_is_said() -> None:
    with pytest.raises(ConfigError, match="no room"):
        TextData(six(), config(window=16, context=16))
    with pytest.raises(DataError, match="no text"):
        TextData(RecordingSet.of([Recording("v", np.zeros((9, 2)), 1.0, "mV")]), config())
    broken = RecordingSet.of([Recording("b", np.array([[0xC3], [0x28]], np.uint8), 1.0, "byte")])
    with pytest.raises(DataError, match="UTF-8"):
        TextData(broken, config())
    data = TextData(recordings({**{f"t{n}": prose(n) for n in range(6)}, "one": "a"}), config())
    assert data.left_out == ["one"]
