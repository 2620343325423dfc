"""Images as sequences and back, and series in chunks and windows: nothing is lost, and every value is where it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocli.errors import ConfigError, DataError
from neurocli_sequences.data.images import ImageLayout, Patches, Pixels, Rows, spread
from neurocli_sequences.data.orders import ORDERS
from neurocli_sequences.data.windows import chunks, unchunked, window_starts, windows


def images_of(layout: ImageLayout, cases: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (cases, *layout.shape), np.uint8)


@given(height=st.integers(1, 17), width=st.integers(1, 17), colours=st.integers(1, 3), name=st.sampled_from([*ORDERS]))
@settings(max_examples=120, deadline=None)
def test_pixels_and_rows_there_and_back(height: int, width: int, colours: int, name: str) -> None:
    layout = ImageLayout(height, width, colours)
    images = images_of(layout)
    for form in (Pixels(layout, name, seed=3), Rows(layout)):
        sequence = form.to_sequence(images)
        assert sequence.shape == (3, form.steps, form.channels) and sequence.dtype == np.uint8
        assert (form.to_image(sequence) == images).all()


@given(size=st.integers(1, 6), down=st.integers(1, 5), across=st.integers(1, 5), colours=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_patches_against_slices(size: int, down: int, across: int, colours: int) -> None:
    layout = ImageLayout(size * down, size * across, colours)
    images, form = images_of(layout), Patches(layout, size)
    sequence = form.to_sequence(images)
    slow = np.stack(
        [
            images[:, size * i : size * (i + 1), size * j : size * (j + 1)].reshape(3, -1)
            for i in range(down)
            for j in range(across)
        ],
        axis=1,
    )
    assert sequence.shape == (3, form.steps, form.channels) and (sequence == slow).all()
    assert (form.to_image(sequence) == images).all()


def test_a_value_a_step_lies_on_the_pixels_of_its_step() -> None:
    layout = ImageLayout(4, 6, 3)
    saliency = np.arange(6.0)[None]
    assert (spread(saliency, Patches(layout, 2))[0, ::2, ::2] == [[0, 1, 2], [3, 4, 5]]).all()
    assert (spread(np.arange(4.0)[None], Rows(layout))[0] == np.arange(4.0)[:, None]).all()
    pixels = Pixels(layout, "snake")
    assert (spread(np.arange(24.0)[None], pixels)[0, 1] == [11, 10, 9, 8, 7, 6]).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="patches of 5 pixels") as caught:
        Patches(ImageLayout(28, 28), 5)
    assert "1, 2, 4, 7, 14, 28" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="patches of 0"):
        Patches(ImageLayout(28, 28), 0)
    with pytest.raises(ConfigError, match="0 x 3"):
        ImageLayout(0, 3)
    with pytest.raises(DataError, match="expected"):
        Rows(ImageLayout(28, 28)).to_sequence(np.zeros((2, 28, 28)))
    with pytest.raises(DataError, match="expected"):
        Rows(ImageLayout(28, 28)).to_image(np.zeros((2, 784, 1)))


@given(steps=st.integers(1, 40), size=st.integers(1, 12), channels=st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_chunks_there_and_back(steps: int, size: int, channels: int) -> None:
    series = np.random.default_rng(0).normal(size=(2, steps, channels))
    sequence, filled = chunks(series, size)
    assert sequence.shape == (2, int(np.ceil(steps / size)), size * channels) and 0 <= filled < size
    for chunk in range(sequence.shape[1]):
        there = series[:, chunk * size : (chunk + 1) * size].reshape(2, -1)
        assert (sequence[:, chunk, : there.shape[1]] == there).all()
        assert (sequence[:, chunk, there.shape[1] :] == 0).all()
    assert (unchunked(sequence, size, filled) == series).all()


@given(steps=st.integers(1, 40), size=st.integers(1, 40), stride=st.integers(1, 15))
@settings(max_examples=80, deadline=None)
def test_windows_against_slices(steps: int, size: int, stride: int) -> None:
    sequence = np.random.default_rng(0).normal(size=(steps, 2))
    if size > steps:
        with pytest.raises(DataError, match="does not fit"):
            windows(sequence, size, stride)
        return
    starts = [start for start in range(0, steps, stride) if start + size <= steps]
    assert window_starts(steps, size, stride).tolist() == starts
    assert (windows(sequence, size, stride) == np.stack([sequence[s : s + size] for s in starts])).all()


def test_sizes_below_one_are_refused() -> None:
    for call in (
        lambda: chunks(np.zeros((1, 4, 1)), 0),
        lambda: window_starts(4, 2, 0),
        lambda: window_starts(4, 0, 1),
    ):
        with pytest.raises(ConfigError, match="at least 1"):
            call()
    with pytest.raises(DataError, match="not of chunks of 3"):
        unchunked(np.zeros((1, 2, 4)), 3)
