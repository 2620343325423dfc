"""elm: the Expressive Leaky Memory neuron, fitted to simulated cells with known input. Cards only; the code loads on demand."""

from neurocli.plugin import DownloadCard, ModelCard, ReaderCard, SimulatorCard, TaskCard, hookimpl

_SOURCE = "Spieler et al. (2023), arXiv:2306.16922; github.com/AaronSpieler/elmneuron"


@hookimpl
def neurocli_register_models() -> list[ModelCard]:
    return [
        ModelCard(
            name="elm-v1",
            family="elm",
            summary="The published ELM neuron: leaky traces of each synapse, slow memory units, a multi-layer perceptron between them",
            implementation="neurocli_elm.family:ElmV1",
            simulator="dendrite",
            source=_SOURCE,
            task="neuronio",
        ),
        ModelCard(
            name="elm-v2",
            family="elm",
            summary="Branch ELM: the ELM neuron with leaky traces of each dendritic branch",
            implementation="neurocli_elm.family:ElmV2",
            simulator="dendrite",
            source=_SOURCE,
            task="neuronio",
        ),
    ]


@hookimpl
def neurocli_register_tasks() -> list[TaskCard]:
    return [
        TaskCard(
            name="neuronio",
            summary="Soma voltage and output spikes of a simulated cell, from its input spikes",
            implementation="neurocli_elm.neuronio_task:NeuronioTask",
            simulator="dendrite",
            model="elm-v2",
            source="Beniaguev, Segev & London (2021), Neuron 109:2727",
        ),
        TaskCard(
            name="shd",
            summary="Spiking Heidelberg Digits: which digit was spoken, from the spikes of a cochlea",
            implementation="neurocli_elm.shd_task:ShdTask",
            model="elm-v2",
            source="Cramer et al. (2020), zenkelab.org/datasets",
        ),
        TaskCard(
            name="shd-adding",
            summary="Two spoken digits, one after the other: their sum",
            implementation="neurocli_elm.shd_task:ShdAddingTask",
            model="elm-v2",
            source="Spieler et al. (2023), arXiv:2306.16922",
        ),
    ]


@hookimpl
def neurocli_register_simulators() -> list[SimulatorCard]:
    return [
        SimulatorCard(
            name="dendrite",
            summary="A cell like a layer-5 pyramidal one, with NMDA synapses and an active soma; one run is one simulation",
            implementation="neurocli_elm.simulation.simulator:DendriteSimulator",
            source="after Beniaguev, Segev & London (2021), Neuron 109:2727",
            runs=80,
        )
    ]


@hookimpl
def neurocli_register_readers() -> list[ReaderCard]:
    return [
        ReaderCard(
            name="neuronio",
            summary="NeuronIO: simulations of a layer-5 pyramidal cell, sim__*.p, read without executing anything in them",
            implementation="neurocli_elm.data.readers.reader:NeuronIoReader",
            suffixes=(".p",),
        ),
        ReaderCard(
            name="shd",
            summary="Spiking Heidelberg Digits: spoken digits as spikes of a model cochlea, shd_*.h5 or .h5.gz",
            implementation="neurocli_elm.data.readers.shd:ShdReader",
            suffixes=(".h5", ".h5.gz"),
        ),
    ]


@hookimpl
def neurocli_register_downloads() -> list[DownloadCard]:
    return [
        DownloadCard(
            name="shd",
            summary="Spiking Heidelberg Digits: 8,156 spoken digits to train on and 2,264 to test on, as spikes of a model cochlea",
            implementation="neurocli_elm.data.download:DIGITS",
        )
    ]
