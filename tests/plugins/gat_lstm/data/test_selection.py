"""Which worms are used: one copy of each, one frame rate, a calcium indicator; and what is said of the others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.selection import scored, usable


def with_labels(recording, group, **labels):
    return dataclasses.replace(recording, group=group, labels={**recording.labels, **labels})


def test_a_copy_of_a_worm_is_left_out_whatever_its_scale_and_order(walks):
    base = walks(3)
    first = base["lab-w0"]
    order = [2, 0, 3, 1]
    copy = dataclasses.replace(
        first,
        group="other-w9",
        signal=(5 * first.signal[:, order] - 2).astype(np.float32),
        channels=[first.channels[k] for k in order],
        labels={**first.labels, "source": "other", "worm": "w9"},
    )
    used, left_out = usable(RecordingSet.of([*base.values(), copy]), DataConfig())
    assert list(used) == ["lab-w0", "lab-w1", "lab-w2"]
    assert left_out == ["other-w9: the same worm as lab-w0"]


@pytest.mark.parametrize(("noise_sd", "kept"), [(0.1, False), (1.0, True)])
def test_a_noisy_copy_is_left_out_and_a_worm_that_only_resembles_another_is_kept(walks, noise_sd, kept):
    base = walks(3)
    signal = base["lab-w0"].signal
    noise = noise_sd * signal.std(axis=0) * np.random.default_rng(5).normal(size=signal.shape)
    near = dataclasses.replace(
        with_labels(base["lab-w0"], "lab-w9", worm="w9"), signal=(signal + noise).astype(np.float32)
    )
    assert ("lab-w9" in usable(RecordingSet.of([*base.values(), near]), DataConfig())[0]) == kept


def test_two_different_worms_of_one_name_are_refused(walks):
    base = walks(3)
    second = with_labels(base["lab-w1"], "elsewhere", worm="w0")
    with pytest.raises(DataError, match="two different worms are called lab w0: lab-w0 and elsewhere"):
        usable(RecordingSet.of([base["lab-w0"], second, base["lab-w2"]]), DataConfig())
    same_name_elsewhere = with_labels(base["lab-w1"], "elsewhere", worm="w0", source="another lab")
    assert len(usable(RecordingSet.of([base["lab-w0"], same_name_elsewhere]), DataConfig())[0]) == 2


def test_gfp_is_trained_on_only_when_asked_for(walks):
    base = walks(4)
    mixed = RecordingSet.of([with_labels(r, g, indicator="gfp" if g == "lab-w1" else "gcamp") for g, r in base.items()])
    used, left_out = usable(mixed, DataConfig())
    assert "lab-w1" not in used and left_out == ["lab-w1: GFP, no calcium indicator"]
    assert "lab-w1" in usable(mixed, DataConfig(controls="use"))[0]
    assert list(scored(mixed, ["lab-w1"], DataConfig())) == ["lab-w1"]


def test_worms_without_names_are_left_out_and_still_scored(walks):
    base = walks(4)
    nameless = dataclasses.replace(base["lab-w3"], channels=[f"unidentified-{k}" for k in range(1, 5)])
    mixed = RecordingSet.of([*(base[f"lab-w{k}"] for k in range(3)), nameless])
    used, left_out = usable(mixed, DataConfig())
    assert len(used) == 3 and left_out == ["lab-w3: no neuron is identified"]
    assert len(scored(mixed, ["lab-w3"], DataConfig())["lab-w3"].names) == 4
    assert len(usable(mixed, DataConfig(neurons="all"))[0]) == 4


def test_the_largest_number_of_worms_of_one_frame_rate(walks, worm_of):
    base = walks(5)
    steps = [300, 310, 600, 330, 150]
    mixed = RecordingSet.of([dataclasses.replace(r, dt_ms=float(s)) for r, s in zip(base.values(), steps, strict=True)])
    used, left_out = usable(mixed, DataConfig())
    assert list(used) == ["lab-w0", "lab-w1", "lab-w3"]
    assert [line.split(":")[0] for line in left_out] == ["lab-w2", "lab-w4"]
    assert "600 ms per frame, the others 310 ms" in left_out[0]
    resampled, none = usable(mixed, DataConfig(dt=300.0))
    assert len(resampled) == 5 and not none


def test_sources_choose_and_nothing_left_is_an_error_with_reasons(walks):
    base = walks(3)
    assert list(usable(base, DataConfig(sources=["lab"]))[0]) == base.groups
    with pytest.raises(DataError, match="no worm is left: none is of Kato2015"):
        usable(base, DataConfig(sources=["Kato2015"]))
    gfp = RecordingSet.of([with_labels(r, g, indicator="gfp") for g, r in base.items()])
    with pytest.raises(DataError, match=r"lab-w0: GFP.*lab-w2: GFP"):
        usable(gfp, DataConfig())


@pytest.mark.realdata
def test_the_whole_folder_gives_each_calcium_worm_once_and_the_gfp_worms_never(folder):
    pytest.importorskip("pyarrow")
    pytest.importorskip("pynwb")
    from neurocli import open_recordings

    recordings = open_recordings([folder])
    for neurons in ("identified", "all"):
        used, left_out = usable(recordings, DataConfig(neurons=neurons))
        keys = [(recordings[g].labels["source"], recordings[g].labels["worm"]) for g in used]
        assert sorted(keys) == [("Kato2015", f"worm{k}") for k in (0, 1, 2, 4)]
        assert len(used) + len(left_out) == len(recordings)
        assert not any("Scholz" in group for group in used)
    assert sum("the same worm as" in line for line in left_out) >= 6
