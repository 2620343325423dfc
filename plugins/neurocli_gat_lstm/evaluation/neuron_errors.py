"""Errors neuron by neuron: which are forecast best, and which worst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurocli.evaluation.target import Target
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.data.series import UNIDENTIFIED
from neurocli_gat_lstm.evaluation.drawing import CLASS_COLOURS, CLASS_MARKERS, class_of
from neurocli_gat_lstm.evaluation.worm_errors import WormErrors

SHOWN = 10
FEWEST_TARGETS = 30
OUTSIDE = 0.4
"""Single worms so far below the lowest neuron's S are written and not drawn."""


def neuron_exhibit(
    test_targets: list[Target], of_model: dict[str, WormErrors], names: list[str], figures: Path
) -> Exhibit:
    """The ten best and the ten worst neurons at the first horizon, over all worms that have them."""
    first = of_model[test_targets[0].name]
    # The unidentified neurons of two worms are not the same cell, whatever their number.
    named = np.array([not name.startswith(UNIDENTIFIED) for name in names], bool)
    error_reduction = np.where(named & (first.count.sum(0) >= FEWEST_TARGETS), first.neuron_reduction(), np.nan)
    order = np.argsort(-np.nan_to_num(error_reduction, nan=-np.inf), kind="stable")[
        : int(np.isfinite(error_reduction).sum())
    ]
    best = order[:SHOWN]
    worst = order[len(best) :][-SHOWN:]
    kinds = class_of(names)
    by_neuron = {q.name: of_model[q.name].neuron_reduction() for q in test_targets}
    mse = first.error.sum(0) / np.maximum(first.count.sum(0), 1)
    rows: list[list[Any]] = []
    for what, chosen in (("best", best), ("worst", worst)):
        for k in chosen:
            seen = int((first.count[:, k] > 0).sum())
            lowest = np.nanmin(_one(first, k).error_reduction(), initial=np.inf)
            rows.append(
                [
                    what,
                    names[k],
                    str(kinds[k]),
                    seen,
                    finite_or_none(lowest),
                    *(finite_or_none(by_neuron[q.name][k]) for q in test_targets),
                    finite_or_none(mse[k]),
                ]
            )
    known = error_reduction[np.isfinite(error_reduction)]
    claims = {
        "neurons": len(known),
        "share_better_than_persistence": finite_or_none((known > 0).mean()) if len(known) else None,
        "median_S": finite_or_none(np.median(known)) if len(known) else None,
    }
    note = (
        f"the {SHOWN} neurons with the highest and the {SHOWN} with the lowest S {test_targets[0].name} ahead, of {len(known)} identified "
        f"neurons with at least {FEWEST_TARGETS} targets; S is taken over all targets of all worms that have the neuron, so that one worm "
        "may dominate it; lowest S: in the worm where it is lowest"
    )
    columns = [
        "",
        "neuron",
        "class",
        "worms",
        f"lowest S h{test_targets[0].horizon_steps}",
        *(f"S h{q.horizon_steps}" for q in test_targets),
        f"MSE h{test_targets[0].horizon_steps} (z2)",
    ]
    path = figures / "neurons.png"
    _draw(test_targets[0], first, names, kinds, [*best, *worst], len(best), path)
    return Exhibit("neurons", "Neurons that are forecast best and worst", Table(columns, rows, note), path, claims)


def _one(errors: WormErrors, k: int) -> WormErrors:
    """The errors of one neuron."""
    return WormErrors(errors.error[:, [k]], errors.change[:, [k]], errors.count[:, [k]])


def _draw(
    target: Target, errors: WormErrors, names: list[str], kinds: Any, shown: list[Any], best: int, path: Path
) -> None:
    from matplotlib.lines import Line2D

    with saved_figure(path, width=6.2, height=0.22 * len(shown) + 1.5) as (figure, axis):
        whole = errors.neuron_reduction()
        used: list[str] = []
        low = float(np.nanmin(whole[shown], initial=0.0)) - OUTSIDE
        for place, k in enumerate(shown):
            kind = str(kinds[k])
            used.append(kind)
            single = _one(errors, k).error_reduction()
            inside = single[single >= low]
            axis.plot(
                inside, np.full(len(inside), place), CLASS_MARKERS[kind], color=CLASS_COLOURS[kind], ms=4, alpha=0.5
            )
            outside = np.sort(single[single < low])
            if len(outside):
                texts = ", ".join(f"{value:.1f}" for value in outside)
                axis.annotate(
                    f"← {texts}", (low, place), xytext=(2, 0), textcoords="offset points", fontsize=7, va="center"
                )
            axis.plot(whole[k], place, CLASS_MARKERS[kind], color=CLASS_COLOURS[kind], ms=8, mec="k")
        axis.set_xlim(left=low - 0.02)
        axis.axvline(0, color="0.5", lw=0.8)
        if len(shown) > best:
            axis.axhline(best - 0.5, color="0.7", lw=0.8, ls="--")
        axis.set_yticks(range(len(shown)), [names[k] for k in shown], fontsize=8)
        axis.invert_yaxis()
        axis.set(xlabel=f"S, {target.name} ahead: 1 − MSE / MSE of persistence")
        axis.set_title(f"best {best} and worst {len(shown) - best}; framed: all worms, small: single worms", fontsize=9)
        kinds_used = [kind for kind in CLASS_COLOURS if kind in used]
        handles = [Line2D([], [], ls="", marker=CLASS_MARKERS[k], color=CLASS_COLOURS[k], label=k) for k in kinds_used]
        figure.legend(handles=handles, fontsize=8, ncols=len(handles), loc="outside lower center")
