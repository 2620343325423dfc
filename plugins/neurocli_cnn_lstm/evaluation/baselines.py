"""What a forecast is compared with: persistence, linear models, a one-dimensional table, and the full-state oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.evaluation.linear import ARRidge, VARRidge
from neurocli.evaluation.target import FREE, Meter, Prediction, Predictor, Target
from neurocli.plugin.family import NoCeiling
from neurocli.recordings.files.scratch import Scratch
from neurocli_cnn_lstm.config import CnnLstmConfig
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.evaluation.rivals import rivals
from neurocli_cnn_lstm.evaluation.table import TableForecast
from neurocli_cnn_lstm.evaluation.targets import LONGEST_LAG, horizon_steps, local_origins
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig, parameters_of

UPPER_BOUND = (
    "full-state oracle: an upper bound, since it knows the synaptic weights, and the spike times to 0.1 ms, which voltages sampled at 1 ms "
    "do not reveal"
)
ORACLE_SEED = 2000  # one stream per run is drawn from it


def baselines(dataset: VoltageData, config: CnnLstmConfig, flags: bool) -> list[Predictor]:
    """Persistence, AR(20), VAR(10), the table of the own last voltage, trees and MLP on drives: fitted on training runs for each horizon."""

    def persistence(target: Target) -> Prediction:
        return Prediction(Scratch.of((g, dataset.volts(g)[o]) for g, o in local_origins(dataset, target).items()))

    linear = (
        (f"AR({LONGEST_LAG}) ridge", ARRidge(LONGEST_LAG, 1.0), "one filter of own lags for all neurons"),
        ("VAR(10) ridge", VARRidge(10, 1.0), "lags of all neurons"),
    )
    tables = [("table", False, "own last voltage in 0.25 mV bins → mean of what followed")]
    if flags:
        tables.append(("table + clamp flags", True, "the table, and whether the neuron is clamped"))
    predictors = [Predictor("persistence", "baseline", persistence, "the last voltage again", lambda: FREE)]
    for name, model, note in linear:
        meter = Meter()
        predictors.append(Predictor(name, "baseline", _linear(dataset, config, model, meter), note, meter.cost))
    for name, flagged, note in tables:
        meter = Meter()
        predictors.append(Predictor(name, "baseline", _table(dataset, meter, flags=flagged), note, meter.cost))
    return predictors + rivals(dataset, config)


def _linear(dataset: VoltageData, config: CnnLstmConfig, model: ARRidge | VARRidge, meter: Meter) -> Any:
    fitted: dict[int, Any] = {}

    def predict(target: Target) -> Prediction | None:
        if not dataset.usable("train"):
            return None
        normal = dataset.normalisation
        if not fitted:  # once, at the first target, for all horizons
            horizons = horizon_steps(dataset, config)
            with meter.fitting():
                models = model.fit_horizons((normal.z(dataset.volts(g)) for g in dataset.usable("train")), horizons)
            fitted.update(zip(horizons, models, strict=True))
            meter.parameters = sum(np.asarray(m.coefficients).size + np.asarray(m.intercept).size for m in models)
        forecast = fitted[target.horizon_steps].predict
        return Prediction(
            Scratch.of(
                (g, normal.restore(forecast(normal.z(dataset.volts(g)))[o]))
                for g, o in local_origins(dataset, target).items()
            )
        )

    return predict


def _table(dataset: VoltageData, meter: Meter, *, flags: bool) -> Any:
    def predict(target: Target) -> Prediction | None:
        if not dataset.usable("train"):
            return None
        table = TableForecast(flags=flags, rest_mv=dataset.reset_mv, clamp_mv=dataset.reset_tolerance_mv)
        with meter.fitting():
            table.fit((dataset.volts(g) for g in dataset.usable("train")), target.horizon_steps)
        meter.parameters += table.parameters
        origins = local_origins(dataset, target)
        return Prediction(Scratch.of((g, table.predict(dataset.volts(g))[o]) for g, o in origins.items()))

    return predict


def ceiling(dataset: VoltageData, config: CnnLstmConfig) -> Predictor | NoCeiling:
    """The mean over simulated branches from the full state: an upper bound, since no voltage at 1 ms tells that state."""
    from neurocli_cnn_lstm.simulation.oracle import forecast
    from neurocli_cnn_lstm.simulation.oracle_exact import applies, exact_forecast

    parameters, reason = full_state(dataset)
    if parameters is None:
        return NoCeiling(reason)
    horizons = horizon_steps(dataset, config)

    def means(number: int, group: str, origins: NDArray[np.int64], steps: list[int], branches: int) -> NDArray[Any]:
        recording = dataset.recordings[group]
        # Compiled code reads the spikes, and does not look whether a neuron is one of the network's.
        if recording.spikes is None or recording.spikes.channel.max(initial=0) >= parameters.neurons:
            raise DataError(
                f"the spikes are not those of {parameters.neurons} neurons",
                where=dataset.recordings.where(group),
                hint="simulate the run again",
            )
        weights = wiring(dataset, group, parameters.neurons)
        state = parameters, weights, recording.signal, recording.spikes.step, recording.spikes.channel
        ahead = [step * dataset.dt_ms for step in steps]
        if len(steps) > 1 or not applies(parameters, ahead[0]):
            return forecast(*state, origins, ahead, branches, ORACLE_SEED + number)[0]
        mean = exact_forecast(*state, origins, ahead[0])
        inexact = np.isnan(mean)
        rows = inexact.any(1)
        if rows.any():
            branched = forecast(*state, origins[rows], ahead, branches, ORACLE_SEED + number)[0][0]
            mean[inexact] = branched[inexact[rows]]
        return mean[None]

    longer_horizons: dict[str, tuple[NDArray[np.int64], NDArray[Any]]] = {}  # longer horizons read the same branches

    def predict(target: Target) -> Prediction:
        values = Scratch()
        for number, (group, origins) in enumerate(target.origins.items()):
            if target.horizon_steps == horizons[0]:
                values.keep(group, means(number, group, origins, horizons[:1], config.evaluate.oracle_branches)[0])
                continue
            if group not in longer_horizons or not np.array_equal(longer_horizons[group][0], origins):
                longer_horizons[group] = (
                    origins,
                    means(number, group, origins, horizons[1:], config.evaluate.probe_branches),
                )
            values.keep(group, longer_horizons[group][1][horizons[1:].index(target.horizon_steps)])
        return Prediction(values)

    return Predictor("full-state oracle", "ceiling", predict, UPPER_BOUND)


def full_state(dataset: VoltageData) -> tuple[BrunelConfig | None, str]:
    """The parameters of the network where its full state is known, else None and why it is not."""
    parameters = parameters_of(dataset.recordings)
    if parameters is None:
        return None, "the data do not come from our simulator, so their full state and wiring are unknown"
    first = dataset.recordings[dataset.recordings.groups[0]]
    if first.num_channels != parameters.neurons:
        return None, f"only {first.num_channels} of {parameters.neurons} neurons are recorded"
    if first.spikes is None:
        return None, "the spikes are not recorded"
    return parameters, ""


def wiring(dataset: VoltageData, group: str, neurons: int) -> NDArray[np.float64]:
    """True weights [post, pre] in mV of the network that a run was simulated on. Raises DataError."""
    return _weights(dataset, group, list(range(neurons)), neurons)


def wiring_of_recorded(dataset: VoltageData, group: str) -> NDArray[np.float64]:
    """True weights [post, pre] in mV between the neurons that were recorded, of a network that may have more. Raises DataError."""
    parameters = parameters_of(dataset.recordings)
    if parameters is None:
        return wiring(dataset, group, int(dataset.spec["num_channels"]))
    return _weights(dataset, group, parameters.recorded, parameters.neurons)


def _weights(dataset: VoltageData, group: str, chosen: list[int], neurons: int) -> NDArray[np.float64]:
    """Weights [post, pre] among `chosen` neurons of a network of so many."""
    from neurocli_cnn_lstm.simulation.reference_loop import weights_from

    truth = dataset.recordings[group].truth or dataset.recordings.truth
    place = np.full(neurons, -1)
    place[chosen] = np.arange(len(chosen))
    try:
        pre, post = place[truth["pre"]], place[truth["post"]]
        among = (pre >= 0) & (post >= 0)
        weight = np.broadcast_to(truth["weight_mv"], pre.shape)[among]
        return weights_from(pre[among], post[among], weight, len(chosen))
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"the wiring is not that of {neurons} neurons: {error}",
            where=dataset.recordings.where(group),
            hint="simulate it again",
        ) from None
