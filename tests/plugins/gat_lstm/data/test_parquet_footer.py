"""The footer of parquet files, read without pyarrow: the same numbers as pyarrow finds, and damage is refused."""

from __future__ import annotations

import random

import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.data.readers.parquet import _footer
from neurocli_gat_lstm.data.readers.parquet_footer import values_of

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def footer(tmp_path) -> bytes:
    """Of a table of 20 rows in 7 groups: a list of k values in row k, and a text with metadata."""
    table = pa.table(
        {"x": [[float(k)] * k for k in range(20)], "name": [f"n{k}" for k in range(20)], "y": [[1.0]] * 20}
    )
    path = tmp_path / "x.parquet"
    parquet.write_table(table.replace_schema_metadata({"a": "b" * 300}), path, row_group_size=3)
    return _footer(path)


def test_the_values_of_the_columns_are_counted_as_pyarrow_counts_them(footer, tmp_path):
    metadata = parquet.read_metadata(tmp_path / "x.parquet")
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    assert len(groups) == 7 and values_of(footer, ("name",), "x") == 20
    assert values_of(footer, ("x",), "x") == sum(group.column(0).num_values for group in groups) == 191
    assert values_of(footer, ("x", "y"), "x") == 211 and values_of(footer, (), "x") == 0


def test_a_damaged_footer_is_refused_or_counted(footer):
    rng, refused = random.Random(0), 0
    for _ in range(2000):
        damaged = bytearray(footer)
        for _ in range(rng.choice((1, 3))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            assert values_of(bytes(damaged[: rng.choice((None, rng.randrange(len(damaged))))]), ("x",), "x") >= 0
        except DataError as error:
            refused += 1
            assert error.where == "x" and error.hint
    assert refused > 500
