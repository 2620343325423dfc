"""cnn_lstm: forecasts the membrane voltage of a Brunel network, 1 ms ahead. Cards only; the code loads on demand."""

from neurocli.plugin import ModelCard, ReaderCard, SimulatorCard, hookimpl

_SOURCE = "github.com/balazsthomay/neuron-voltage-forecasting; Brunel (2000), J. Comput. Neurosci. 8:183"


@hookimpl
def neurocli_register_models() -> list[ModelCard]:
    return [
        ModelCard(
            name="cnn-lstm-v1",
            family="cnn_lstm",
            summary="The published CNN-LSTM: time steps as convolution channels, then a two-layer LSTM",
            implementation="neurocli_cnn_lstm.family:CnnLstmV1",
            simulator="brunel",
            source=_SOURCE,
        ),
        ModelCard(
            name="cnn-lstm-v2",
            family="cnn_lstm",
            summary="Synapses as a causal convolution over time, then one membrane LSTM that all neurons share",
            implementation="neurocli_cnn_lstm.family:CnnLstmV2",
            simulator="brunel",
            source=_SOURCE,
        ),
    ]


@hookimpl
def neurocli_register_simulators() -> list[SimulatorCard]:
    return [
        SimulatorCard(
            name="brunel",
            summary="Brunel network of excitatory and inhibitory integrate-and-fire neurons, in Brian2",
            implementation="neurocli_cnn_lstm.simulation.simulator:BrunelSimulator",
            source=_SOURCE,
            demo_runs=20,
        )
    ]


@hookimpl
def neurocli_register_readers() -> list[ReaderCard]:
    return [
        ReaderCard(
            name="brunel-dat",
            summary="The published text files: run_N_voltages.dat with run_N_spikes.dat beside it",
            implementation="neurocli_cnn_lstm.data.readers.dat:BrunelDatReader",
            suffixes=(".dat",),
        )
    ]
