"""The prediction of the next token: scores are what the model says, of each token once, and nothing is seen before it is predicted."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from neurocli.errors import DataError
from neurocli.evaluation.evaluate import evaluate
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.adapting import adapted
from neurocli_sequences.data.readers.sections import SectionedTextReader
from neurocli_sequences.data.text_dataset import TextData
from neurocli_sequences.evaluation.text_baselines import baselines
from neurocli_sequences.evaluation.text_exhibits import drawn_after
from neurocli_sequences.evaluation.text_scores import BitsPerCharacter, Perplexity, TokenAccuracy

REAL = Path(os.environ.get("NEUROCLI_REAL_DATA", "")) / "text" / "shakespeare"


def model_on(recordings: RecordingSet, model: str = "lstm", **task: object) -> TrainedModel:
    family = registry().family(model, "text")
    config = family.Config()
    for name, value in task.items():
        setattr(config.task, name, value)
    data = adapted(family, recordings, config)
    network = family.untrained(config, data.spec, 0)
    with torch.no_grad():  # away from its start, where all tokens are equally probable
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return TrainedModel(network, config, data, 0, [], None, family)


def example(seed: int = 0) -> RecordingSet:
    return registry().family("lstm", "text").example(seed)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("model", ["lstm", "elm-v2", "linear"])
def test_scores_of_stretches_are_those_of_reading_with_the_context(model: str) -> None:
    """Each token by hand: read from `first` on, as far as the token before it."""
    trained = model_on(example(), model, window=24, context=12)
    family, data = trained.family, trained.dataset
    assert family is not None and isinstance(data, TextData)
    target = family.targets(data, trained.config)[0]
    prediction = family.predict(trained, target)
    group = target.groups[0]
    tokens = torch.from_numpy(data.tokens(group).astype(np.int64))
    assert (target.values[group][:, 0] == tokens[1:].numpy()).all()
    for stretch in [s for s in data.stretches("test") if s.group == group][:4]:
        for place in range(stretch.scored, stretch.stop, 5):
            with torch.no_grad():
                output = trained.network(tokens[None, stretch.first : place])[0, -1].double()
            wanted = float(torch.log_softmax(output, 0)[tokens[place]]) / math.log(2)
            given, right = prediction.values[group][place - 1]
            assert given == pytest.approx(wanted, abs=1e-4, rel=1e-4)
            assert bool(right) == (int(output.argmax()) == int(tokens[place]))


@pytest.mark.parametrize("who", ["elm-v2", "lstm", "linear", "frequencies", "5-gram"])
def test_no_token_is_seen_before_it_is_predicted(who: str) -> None:
    """What follows a token changes nothing, and the probabilities of all that could be there add up to 1."""
    recordings = example()
    trained = model_on(recordings, "lstm" if who[0] in "f5" else who, window=32, context=8)
    family, data = trained.family, trained.dataset
    assert family is not None and isinstance(data, TextData)
    group, place = data.split.test[0], 77
    known = list(data.vocabulary.tokens[4:])
    text = data.text(group)

    def scored(changed: str) -> np.ndarray:
        other = Recording(group, np.frombuffer(changed.encode(), np.uint8)[:, None], 1.0, "byte")
        altered = recordings.with_loaders({g: (lambda g=g: other if g == group else recordings[g]) for g in recordings})
        new = TrainedModel(
            trained.network, trained.config, family.adapt(altered, trained.config, data.split), 0, [], None, family
        )
        target = family.targets(new.dataset, trained.config)[0]
        if who in ("frequencies", "5-gram"):
            predictor = next(p for p in baselines(new.dataset) if p.name == who)
            return predictor.predict(target).values[group]
        return family.predict(new, target).values[group]

    before = scored(text)
    tail = "".join(reversed(text[place + 1 :]))
    assert np.array_equal(scored(text[: place + 1] + tail)[:place], before[:place])
    total = sum(2 ** scored(text[:place] + token + tail)[place - 1, 0] for token in [*known, "Z"])
    if who in ("frequencies", "5-gram"):
        assert total == pytest.approx(1, abs=1e-9)
    else:  # some is left to <pad>, <bos> and <eos>, which are never next
        x = torch.from_numpy(data.tokens(group).astype(np.int64))
        stretch = next(s for s in data.stretches("test") if s.group == group and s.scored <= place < s.stop)
        with torch.no_grad():
            never = torch.softmax(trained.network(x[None, stretch.first : place])[0, -1].double(), 0)[[0, 2, 3]].sum()
        assert total + float(never) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("unit", ["character", "byte", "word"])
def test_bits_per_character_whatever_the_tokens(unit: str) -> None:
    texts = [text.signal.tobytes().decode().replace("e", "é") for text in example().values()]
    recordings = RecordingSet.of(
        [Recording(f"t{n}", np.frombuffer(t.encode(), np.uint8)[:, None], 1.0, "byte") for n, t in enumerate(texts)]
    )
    trained = model_on(recordings, tokens=unit, window=32, context=8)
    family, data = trained.family, trained.dataset
    assert family is not None and isinstance(data, TextData)
    target = family.targets(data, trained.config)[0]
    group = target.groups[0]
    prediction = family.predict(trained, target).values[group]
    bits = -prediction[:, 0].sum()
    text = data.text(group)
    first = {"character": 1, "byte": 1 if ord(text[0]) < 128 else 0, "word": len(text.split()[0])}[unit]
    rest = len(text if unit != "word" else text.rstrip()) - first
    metric = BitsPerCharacter()
    assert metric.value(metric.statistics(target.values[group], prediction)) == pytest.approx(bits / rest)
    accuracy, perplexity = TokenAccuracy(), Perplexity()
    assert accuracy.value(accuracy.statistics(target.values[group], prediction)) == prediction[:, 1].mean()
    wanted = 2 ** (bits / len(prediction))
    assert perplexity.value(perplexity.statistics(target.values[group], prediction)) == pytest.approx(wanted)
    names = [metric.name for metric in family.metrics(data, trained.config)]
    assert names == ["bits per character", "accuracy", *(["perplexity"] if unit == "word" else [])]


def test_the_validation_loss_is_that_of_all_tokens() -> None:
    """In nats, though batches hold different numbers of tokens."""
    trained = model_on(example(), window=24, context=12)
    family, data = trained.family, trained.dataset
    assert family is not None and isinstance(data, TextData)
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in data.batches("validation", seed=0, epoch=0):
            total += len(batch["x"]) * float(family.validation_loss(trained.network, batch, trained.config))
            count += len(batch["x"])
    target = family.targets(data, trained.config, "validation")[0]
    values = np.concatenate([*family.predict(trained, target).values.values()])
    assert total / count == pytest.approx(-values[:, 0].mean() * math.log(2), rel=1e-5)


@pytest.mark.parametrize("model", ["lstm", "elm-v2"])
def test_evaluation_diagnosis_and_interpretation(model: str, tmp_path: Path) -> None:
    recordings = example()
    trained = model_on(recordings, model, window=32, context=16)
    family = trained.family
    assert family is not None
    evaluation = evaluate(family, trained, say=lambda line: None, figures=tmp_path)
    values = {score.name: score.value for score in evaluation.scores if score.metric == "bits per character"}
    assert evaluation.metrics[0]["name"] == "bits per character" and evaluation.ceiling_reason
    assert values["5-gram"] < values["frequencies"] < math.log2(15)
    assert [exhibit.name for exhibit in evaluation.exhibits] == ["context", "written"]
    findings = {finding.check: finding for finding in family.diagnose_data(recordings, trained.config)}
    assert findings["characters"].verdict == "WARN" and findings["encoding"].verdict == "PASS"
    assert {"vocabulary", "unknown-tokens", "shared-passages", "text-lengths"} <= set(findings)
    used = family.interpret(trained, tmp_path)[0]
    assert used.claims["context_used"] in (1, 2, 4, 8, 16, 32) and used.figure is not None and used.figure.is_file()


def test_spoilt_encodings_and_repeated_passages_are_found() -> None:
    family = registry().family("lstm", "text")
    texts = {group: recording.signal.tobytes().decode() for group, recording in example().items()}
    split = family.adapt(example(), family.Config()).split
    test, training = split.test[0], split.train[0]
    texts[test] = texts[test] + texts[training][:200] + "cafÃ© \x07"
    recordings = RecordingSet.of(
        [Recording(g, np.frombuffer(t.encode(), np.uint8)[:, None], 1.0, "byte") for g, t in texts.items()]
    )
    findings = {finding.check: finding for finding in family.diagnose_data(recordings, family.Config())}
    assert findings["encoding"].value == 2 and test in findings["encoding"].advice
    assert findings["shared-passages"].verdict == "WARN" and findings["shared-passages"].value > 0.05


def test_what_is_written_depends_on_the_seed_alone() -> None:
    trained = model_on(example(), window=16, context=8)
    data = trained.dataset
    assert isinstance(data, TextData)
    one, again, other = (drawn_after(trained.network, data, [5, 6], seed) for seed in (0, 0, 1))
    assert one == again != other and min(one) >= 4


def test_without_data_it_is_said_what_to_name() -> None:
    family = registry().family("lstm", "text")
    with pytest.raises(DataError, match="no text of its own") as caught:
        family.own_data(family.Config())
    assert "--data" in str(caught.value.hint)


def test_wikitext_as_published(tmp_path: Path) -> None:
    """Three texts in a zip; <unk> of the file is a word like others, and words beyond the vocabulary are unknown."""
    words = [text.signal.tobytes().decode().replace("\n", " <unk> \n") for text in example().values()]
    parts = {"train": "\n".join(words[:5]), "valid": words[5], "test": words[6] + " never seen"}
    with zipfile.ZipFile(tmp_path / "wikitext-2-v1.zip", "w") as file:
        for part, text in parts.items():
            file.writestr(f"wikitext-2/wiki.{part}.tokens", text)
    family = registry().family("lstm", "wikitext-2")
    reader = family.readers()[0][1]  # type: ignore[index]
    assert reader.can_read_archive(tmp_path / "wikitext-2-v1.zip")
    data = adapted(family, reader.read([tmp_path / "wikitext-2-v1.zip"]), family.Config())
    assert isinstance(data, TextData) and data.unit == "word"
    assert data.split.as_dict()["groups"] == {
        "train": ["wiki.train.tokens"],
        "validation": ["wiki.valid.tokens"],
        "test": ["wiki.test.tokens"],
    }
    assert (data.tokens("wiki.test.tokens")[-2:] == 1).all() and data.tokens("wiki.test.tokens")[-3] != 1
    with pytest.raises(DataError) as caught:
        family.own_data(family.Config())
    assert "neuro fetch wikitext-2" in str(caught.value.hint)


@pytest.mark.realdata
@pytest.mark.skipif(not REAL.is_dir(), reason="NEUROCLI_REAL_DATA is not set")
def test_plays_beside_their_n_grams() -> None:
    """Order, and size: letters of so much text take about 2.5 bits of a 5-gram, and 4.8 by how often each comes."""
    family = registry().family("lstm", "text")
    recordings = SectionedTextReader().read([REAL])
    data = adapted(family, recordings, family.Config())
    assert isinstance(data, TextData)
    assert len(recordings) == 12 and data.split.protocol == "by file"
    target = family.targets(data, family.Config())[0]
    metric = BitsPerCharacter()
    bits = {}
    for predictor in baselines(data):
        prediction = predictor.predict(target)
        assert prediction is not None
        sums = sum(metric.statistics(target.values[g], prediction.values[g]) for g in target.groups)
        bits[predictor.name] = float(metric.value(sums))
    assert 4.5 < bits["frequencies"] < 5 and 2.3 < bits["longer n-gram"] < bits["5-gram"] < 2.6
