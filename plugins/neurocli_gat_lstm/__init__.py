"""gat_lstm: graph attention over the C. elegans connectome, then an LSTM, forecasts calcium. Cards only; the code loads on demand."""

from neurocli.plugin import ModelCard, ReaderCard, SimulatorCard, hookimpl

_SOURCE = "github.com/GlebRazgar/Worm_Arena; Velickovic et al. (2018), ICLR"


@hookimpl
def neurocli_register_models() -> list[ModelCard]:
    return [
        ModelCard(
            name="gat-lstm-v1",
            family="gat_lstm",
            summary="As published: three graph-attention layers over the connectome, a two-layer LSTM and an MLP",
            implementation="neurocli_gat_lstm.family:GatLstmV1",
            simulator="celegans",
            source=_SOURCE,
        ),
        ModelCard(
            name="gat-lstm-v2",
            family="gat_lstm",
            summary="A linear path over the connectome's edges, corrected by graph attention and an LSTM, trained on rollouts",
            implementation="neurocli_gat_lstm.family:GatLstmV2",
            simulator="celegans",
            source=_SOURCE,
        ),
        ModelCard(
            name="gat-lstm-v3",
            family="gat_lstm",
            summary="Linear paths over all pairs of neurons, corrected at each horizon by graph attention and an LSTM",
            implementation="neurocli_gat_lstm.family:GatLstmDirect",
            simulator="celegans",
            source=_SOURCE,
        ),
    ]


@hookimpl
def neurocli_register_simulators() -> list[SimulatorCard]:
    return [
        SimulatorCard(
            name="celegans",
            summary="Calcium of a graded-potential network on the C. elegans connectome, with known truth; one run is one worm",
            implementation="neurocli_gat_lstm.simulation.simulator:CelegansSimulator",
            source="Kunert, Shlizerman & Kutz (2014), Phys. Rev. E 89:052805; Kato et al. (2015), Cell 163:656",
            runs=20,
        )
    ]


@hookimpl
def neurocli_register_readers() -> list[ReaderCard]:
    def card(
        name: str, summary: str, implementation: str, suffix: str, *, package: str = "", extra: str = ""
    ) -> ReaderCard:
        return ReaderCard(
            name=name,
            summary=summary,
            implementation=f"neurocli_gat_lstm.data.readers.{implementation}",
            suffixes=(suffix,),
            packages=(package,) if package else (),
            extra=extra,
        )

    return [
        card(
            "zimmer-mat",
            "Whole-brain calcium of the Zimmer laboratory, MATLAB v5 or v7.3",
            "zimmer:ZimmerMatReader",
            ".mat",
        ),
        card("wormwideweb", "WormWideWeb JSON (Atanas, Kim et al. 2023)", "wormwideweb:WormWideWebJsonReader", ".json"),
        card("wormwideweb-h5", "WormWideWeb HDF5", "wormwideweb_hdf5:WormWideWebHdf5Reader", ".h5"),
        card(
            "worm-nwb",
            "NWB: one series per neuron, or ROI responses (extra: nwb)",
            "nwb:WormNwbReader",
            ".nwb",
            package="pynwb",
            extra="nwb",
        ),
        card(
            "worm-parquet",
            "celegans_neural_data, one row per neuron (extra: worm)",
            "parquet:QsimeonParquetReader",
            ".parquet",
            package="pyarrow",
            extra="worm",
        ),
    ]
