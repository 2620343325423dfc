"""sequences: published sets of images, time series, texts and long sequences, for any sequence model. Cards only; the code loads on demand."""

from neurocli.plugin import DownloadCard, ModelCard, ReaderCard, SimulatorCard, TaskCard, hookimpl

_READERS = "neurocli_sequences.data.readers"
_ARENA = "Tay et al. (2021), arXiv:2011.04006"
_DOWNLOADS = "neurocli_sequences.data.downloads"


@hookimpl
def neurocli_register_models() -> list[ModelCard]:
    return [
        ModelCard(
            name="lstm",
            family="sequences",
            summary="Long short-term memory with a linear readout: a reference for any sequence model",
            implementation="neurocli_sequences.family:Lstm",
            source="Hochreiter & Schmidhuber (1997), Neural Computation 9:1735",
            task="listops",
            simulator="listops",
        ),
        ModelCard(
            name="gru",
            family="sequences",
            summary="Gated recurrent units with a linear readout: a reference for any sequence model",
            implementation="neurocli_sequences.family:Gru",
            source="Cho et al. (2014), arXiv:1406.1078",
            task="listops",
            simulator="listops",
        ),
        ModelCard(
            name="linear",
            family="sequences",
            summary="Leaky sums of the inputs with many time constants, and a linear readout: what needs no bend",
            implementation="neurocli_sequences.family:LinearModel",
            task="listops",
            simulator="listops",
        ),
    ]


@hookimpl
def neurocli_register_tasks() -> list[TaskCard]:
    images, tokens = "neurocli_sequences.image_tasks", "neurocli_sequences.token_tasks"
    return [
        TaskCard(
            name="digits",
            summary="scikit-learn's handwritten digits, 8 x 8 pixels; nothing to download",
            implementation=f"{images}:Digits",
            source="Alpaydin & Kaynak (1998), UCI Machine Learning Repository",
        ),
        TaskCard(
            name="mnist",
            summary="MNIST: handwritten digits, 28 x 28 pixels",
            implementation=f"{images}:Mnist",
            source="LeCun et al. (1998), Proc. IEEE 86:2278",
        ),
        TaskCard(
            name="fashion-mnist",
            summary="Fashion-MNIST: ten kinds of clothing, 28 x 28 pixels",
            implementation=f"{images}:FashionMnist",
            source="Xiao, Rasul & Vollgraf (2017), arXiv:1708.07747",
        ),
        TaskCard(
            name="cifar10",
            summary="CIFAR-10: ten classes of colour images, 32 x 32 pixels",
            implementation=f"{images}:Cifar10",
            source="Krizhevsky (2009)",
        ),
        TaskCard(
            name="cifar100",
            summary="CIFAR-100: a hundred classes of colour images, 32 x 32 pixels",
            implementation=f"{images}:Cifar100",
            source="Krizhevsky (2009)",
        ),
        TaskCard(
            name="lra-image",
            summary="CIFAR-10 in grey, a pixel a step: 1,024 steps (Long Range Arena)",
            implementation=f"{images}:GreyCifar10",
            source=_ARENA,
        ),
        TaskCard(
            name="pathfinder",
            summary="Whether a dashed path connects two circles, a pixel a step: 1,024 steps (Long Range Arena); generated without data",
            implementation=f"{images}:Pathfinder",
            simulator="pathfinder",
            source="Linsley et al. (2018), arXiv:1805.08315",
        ),
        TaskCard(
            name="timeseries",
            summary="Class of a time series, or a number, as in the UEA and Monash archives (.ts)",
            implementation="neurocli_sequences.series_task:SeriesTask",
            source="Bagnall et al. (2018), arXiv:1811.00075; Tan et al. (2021)",
        ),
        TaskCard(
            name="listops",
            summary="The digit that nested operations on digits come to; generated without data",
            implementation=f"{tokens}:ListOpsTask",
            simulator="listops",
            source="Nangia & Bowman (2018), arXiv:1804.06028",
        ),
        TaskCard(
            name="lra-text",
            summary="Film reviews, positive or negative, in bytes: up to 4,096 steps (Long Range Arena)",
            implementation=f"{tokens}:DocumentTask",
            source=_ARENA,
        ),
        TaskCard(
            name="lra-retrieval",
            summary="Whether one of two papers cites the other, in bytes: up to 2 x 4,000 steps (Long Range Arena)",
            implementation=f"{tokens}:PairsTask",
            source=_ARENA,
        ),
        TaskCard(
            name="text",
            summary="The next character of a text, or of a folder of texts",
            implementation="neurocli_sequences.text_task:TextTask",
        ),
        TaskCard(
            name="wikitext-2",
            summary="The next word of WikiText-2: two million words of Wikipedia",
            implementation="neurocli_sequences.text_task:WikiText2",
            source="Merity et al. (2017), arXiv:1609.07843",
        ),
        TaskCard(
            name="wikitext-103",
            summary="The next word of WikiText-103: a hundred million words of Wikipedia",
            implementation="neurocli_sequences.text_task:WikiText103",
            source="Merity et al. (2017), arXiv:1609.07843",
        ),
    ]


@hookimpl
def neurocli_register_readers() -> list[ReaderCard]:
    # Texts are read where a task asks for them (`data.readers.text:TextReader`): nearly any file is a text.
    return [
        ReaderCard(
            name="idx",
            summary="MNIST and Fashion-MNIST: IDX files of images and labels, plain or .gz",
            implementation=f"{_READERS}.idx:IdxReader",
            suffixes=("-ubyte", "-ubyte.gz"),
        ),
        ReaderCard(
            name="cifar",
            summary="CIFAR-10 and CIFAR-100 as published: the python and the binary version, packed or as a folder",
            implementation=f"{_READERS}.cifar:CifarReader",
            suffixes=("-python.tar.gz", "-binary.tar.gz"),
        ),
        ReaderCard(
            name="series",
            summary="Time series of the UEA, UCR and Monash archives, classification and regression, .ts or .zip as published",
            implementation=f"{_READERS}.series:SeriesReader",
            suffixes=(".ts",),
        ),
        ReaderCard(
            name="listops",
            summary="ListOps of the Long Range Arena, basic_*.tsv",
            implementation=f"{_READERS}.listops:ListOpsReader",
            suffixes=(".tsv",),
        ),
        ReaderCard(
            name="pairs",
            summary="Pairs of papers (AAN) of the Long Range Arena, new_aan_pairs.*.tsv",
            implementation=f"{_READERS}.pairs:PairsReader",
            suffixes=(".tsv",),
        ),
        ReaderCard(
            name="pathfinder",
            summary="Pathfinder of the Long Range Arena: a folder with imgs and metadata",
            implementation=f"{_READERS}.pathfinder:PathfinderReader",
        ),
    ]


@hookimpl
def neurocli_register_downloads() -> list[DownloadCard]:
    about = {
        "mnist": "MNIST: 60,000 handwritten digits to train on and 10,000 to test on, 28 x 28",
        "fashion-mnist": "Fashion-MNIST: as MNIST, of ten kinds of clothing",
        "cifar10": "CIFAR-10: 50,000 colour images to train on and 10,000 to test on, 32 x 32, ten classes",
        "cifar100": "CIFAR-100: as CIFAR-10, a hundred classes",
        "wikitext-2": "WikiText-2: two million words of Wikipedia, in three parts",
        "wikitext-103": "WikiText-103: a hundred million words of Wikipedia, in three parts",
        "imdb": "IMDB: 25,000 film reviews to train on and 25,000 to test on, positive and negative",
        "lra": "Long Range Arena: ListOps, pairs of papers, Pathfinder; one archive of 7.7 GB",
        "japanese-vowels": "JapaneseVowels: nine speakers, 12 channels, 270 utterances to train on and 370 to test on",
        "basic-motions": "BasicMotions: four activities, 6 channels, 40 to train on and 40 to test on",
        "covid3month": "Covid3Month: regression, 84 days of cases, 140 countries to train on and 61 to test on",
    }
    return [
        DownloadCard(
            name=name,
            summary=summary,
            implementation=f"{_DOWNLOADS}:{name.replace('-', '_').upper()}",
        )
        for name, summary in about.items()
    ]


@hookimpl
def neurocli_register_simulators() -> list[SimulatorCard]:
    return [
        SimulatorCard(
            name="listops",
            summary="Expressions of nested lists (minimum, maximum, median, sum); one run is one expression, its label the value",
            implementation="neurocli_sequences.simulation.listops_simulator:ListOpsSimulator",
            source="Nangia & Bowman (2018), arXiv:1804.06028; Tay et al. (2021), arXiv:2011.04006",
            runs=2000,
        ),
        SimulatorCard(
            name="pathfinder",
            summary="Images of two dashed paths among distractors; one run is one image, its label whether a path joins the circles",
            implementation="neurocli_sequences.simulation.pathfinder_simulator:PathfinderSimulator",
            source="Linsley et al. (2018), arXiv:1805.08315; Tay et al. (2021), arXiv:2011.04006",
            runs=2000,
        ),
    ]
