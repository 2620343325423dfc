"""What `evaluate` shows beside the scoreboard: S against the best linear baseline, worms, classes, neurons, traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurocli.diagnosis.words import counted
from neurocli.evaluation.intervals import FEWEST_FOR_P, mean_estimate, paired_means, verdict
from neurocli.evaluation.metrics import R2
from neurocli.evaluation.target import Prediction, Target
from neurocli.evaluation.wording import why_no_p
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.evaluation.baselines import ALL_PAIRS, ALONG_GRAPH, baselines
from neurocli_gat_lstm.evaluation.class_errors import class_exhibit
from neurocli_gat_lstm.evaluation.neuron_errors import neuron_exhibit
from neurocli_gat_lstm.evaluation.targets import channels, targets
from neurocli_gat_lstm.evaluation.traces import prediction_traces
from neurocli_gat_lstm.evaluation.worm_errors import WormErrors, errors_of

TRIVIAL = ("persistence", "mean")
MODEL = "model"
_STYLES = {
    "persistence": ("0.6", "--", "_"),
    "mean": ("0.6", ":", "x"),
    "AR(10)": ("#56B4E9", "-", "v"),
    "AR(50)": ("#0072B2", "-", "^"),
    ALL_PAIRS: ("#009E73", "-", "s"),
    ALONG_GRAPH: ("#CC79A7", "-", "D"),
    MODEL: ("#D55E00", "-", "o"),
}
Errors = dict[str, dict[str, WormErrors]]


def evaluation_exhibits(trained: TrainedModel, predictions: dict[str, Prediction], figures: Path) -> list[Exhibit]:
    """Exhibits on the test worms; `predictions` are the predictions that were scored, by target name."""
    data = trained.dataset
    assert isinstance(data, WormData)
    test_targets = [q for q in targets(data, trained.config, "test") if q.name in predictions]
    errors = errors_of_all(trained, test_targets, predictions)
    names = channels(data, test_targets[0].groups)
    of_model = {target.name: errors[target.name][MODEL] for target in test_targets}
    return [
        _reduction(test_targets, errors, figures),
        _per_worm(data, test_targets, errors),
        _persistence(test_targets),
        class_exhibit(test_targets, of_model, names, figures),
        neuron_exhibit(test_targets, of_model, names, figures),
        *prediction_traces(data, test_targets, predictions, names, figures),
    ]


def errors_of_all(trained: TrainedModel, test_targets: list[Target], predictions: dict[str, Prediction]) -> Errors:
    """Target → predictor → errors, the model last."""
    data = trained.dataset
    assert isinstance(data, WormData)
    errors: Errors = {target.name: {} for target in test_targets}
    for predictor in baselines(data, trained.config):
        for target in test_targets:
            prediction = predictor.predict(target)
            if prediction is not None:
                errors[target.name][predictor.name] = errors_of(target, prediction, target.groups)
    for target in test_targets:
        errors[target.name][MODEL] = errors_of(target, predictions[target.name], target.groups)
    return errors


def best_linear(by_predictor: dict[str, WormErrors]) -> str | None:
    """The linear model with the highest mean S over worms, chosen on the test worms, in favour of the baselines."""
    linear = [name for name in by_predictor if name not in (*TRIVIAL, MODEL)]
    return max(linear, key=lambda name: float(np.nanmean(by_predictor[name].error_reduction())), default=None)


def over_linear(by_predictor: dict[str, WormErrors], best: str) -> np.ndarray:
    """[worm] 1 - MSE / MSE of the linear model."""
    mine, other = by_predictor[MODEL].error.sum(1), by_predictor[best].error.sum(1)
    return 1 - np.divide(mine, other, out=np.full(len(mine), np.nan), where=other > 0)


def _reduction(test_targets: list[Target], errors: Errors, figures: Path) -> Exhibit:
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    worms = len(test_targets[0].groups)
    others = [name for name in errors[test_targets[0].name] if name != MODEL]
    for target in test_targets:
        by_predictor = errors[target.name]
        best = best_linear(by_predictor)
        error_reduction = mean_estimate(by_predictor[MODEL].error_reduction(), "log1m")
        row: list[Any] = [target.name, _seconds(target), *(finite_or_none(v) for v in error_reduction)]
        claims[f"S_h{target.horizon_steps}"] = finite_or_none(error_reduction.value)
        if best is None:
            row += [None] * 7
        else:
            gain = over_linear(by_predictor, best)
            test = paired_means(gain, np.zeros_like(gain))
            better = int((gain > 0).sum())
            result = verdict(test, higher=True)
            row += [
                best,
                *map(finite_or_none, (test.value, test.low, test.high)),
                f"{better} of {worms}",
                finite_or_none(test.p),
                result,
            ]
            claims[f"skill_over_best_linear_h{target.horizon_steps}"] = finite_or_none(test.value)
            claims[f"verdict_h{target.horizon_steps}"] = result
            claims[f"worms_better_than_best_linear_h{target.horizon_steps}"] = better
        rows.append(
            [*row, *(finite_or_none(mean_estimate(by_predictor[name].error_reduction()).value) for name in others)]
        )
    path = figures / "s_by_horizon.png"
    _draw_reduction(test_targets, errors, path)
    columns = ["horizon", "horizon (s)", "S", "S low", "S high", "best linear"]
    columns += ["error reduction", "low", "high", "worms better", "p", "verdict"]
    note = (
        "S: 1 - MSE / MSE of persistence; best linear: the linear baseline with the highest S at this horizon on these worms; error "
        f"reduction: 1 - MSE / MSE of that baseline; means over {counted(worms, 'worm')} with 95 % jackknife intervals; "
        + (why_no_p(worms, "worm") if worms < FEWEST_FOR_P else "p: sign-flip test over worms")
    )
    table = Table([*columns, *(f"S of {name}" for name in others)], rows, note)
    return Exhibit("skill", "S at every horizon", table, path, claims)


def _draw_reduction(test_targets: list[Target], errors: Errors, path: Path) -> None:
    place = np.arange(len(test_targets))
    labels = [f"{target.horizon_steps}\n{_seconds(target):.2g} s" for target in test_targets]
    shown = list(errors[test_targets[0].name])
    with saved_figure(path, ncols=2, width=11, height=4.4) as (figure, axes):
        for number_, name in enumerate(shown):
            colour, line, marker = _STYLES.get(name, ("0.4", "-.", "P"))
            shift = 0.09 * (number_ - (len(shown) - 1) / 2)
            per_worm = np.stack([errors[q.name][name].error_reduction() for q in test_targets])
            axes[0].plot(place + shift, per_worm, marker, color=colour, ms=3, alpha=0.55, zorder=2)
            wide = {"lw": 2.2, "zorder": 4} if name == MODEL else {"lw": 1.2, "zorder": 3}
            axes[0].plot(
                place + shift, np.nanmean(per_worm, axis=1), line, marker=marker, ms=6, color=colour, label=name, **wide
            )
        axes[0].set(ylabel="S: 1 − MSE / MSE of persistence", title="all predictors; small: single worms, large: mean")
        _cut(axes[0], test_targets, errors, place)
        figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, ncols=len(shown), loc="outside lower center")
        axes[1].axhline(0, color="0.5", lw=0.8)
        gains = [
            over_linear(errors[q.name], best) if (best := best_linear(errors[q.name])) else None for q in test_targets
        ]
        for x, target, gain in zip(place, test_targets, gains, strict=True):
            if gain is None:
                continue
            axes[1].plot(x + np.linspace(-0.12, 0.12, len(gain)), gain, "o", color="0.55", ms=4)
            test = paired_means(gain, np.zeros_like(gain))
            mean, low, high = test.value, test.low, test.high
            axes[1].plot(x, mean, "D", color=_STYLES[MODEL][0], ms=8, zorder=4)
            if np.isfinite(low):
                axes[1].plot([x, x], [low, high], color=_STYLES[MODEL][0], lw=2, zorder=3)
            axes[1].annotate(
                f"against\n{best_linear(errors[target.name])}",
                (x, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 4),
                textcoords="offset points",
                fontsize=7,
                ha="center",
                color="0.35",
            )
        axes[1].margins(y=0.22)
        axes[1].set(
            ylabel="1 − MSE / MSE of the best linear baseline",
            title="against the best linear baseline; line: 95 % interval over worms",
        )
        for axis in axes:
            axis.set_xticks(place, labels)
            axis.set_xlim(-0.5, len(test_targets) - 0.5)
            axis.set_xlabel("horizon (steps, and s in the median worm)")
            axis.title.set_fontsize(9)


def _cut(axis: Any, test_targets: list[Target], errors: Errors, place: np.ndarray) -> None:
    """Leave room for the predictors that matter: the mean, at short horizons, lies far below all others."""
    others = np.concatenate(
        [e.error_reduction() for q in test_targets for name, e in errors[q.name].items() if name != "mean"]
    )
    low, high = float(np.nanmin(others)), float(np.nanmax(others))
    bottom = low - 0.25 * (high - low) - 0.02
    axis.set_ylim(bottom, high + 0.08 * (high - low) + 0.01)
    for x, target in zip(place, test_targets, strict=True):
        mean = errors[target.name].get("mean")
        value = np.nan if mean is None else float(np.nanmean(mean.error_reduction()))
        if value < bottom:
            at = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axis.annotate(f"mean: {value:.1f} ↓", (x, 0), xytext=(0, 4), ha="center", fontsize=7, color="0.35", **at)


def _seconds(target: Target) -> float:
    return float(target.horizon_ms or 0) / 1e3


def _per_worm(data: WormData, test_targets: list[Target], errors: Errors) -> Exhibit:
    rows = []
    for k, group in enumerate(test_targets[0].groups):
        worm = data.worms[group]
        by_horizon = []
        for target in test_targets:
            by_predictor = errors[target.name]
            best = best_linear(by_predictor)
            by_horizon += [
                finite_or_none(by_predictor[MODEL].error_reduction()[k]),
                finite_or_none(by_predictor[best].error_reduction()[k]) if best else None,
            ]
        graph = data.graph_of(worm)
        size = [len(worm.names), int(graph.edge_index.shape[1]), worm.frames, float(worm.dt_ms)]
        rows.append([group, *by_horizon, *size, len(data.folds_for(group))])
    heads = [f"{what} h{q.horizon_steps}" for q in test_targets for what in ("S", "S of best linear")]
    note = (
        "S of the model, and of the linear baseline with the highest mean S; edges: of the graph, among the neurons of the worm; frames: "
        "of the whole recording; networks: folds whose networks forecast the worm"
    )
    columns = ["worm", *heads, "neurons", "edges", "frames", "step (ms)", "networks"]
    return Exhibit("worms", "Worm by worm", Table(columns, rows, note), None, {"worms": len(rows)})


def _persistence(test_targets: list[Target]) -> Exhibit:
    """Pooled R2 of persistence after the same preprocessing: high values mean little."""
    rows: list[list[Any]] = []
    for target in test_targets:
        assert target.now is not None
        metric = R2("pooled")
        statistics = [
            metric.statistics(*(target.as_scored(g, values[g]) for values in (target.values, target.now)))
            for g in target.groups
        ]
        rows.append([target.name, finite_or_none(metric.value(np.sum(statistics, axis=0)))])
    first = rows[0][1]
    title = (
        f"Persistence alone reaches a pooled R2 of {first:.3f} at {test_targets[0].name}"
        if first is not None
        else "Persistence"
    )
    note = "on the same targets as the model; R2 around the grand mean, pooled over worms and neurons"
    claims = {f"persistence_pooled_R2_h{q.horizon_steps}": row[1] for q, row in zip(test_targets, rows, strict=True)}
    return Exhibit("persistence", title, Table(["horizon", "pooled R2 of persistence"], rows, note), None, claims)
