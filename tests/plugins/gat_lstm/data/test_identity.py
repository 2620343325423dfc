"""Who the neurons of a worm are where labels are uncertain, double or unclear; and the options that leave them out."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.config_v3 import V3Config
from neurocli_gat_lstm.data.chosen import as_chosen
from neurocli_gat_lstm.data.identity import identify, not_understood
from neurocli_gat_lstm.data.series import series_of
from neurocli_gat_lstm.data.summary import summary_of
from neurocli_gat_lstm.data.worm import Worm
from neurocli_gat_lstm.diagnosis.data import data_findings

STEPS = 120


def worm(names, **changes):
    traces = np.cumsum(np.random.default_rng(2).normal(size=(STEPS, len(names))), axis=0) * 0.01
    values = {"source": "Lab", "worm": "w", "time_s": np.arange(STEPS) * 0.35, "traces": traces, "names": names}
    return Worm(**{**values, "unit": "a.u.", "where": "f.mat:x", "file": "f.mat", **changes})


def notes_of(names, doubted=None):
    identity = identify(names, doubted or [False] * len(names), "f")
    return identity, {note.check: note for note in identity.notes}


def test_uncertain_labels_are_counted_and_used():
    identity, notes = notes_of(["AVAL?", "AVAR*", "RIML", "17"])
    assert identity.channels == ["AVAL", "AVAR", "RIML", "unidentified-4"] and identity.uncertain == ["AVAL", "AVAR"]
    assert identity.written == {"AVAL": "AVAL?", "AVAR": "AVAR*", "unidentified-4": "17"}
    assert "2 of 4 labels uncertain: AVAL?, AVAR*" in notes["uncertain-labels"].found
    assert "data.uncertain=exclude" in notes["uncertain-labels"].advice


def test_a_low_rating_makes_a_label_uncertain():
    identity, notes = notes_of(["AVAL", "AVAR"], [False, True])
    assert identity.uncertain == ["AVAR"] and notes["uncertain-labels"].is_doubt


def test_the_certain_label_wins():
    identity, notes = notes_of(["AVAL?", "AVAL", "RIML"])
    assert identity.channels == ["unidentified-1", "AVAL", "RIML"] and not identity.uncertain
    assert "AVAL? beside AVAL" in notes["uncertain-labels"].found


@pytest.mark.parametrize(
    "names", [["AVAL", "RIML", "aval"], ["AVAL?", "RIML", "AVAL?"], ["AVAL", "RIML", "AVA_L", "AVAL?"]]
)
def test_where_two_columns_are_one_neuron_neither_is(names):
    identity, notes = notes_of(names)
    assert identity.channels[0] == "unidentified-1" and identity.channels[1] == "RIML"
    assert identity.channels[2] == "unidentified-3" and "AVAL in columns 1" in notes["duplicate-labels"].found


def test_what_is_not_understood_is_shown():
    identity, notes = notes_of(["AVAL-alt", "AVA_R", "AVB (R)", "AVDL/AVDR", "RIML"])
    assert identity.channels == ["unidentified-1", "AVAR", "AVBR", "unidentified-4", "RIML"]
    assert not_understood(identity.written) == ["AVAL-alt", "AVDL/AVDR"]
    assert "2 labels not understood: AVAL-alt, AVDL/AVDR" in notes["unclear-labels"].found
    assert "AVA_R as AVAR" in notes["spelling"].found and not notes["spelling"].is_doubt


def test_names_that_were_not_understood_do_not_pass():
    recordings = RecordingSet.of([worm(["AVAL-alt", "AVAR", "RIML"]).recording()], meta={"kind": "worm"})
    (finding,) = [f for f in data_findings(recordings, V3Config()) if f.check == "unmatched-names"]
    assert finding.verdict == "WARN" and "AVAL-alt" in str(finding.value)


def test_an_option_leaves_uncertain_labels_out():
    recording = worm(["AVAL?", "AVAR", "RIML"]).recording()
    keep, exclude = DataConfig(), DataConfig(uncertain="exclude")
    assert series_of(recording, keep).names == ("AVAL", "AVAR", "RIML")
    assert series_of(recording, exclude).names == ("AVAR", "RIML")
    assert series_of(recording, DataConfig(uncertain="exclude", neurons="all")).names[0] == "unidentified-1"
    assert summary_of(recording, exclude).identified == ("AVAR", "RIML")


def test_an_option_chooses_the_series(tmp_path):
    other = np.random.default_rng(4).normal(size=(STEPS, 3))
    recording = worm(["AVAL", "AVAR", "RIML"], series="Signal", others={"Reference": other}).recording()
    RecordingSet.of([recording], meta={"kind": "worm"}).save(tmp_path / "kept.h5")
    kept = RecordingSet.open(tmp_path / "kept.h5")["Lab-w"]
    assert np.array_equal(as_chosen(kept, DataConfig()).signal, recording.signal)
    assert np.array_equal(as_chosen(kept, DataConfig(series="Signal")).signal, recording.signal)
    assert np.allclose(as_chosen(kept, DataConfig(series="Reference")).signal, other, atol=1e-6)
    with pytest.raises(DataError, match="no series Refrence") as caught:
        as_chosen(kept, DataConfig(series="Refrence"))
    assert "Signal, Reference" in caught.value.hint
