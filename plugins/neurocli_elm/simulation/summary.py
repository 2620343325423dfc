"""What simulated cells look like: rates in and out, the soma's voltage, and the tree with its synapses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.report.colours import EXCITATORY, INHIBITORY
from neurocli.report.figure import saved_figure
from neurocli_elm.data.inputs import Inputs
from neurocli_elm.data.windows import BURN_IN_MS, MOST_SPIKES, SOMA_CLIP_MV
from neurocli_elm.simulation.morphology import APICAL, BASAL, SOMA_DIAMETER_UM

_SHOWN_MS = 1000
_COLUMNS = ("excitatory (Hz)", "inhibitory (Hz)", "output spikes", "soma mean (mV)", "soma sd (mV)")


def summarise(recordings: RecordingSet, figures: Path | None) -> list[Exhibit]:
    """The exhibit `simulation`; its figure goes into `figures`."""
    if not recordings.groups:
        return []
    rows, voltages, most, liveliest = [], [], -1, recordings.groups[0]
    settled = 0
    for group in recordings:
        recording = recordings[group]
        rows.append(_numbers(recording))
        voltages.append(_settled(recording))
        settled = recording.steps - len(voltages[-1])
        if most < rows[-1][2] <= MOST_SPIKES:
            most, liveliest = int(rows[-1][2]), group
    values = np.array(rows)
    seconds = np.array([recordings[group].steps * 1e-3 for group in recordings])
    excluded = int((values[:, 2] > MOST_SPIKES).sum())
    pooled = np.concatenate(voltages)
    quantiles = np.quantile(pooled, [0.01, 0.5, 0.99])
    spikes = int(values[:, 2].sum())
    table: list[list[Any]] = [["all", *_rounded(values.mean(axis=0))]]
    table[0][3] = spikes
    shown = recordings.groups if len(rows) <= 12 else recordings.groups[:12]
    for group, row in zip(shown, rows, strict=False):
        table.append([group, *_rounded(row)])
        table[-1][3] = int(row[2])
    note = (
        f"{len(rows)} simulations, {spikes / seconds.sum():.2f} output spikes per second. With more than {MOST_SPIKES} output spikes, and "
        f"so excluded by the published evaluation: {excluded}. Input rates are means over inputs. Row all: total of the output spikes, "
        f"means of the other columns. Soma voltage from {settled} ms on, clipped at {SOMA_CLIP_MV:g} mV: median {quantiles[1]:.1f} mV, "
        f"1 % below {quantiles[0]:.1f} mV, 1 % above {quantiles[2]:.1f} mV"
    )
    claims = {
        "simulations": len(rows),
        "output_hz": float(spikes / seconds.sum()),
        "output_spikes": spikes,
        "excluded": excluded,
        "excitatory_hz": float(values[:, 0].mean()),
        "inhibitory_hz": float(values[:, 1].mean()),
        "soma_median_mv": float(quantiles[1]),
        "soma_sd_mv": float(pooled.std()),
        "soma_sd_within_mv": float(values[:, 4].mean()),
    }
    figure = None
    if figures is not None:
        figure = figures / "simulation.png"
        _draw(recordings[liveliest], pooled, recordings.truth, figure)
    return [Exhibit("simulation", "The simulated cell", Table(["simulation", *_COLUMNS], table, note), figure, claims)]


def _numbers(recording: Recording) -> list[float]:
    assert recording.spikes is not None
    inputs = Inputs.of(recording)
    seconds = recording.steps * recording.dt_ms * 1e-3
    count = int(inputs.exciting[recording.spikes.channel].sum())
    soma = _settled(recording)
    return [
        count / inputs.excitatory / seconds,
        (len(recording.spikes.channel) - count) / inputs.inhibitory / seconds,
        len(recording.events["output_spike_ms"]),
        float(soma.mean()),
        float(soma.std()),
    ]


def _settled(recording: Recording) -> NDArray[np.float64]:
    """The soma's voltage, clipped, without the burn-in; all of it where it is too short for that."""
    start = BURN_IN_MS if recording.steps >= 2 * BURN_IN_MS else 0
    return np.minimum(recording.signal[start:, 0].astype(np.float64), SOMA_CLIP_MV)


def _draw(recording: Recording, pooled: NDArray[np.float64], truth: Mapping[str, NDArray[Any]], path: Path) -> None:
    """One second of input and output around the most spikes; the voltages of all simulations; the tree."""
    spikes = recording.events["output_spike_ms"]
    start = _window(spikes, recording.steps)
    end = min(start + _SHOWN_MS, recording.steps)
    with saved_figure(path, nrows=2, ncols=2, width=13.0, height=8.5) as (_, ((raster, tree), (voltage, histogram))):
        _draw_raster(raster, recording, start, end)
        time = np.arange(start, end)
        voltage.plot(time, recording.signal[start:end, 0], lw=0.9, color="0.25")
        seen = spikes[(spikes >= start) & (spikes < end)]
        voltage.plot(seen, np.full(len(seen), 42.0), "v", ms=5, color="#d68910", label="output spike")
        voltage.axhline(SOMA_CLIP_MV, color="0.6", ls="--", lw=0.8, label="targets are clipped here")
        voltage.legend(loc="upper right", fontsize=8)
        voltage.set(xlim=(start, end), ylim=(-82, 50), xlabel="time (ms)", ylabel="voltage (mV)", title="Soma")
        # Clipped voltages would stand there as one high bar.
        histogram.hist(pooled[pooled < SOMA_CLIP_MV], bins=60, density=True, color="0.55")
        histogram.set(
            xlabel="voltage (mV)", ylabel="density (1/mV)", title=f"Soma below {SOMA_CLIP_MV:g} mV, all simulations"
        )
        _draw_tree(tree, truth)


def _draw_raster(axis: Any, recording: Recording, start: int, end: int) -> None:
    assert recording.spikes is not None
    inputs = Inputs.of(recording)
    time, channel = recording.spikes.step, recording.spikes.channel
    seen = (time >= start) & (time < end)
    size = float(np.clip(400 / inputs.count, 0.6, 3.0))
    for name, colour, chosen in (
        ("excitatory", EXCITATORY, seen & inputs.exciting[channel]),
        ("inhibitory", INHIBITORY, seen & ~inputs.exciting[channel]),
    ):
        axis.plot(time[chosen], channel[chosen], ".", ms=size, color=colour, label=name)
    axis.legend(loc="upper right", fontsize=8, markerscale=4, framealpha=0.95)
    axis.set(
        xlim=(start, end),
        ylim=(-1, inputs.count),
        xlabel="time (ms)",
        ylabel="input",
        title=f"Input of {recording.group}",
    )


def _draw_tree(axis: Any, truth: Mapping[str, NDArray[Any]]) -> None:
    """Height is the distance from the soma along the tree, basal downwards; a dot's area is the weight of its synapse."""
    import matplotlib

    kind, parent, distance = truth["kind"], truth["parent"], np.concatenate([[0.0], truth["distance_um"]])
    height = np.where(kind == BASAL, -distance, distance)
    place = _places(parent, kind)
    for number in range(1, len(kind)):
        before = int(parent[number])
        width = 0.6 + 0.9 * float(truth["diameter_um"][number - 1])
        axis.plot([place[number]] * 2, [height[before], height[number]], color="0.6", lw=width, zorder=1)
        axis.plot([place[before], place[number]], [height[before]] * 2, color="0.75", lw=0.6, zorder=0)
    segments = len(kind) - 1
    weight = truth["input_weight_ns"][:segments]
    area = 14 * weight / max(float(weight.mean()), 1e-12)
    dots = axis.scatter(
        place[1:], height[1:], s=area, c=distance[1:], cmap=matplotlib.colormaps["viridis"], zorder=2, linewidths=0
    )
    axis.figure.colorbar(dots, ax=axis, label="distance from soma (µm)")
    axis.plot(place[0], 0, "o", ms=SOMA_DIAMETER_UM / 2, color=INHIBITORY, zorder=3)
    axis.set_xticks([])
    axis.set(ylabel="distance from soma (µm); basal below, apical above", title="Segments; area: excitatory weight")


def _places(parent: NDArray[Any], kind: NDArray[Any]) -> NDArray[np.float64]:
    """[compartment] a horizontal place: tips side by side, everything else in the middle of what grows from it."""
    children: list[list[int]] = [[] for _ in parent]
    for number, before in enumerate(parent):
        if before >= 0:
            children[int(before)].append(number)
    place = np.zeros(len(parent))
    for which in (BASAL, APICAL):
        tips = [number for number in range(1, len(parent)) if kind[number] == which and not children[number]]
        place[tips] = np.linspace(-1, 1, len(tips)) if len(tips) > 1 else 0.0
    for number in range(len(parent) - 1, 0, -1):
        if children[number]:
            place[number] = float(np.mean([place[child] for child in children[number]]))
    return place


def _window(spikes: NDArray[np.float64], steps: int) -> int:
    """Start of the second with the most output spikes, after the cell has settled where there is time for that."""
    last = max(steps - _SHOWN_MS, 0)
    starts = [min(max(int(time) - 100, min(BURN_IN_MS, last)), last) for time in spikes] or [min(BURN_IN_MS, last)]
    inside = [int(((spikes >= start) & (spikes < start + _SHOWN_MS)).sum()) for start in starts]
    return starts[int(np.argmax(inside))]


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 2) for value in values]
