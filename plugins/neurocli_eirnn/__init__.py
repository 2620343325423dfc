"""eirnn: a recurrent network under Dale's law, fitted to superior-colliculus sessions. Cards only; the code loads on demand."""

from neurocli.plugin import ModelCard, ReaderCard, SimulatorCard, hookimpl

_SOURCE = "github.com/jamespherman/4factors-rnn-analysis; Song et al. (2016), PLoS Comput. Biol. 12:e1004792"


@hookimpl
def neurocli_register_models() -> list[ModelCard]:
    return [
        ModelCard(
            name="eirnn-v1",
            family="eirnn",
            summary="The published Dale-constrained E-I network: attention input, one scale, PSTH and trial-matching losses",
            implementation="neurocli_eirnn.family:EirnnV1",
            simulator="sc-session",
            source=_SOURCE,
        ),
        ModelCard(
            name="eirnn-v2",
            family="eirnn",
            summary="E-I network with neurons on units of their own type, hidden units, gains per neuron, noise-free targets",
            implementation="neurocli_eirnn.family:EirnnV2",
            simulator="sc-session",
            source=_SOURCE,
        ),
    ]


@hookimpl
def neurocli_register_simulators() -> list[SimulatorCard]:
    return [
        SimulatorCard(
            name="sc-session",
            summary="Session of a saccade task: a teacher E-I network under Dale's law drives Poisson spikes; one run is one trial",
            implementation="neurocli_eirnn.simulation.simulator:ScSessionSimulator",
            source=_SOURCE,
            runs=300,
        )
    ]


@hookimpl
def neurocli_register_readers() -> list[ReaderCard]:
    return [
        ReaderCard(
            name="sc-mat",
            summary="Session export of the saccade task, MATLAB v5 or v7.3: rnn_export_NAME.mat",
            implementation="neurocli_eirnn.data.readers.matfile:SessionMatReader",
            suffixes=(".mat",),
        ),
        ReaderCard(
            name="sc-nwb",
            summary="NWB session: units with neuron_type, trials with event times (extra: nwb)",
            implementation="neurocli_eirnn.data.readers.nwb:SessionNwbReader",
            suffixes=(".nwb",),
            packages=("pynwb",),
            extra="nwb",
        ),
    ]
