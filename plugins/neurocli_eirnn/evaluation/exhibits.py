"""What `evaluate` shows beside the scoreboard: every neuron, the types, the events, and what counts leave unexplained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Prediction
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.evaluation.compared import TRUE_RATES, Compared, compared
from neurocli_eirnn.evaluation.event_figure import draw_events
from neurocli_eirnn.evaluation.rates import (
    COLOURS,
    NO_SIGNAL,
    TYPES,
    letters,
    mean,
    median,
    ratio,
)
from neurocli_eirnn.evaluation.residuals import residual_exhibit
from neurocli_eirnn.evaluation.targets import FIXATION, targets

_MOST_PANELS, _COLUMNS = 48, 6
_FEWEST_SHOWN = 3


def evaluation_exhibits(trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
    """Exhibits on the test trials; `predictions` are the predictions that were scored, by target name."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    test_targets = [target for target in targets(dataset, trained.config, "test") if target.name in predictions]
    by_target = {target.name: compared(dataset, target, predictions[target.name]) for target in test_targets}
    whole = by_target[FIXATION]
    exhibits = [_per_neuron(dataset, whole, figures), _per_type(dataset, whole)]
    if len(by_target) > 1:
        exhibits.append(_per_event(dataset, by_target, figures))
    exhibits.append(residual_exhibit(dataset, whole.data, whole.model, figures))
    return exhibits


def _per_neuron(dataset: SessionData, whole: Compared, figures: Path) -> Exhibit:
    kinds = letters(dataset.session.neuron_type)
    order = np.argsort(-np.nan_to_num(whole.r, nan=-2.0), kind="stable")
    columns = [
        "neuron",
        "type",
        "rate, data (sp/s)",
        "rate, model (sp/s)",
        "r (unsmoothed)",
        "r (50 ms)",
        _ceiling_column(whole),
        "r/ceiling",
        "r of train PSTH",
        "rate ratio",
        "sd ratio",
        "sd ratio, noise-corrected",
    ]
    values = np.stack(
        [
            whole.rate_data,
            whole.rate_model,
            whole.r_raw,
            whole.r,
            whole.ceiling,
            whole.share,
            whole.r_train,
            ratio(whole.rate_model, whole.rate_data),
            whole.sd_ratio,
            whole.sd_ratio_corrected,
        ],
        axis=1,
    )
    rows = [[dataset.session.neuron_ids[n], kinds[n], *(finite_or_none(v) for v in values[n])] for n in order]
    path = figures / "psth_per_neuron.png"
    _draw_neurons(dataset, whole, kinds, order, path)
    note = (
        f"{len(whole.data)} test trials; neurons by their id in the data, highest r first. PSTHs are smoothed by 50 ms but for r "
        "(unsmoothed); each bin is weighted by its number of trials. sd ratio: standard deviation over time of the model's PSTH "
        "divided by that of the data's; noise-corrected: without the noise in the data's. Dash: the PSTH carries no signal "
        f"(ceiling below {NO_SIGNAL:g}), or the neuron is silent"
        + (". The ceiling is the r of the true rates on the same trials" if whole.ceiling_name == TRUE_RATES else "")
    )
    claims: dict[str, Any] = {
        "r_raw": finite_or_none(mean(whole.r_raw)),
        "r_50ms": finite_or_none(mean(whole.r)),
        "ceiling_50ms": finite_or_none(mean(whole.ceiling)),
        "neurons_without_signal": int((~whole.has_signal).sum()),
        "neurons_better_than_train_psth": int((whole.r > whole.r_train).sum())
        if whole.train_psth is not None
        else None,
        "rate_ratio_outside_0.8_to_1.25": int(
            (np.abs(np.log(np.maximum(ratio(whole.rate_model, whole.rate_data), 1e-9))) > np.log(1.25)).sum()
        ),
    }
    return Exhibit("per-neuron", "PSTHs neuron by neuron", Table(columns, rows, note), path, claims)


def _draw_neurons(
    dataset: SessionData, whole: Compared, kinds: list[str], order: NDArray[np.int64], path: Path
) -> None:
    shown_neurons = order[:_MOST_PANELS]
    columns = min(_COLUMNS, len(shown_neurons))
    lines = -(-len(shown_neurons) // columns)
    enough = np.isfinite(whole.data).all(2).sum(0) >= min(_FEWEST_SHOWN, len(whole.data))
    time = dataset.session.time_ms[enough] / 1000
    with saved_figure(path, nrows=lines, ncols=columns, width=2.1 * columns, height=1.55 * lines + 0.8) as (
        figure,
        axes,
    ):
        panels = np.atleast_1d(axes).ravel()
        for axis, n in zip(panels, shown_neurons, strict=False):
            colour = COLOURS[kinds[n]]
            middle, band = whole.data_psth[enough, n], whole.se[enough, n]
            axis.fill_between(time, middle - band, middle + band, color=colour, alpha=0.25, lw=0)
            axis.plot(time, middle, color=colour, lw=1.2)
            if whole.train_psth is not None:
                axis.plot(time, whole.train_psth[enough, n], color="0.55", lw=1, ls="--")
            axis.plot(time, whole.model_psth[enough, n], color="k", lw=1.2)
            axis.axvline(0, color="0.8", lw=0.8, zorder=0)
            axis.set_ylim(bottom=0)
            axis.tick_params(labelsize=7)
            ceiling = f" of {whole.ceiling[n]:.2f}" if whole.has_signal[n] else ", no signal"
            r = f"r {whole.r[n]:.2f}{ceiling}" if np.isfinite(whole.r[n]) else "silent"
            name = str(dataset.session.neuron_ids[n])
            axis.set_title(f"{kinds[n]} {name if len(name) <= 8 else name[:7] + '…'}: {r}", fontsize=8, color=colour)
        for axis in panels[len(shown_neurons) :]:
            axis.set_visible(False)
        for axis in panels[
            max(0, len(shown_neurons) - columns) : len(shown_neurons)
        ]:  # the lowest panel of each column
            axis.set_xlabel("time from fixation (s)", fontsize=8)
        figure.supylabel("rate (sp/s)", fontsize=9)
        more = f"; the best {len(shown_neurons)} of {len(order)} neurons" if len(shown_neurons) < len(order) else ""
        figure.suptitle(
            f"PSTHs of {len(whole.data)} test trials, 50 ms; titles: r of the model, of the {whole.ceiling_name}{more}",
            fontsize=9,
        )
        figure.legend(handles=_legend(whole.train_psth is not None), loc="outside lower center", ncols=4, fontsize=8)


def _legend(with_train: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, lw=2, label=f"data ± SE, {kind} neurons") for kind, colour in COLOURS.items()
    ]
    handles.append(Line2D([], [], color="k", label="model"))
    if with_train:
        handles.append(Line2D([], [], color="0.55", ls="--", label="train PSTH"))
    return handles


def _ceiling_column(whole: Compared) -> str:
    return "r of true rates" if whole.ceiling_name == TRUE_RATES else whole.ceiling_name


def _members(dataset: SessionData) -> dict[str, NDArray[np.bool_]]:
    """Bool [neuron] per type, and for all."""
    types = dataset.session.neuron_type
    return {**{name: types == kind for name, kind in TYPES.items()}, "all": np.ones(len(types), bool)}


def _per_type(dataset: SessionData, whole: Compared) -> Exhibit:
    columns = [
        "type",
        "neurons",
        "without signal",
        "rate, data (sp/s)",
        "rate, model (sp/s)",
        "r (unsmoothed)",
        "r (50 ms)",
        "lowest r",
        "highest r",
        _ceiling_column(whole),
        "r/ceiling",
        "r of train PSTH",
        "median rate ratio",
        "median sd ratio, noise-corrected",
    ]
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for name, members in _members(dataset).items():
        r = whole.r[members]
        known = r[np.isfinite(r)]
        values = [
            whole.rate_data[members].mean(),
            whole.rate_model[members].mean(),
            mean(whole.r_raw[members]),
            mean(r),
            known.min() if len(known) else None,
            known.max() if len(known) else None,
            mean(whole.ceiling[members]),
            mean(r) / mean(whole.ceiling[members]) if mean(whole.ceiling[members]) >= NO_SIGNAL else None,
            mean(whole.r_train[members]),
            median(ratio(whole.rate_model, whole.rate_data)[members]),
            median(whole.sd_ratio_corrected[members]),
        ]
        silent = int((~whole.has_signal)[members].sum())
        rows.append([name, int(members.sum()), silent, *(finite_or_none(v) for v in values)])
        claims[f"r_50ms_{name}"], claims[f"r_over_ceiling_{name}"] = (
            finite_or_none(values[3]),
            finite_or_none(values[7]),
        )
    note = (
        "means over neurons but for lowest, highest and medians; PSTHs are smoothed by 50 ms but for r (unsmoothed); r/ceiling: ratio "
        "of the means. Intervals over trials are on the scoreboard"
    )
    return Exhibit("per-type", "Excitatory and inhibitory neurons", Table(columns, rows, note), None, claims)


def _per_event(dataset: SessionData, by_target: dict[str, Compared], figures: Path) -> Exhibit:
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for name, response in by_target.items():
        for kind, members in _members(dataset).items():
            values = [mean(v[members]) for v in (response.r_raw, response.r, response.ceiling, response.r_train)]
            share = values[1] / values[2] if values[2] >= NO_SIGNAL else None
            rows.append([name, kind, len(response.data), *(finite_or_none(v) for v in (*values[:3], share, values[3]))])
            if kind == "all":
                claims[f"r_50ms_{name}"] = finite_or_none(values[1])
    ceiling_column = _ceiling_column(next(iter(by_target.values())))
    columns = [
        "alignment",
        "type",
        "trials",
        "r (unsmoothed)",
        "r (50 ms)",
        ceiling_column,
        "r/ceiling",
        "r of train PSTH",
    ]
    before, after = (bins * dataset.bin_ms for bins in dataset.window_bins)
    note = (
        f"windows from {before:g} ms before to {after:g} ms after each event, and whole trials aligned at fixation; means over neurons; "
        "each bin is weighted by its number of trials"
    )
    path = figures / "event_aligned.png"
    draw_events(dataset, by_target, path)
    return Exhibit("event-aligned", "Responses around events", Table(columns, rows, note), path, claims)
