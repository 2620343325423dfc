"""Options of the models and tasks of sequences. Times are in steps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurocli.config import EvaluateSection, FamilyConfig, Section, SplitSection, TrainConfig

Pooling = Literal["last", "mean", "max", "attention"]


class LinearOptions(Section):
    """A linear network: leaky sums of the inputs, read out at every step."""

    traces: int = Field(
        16, ge=1, le=1024, description="leaky sums of each input, of time constants spread evenly in the logarithm"
    )
    shortest: float = Field(1.0, gt=0, description="shortest time constant, steps")
    longest: float | None = Field(
        None, gt=0, description="longest time constant, steps; unset: the longest training sequence"
    )


class RecurrentOptions(Section):
    """A recurrent network of gated units (LSTM or GRU), read out at every step."""

    hidden: int = Field(64, ge=1, le=65_536, description="units of a layer")
    layers: int = Field(1, ge=1, le=16, description="layers")
    match: str | None = Field(
        None,
        description="a model whose number of parameters, with its options for the task, `hidden` is chosen to match",
    )


class CaseSection(SplitSection):
    """How cases are dealt out where the files tell training from test: what chooses the epoch is cut from the training cases."""

    validation: float = Field(0.1, gt=0, lt=1, description="share of the training cases that choose the best epoch")
    most: int | None = Field(None, ge=8, description="training cases to use, evenly chosen; unset: all")


class ReadoutSection(Section):
    """How a sequence is read."""

    pooling: Pooling = Field(
        "last",
        description="where the output is read; last: at the last step; mean, max: over all steps; attention: a learned weighted mean",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target's probability that is spread over all classes"
    )


class ImageSection(ReadoutSection):
    """How an image becomes a sequence, and how that is read."""

    order: Literal["rows", "pixels", "columns", "permuted", "snake", "spiral", "hilbert", "patches"] = Field(
        "rows",
        description="rows: a row of pixels a step; patches: a square of pixels a step; the others: a pixel a step, in that order",
    )
    patch: int = Field(7, ge=1, description="pixels along a side of a patch")
    order_seed: int = Field(0, ge=0, description="seed of the order `permuted`")


class SeriesSection(ReadoutSection):
    """How a time series becomes a sequence, and how that is read."""

    chunk: int = Field(1, ge=1, description="steps of the series that are one step of the sequence")


class TokenSection(ReadoutSection):
    """How a text is cut into tokens, and how their sequence is read."""

    embedding: int = Field(64, ge=1, le=65_536, description="size of a token's vector")
    longest: int | None = Field(None, ge=2, description="tokens after which a text is cut; unset: it never is")


class BytesSection(TokenSection):
    """The same of text in characters."""

    tokens: Literal["byte", "character", "word"] = Field("character", description="what a text is cut into")
    least_count: int = Field(1, ge=1, description="times that a token occurs in the training texts, or is unknown")
    largest: int | None = Field(None, ge=5, description="most tokens of the vocabulary; unset: all")


class TextSection(Section):
    """How texts are cut into tokens and windows."""

    tokens: Literal["byte", "character", "word"] = Field("character", description="what a text is cut into")
    least_count: int = Field(1, ge=1, description="times that a token occurs in the training texts, or is unknown")
    largest: int | None = Field(None, ge=5, description="most tokens of the vocabulary; unset: all")
    embedding: int = Field(32, ge=1, le=65_536, description="size of a token's vector")
    window: int = Field(128, ge=2, description="tokens of a training window")
    context: int = Field(64, ge=0, description="tokens before a scored stretch that the model reads first")
    burn_in: int = Field(8, ge=0, description="first tokens of a training window without loss")


_TRAIN = TrainConfig(epochs=8, batch_size=128, learning_rate=6e-3, schedule="cosine", warmup=0.1, gradient_clip=1.0)


class CaseConfig(FamilyConfig):
    """Options of a task of cases, without those of a network."""

    data: CaseSection = CaseSection()
    task: ReadoutSection = ReadoutSection()
    train: TrainConfig = _TRAIN
    evaluate: EvaluateSection = EvaluateSection()


class ImageConfig(CaseConfig):
    task: ImageSection = ImageSection()


class SmallImageConfig(ImageConfig):
    """Options of the task digits, of which there are few."""

    train: TrainConfig = _TRAIN.model_copy(update={"epochs": 60, "batch_size": 64})


class PixelConfig(ImageConfig):
    task: ImageSection = ImageSection(order="pixels")


class SeriesConfig(CaseConfig):
    task: SeriesSection = SeriesSection()
    train: TrainConfig = _TRAIN.model_copy(update={"epochs": 60, "batch_size": 16})


class ListOpsConfig(CaseConfig):
    task: TokenSection = TokenSection()


class DocumentConfig(CaseConfig):
    task: BytesSection = BytesSection(longest=4096, least_count=15, pooling="mean")


class PairsConfig(DocumentConfig):
    task: BytesSection = BytesSection(longest=4000, pooling="mean")


class TextConfig(FamilyConfig):
    """Options of the prediction of the next token, without those of a network."""

    data: SplitSection = SplitSection(validation=0.1, test=0.25)  # three of twelve files: fewer give no interval
    task: TextSection = TextSection()
    train: TrainConfig = _TRAIN.model_copy(update={"epochs": 10, "batch_size": 64})
    evaluate: EvaluateSection = EvaluateSection()


class WikiTextConfig(TextConfig):
    """The same of texts in words."""

    task: TextSection = TextSection(tokens="word", largest=10_000, embedding=128, window=64, context=32)
