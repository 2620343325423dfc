"""Attributions as pictures beside their input: images in their layout, series as channel against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.report.figure import saved_figure
from neurocli_sequences.data.forms import ImageForm, SeriesForm
from neurocli_sequences.interpretation.examples import Examples
from neurocli_sequences.interpretation.probe import Probed

Array = NDArray[np.float64]
ROWS = ("input", "trained", "untrained")
COLOURS = "RdBu_r"
_MOST_NAMED = 12


def draw_images(cases: Probed, examples: Examples, path: Path) -> None:
    """Input, attribution, and attribution by the untrained network of each example; red speaks for the prediction, blue against it."""
    form = cases.dataset.form
    assert isinstance(form, ImageForm)
    count = len(examples.rows)
    with saved_figure(path, nrows=3, ncols=count, width=1.25 * count + 1.3, height=4.3) as (figure, axes):
        axes = np.asarray(axes).reshape(3, count)
        picture: Any = None
        for column, row in enumerate(examples.rows):
            sequence = cases.dataset.sequence(int(cases.numbers[row]))
            image = form.image.to_image(np.asarray(sequence)[None])[0]
            if image.shape[-1] == 3:
                axes[0, column].imshow(np.clip(image / max(float(image.max()), 1), 0, 1))
            else:
                axes[0, column].imshow(image.mean(-1), cmap="gray")
            for line, of in enumerate((examples.maps[column], examples.before[column]), 1):
                values = form.image.to_image(of[None])[0].sum(-1)
                picture = axes[line, column].imshow(values / _limit(values), cmap=COLOURS, vmin=-1, vmax=1)
            axes[0, column].set_title(examples.titles[column], fontsize=7)
        for axis in axes.ravel():
            axis.set_xticks([])
            axis.set_yticks([])
        for line, name in enumerate(ROWS):
            axes[line, 0].set_ylabel(name, fontsize=8)
        _bar(figure, picture, axes[1:].ravel().tolist(), cases)


def draw_series(cases: Probed, examples: Examples, path: Path) -> None:
    """The same of series: their channels as lines, and the attributions as channel against time."""
    form = cases.dataset.form
    assert isinstance(form, SeriesForm)
    count = min(len(examples.rows), 6)
    with saved_figure(path, nrows=3, ncols=count, width=1.9 * count + 1.4, height=4.6) as (figure, axes):
        axes = np.asarray(axes).reshape(3, count)
        picture: Any = None
        for column, row in enumerate(examples.rows[:count]):
            number = int(cases.numbers[row])
            x = cases.dataset.batch(np.array([number]))["x"][0].numpy()
            axes[0, column].plot(_by_time(x, form), lw=0.7)
            axes[0, column].set_title(examples.titles[column], fontsize=7)
            axes[0, column].set_xlim(-0.5, len(x) * form.chunk - 0.5)
            for line, of in enumerate((examples.maps[column], examples.before[column]), 1):
                values = _by_time(of, form).T
                picture = axes[line, column].imshow(
                    values / _limit(values), cmap=COLOURS, vmin=-1, vmax=1, aspect="auto", interpolation="nearest"
                )
                axes[line, column].set_yticks(range(form.channels) if form.channels <= _MOST_NAMED else [])
            axes[2, column].set_xlabel("time (steps)", fontsize=8)
        for axis in axes.ravel():
            axis.tick_params(labelsize=6)
        for axis in axes[:2].ravel():
            axis.tick_params(labelbottom=False)
        for axis in axes[:, 1:].ravel():
            axis.tick_params(labelleft=False)
        _shared_range(axes[0])
        axes[0, 0].set_ylabel("input (z-score)", fontsize=8)
        axes[1, 0].set_ylabel("trained\nchannel", fontsize=8)
        axes[2, 0].set_ylabel("untrained\nchannel", fontsize=8)
        _bar(figure, picture, axes[1:].ravel().tolist(), cases)


def _by_time(values: Array, form: SeriesForm) -> Array:
    """[time, channel] of [step, chunk * channel]."""
    return values.reshape(len(values) * form.chunk, form.channels)


def _shared_range(axes: Any) -> None:
    ends = [axis.get_ylim() for axis in axes]
    for axis in axes:
        axis.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))


def _limit(values: Array) -> float:
    """Size of the attributions that takes the full colour: few are larger."""
    return max(float(np.quantile(np.abs(values), 0.995)), 1e-300)


def _bar(figure: Any, picture: Any, axes: list[Any], cases: Probed) -> None:
    bar = figure.colorbar(picture, ax=axes, fraction=0.03, pad=0.01, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels(["against", "0", "for"] if cases.classes else ["lowers it", "0", "raises it"], fontsize=7)
    bar.set_label("attribution to the prediction", fontsize=8)
