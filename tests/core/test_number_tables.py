"""Tables of numbers in text: how they are written is found out, and what is no number is named with line and column."""

from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings.files.tables import read_ends, read_numbers, read_table

VALUES = [[0.0, -60.5], [0.5, -61.25], [1.0, -59.0]]


@pytest.mark.parametrize(
    ("text", "header", "lines"),
    [
        ("0 -60.5\n.5 -61.25\n1 -59\n", (), [1, 2, 3]),
        ("t;v\n0;-60,5\n0,5;-61,25\n1;-59\n", ("t", "v"), [2, 3, 4]),
        ("# t v\n0,0 -60,5\n\n0,5 -61,25\n1,0 -59,0\n", ("t", "v"), [2, 4, 5]),
        ("t\tv\nms\tmV\n0\t-60.5\n0.5\t-61.25\n1\t-59\t\n"[:-2] + "\n", ("t ms", "v mV"), [3, 4, 5]),
        ("0,-60.5,\n0.5,-61.25,\n1,-59,\n", (), [1, 2, 3]),
        ("0 -6.05D+01\n5.0D-01 -61.25\n1 -59 % the end\n\x1a", (), [1, 2, 3]),
        ('"0","\u221260.5"\n"0.5","\u221261.25"\n"1","\u221259"\n', (), [1, 2, 3]),
    ],
)
def test_one_table_in_many_hands(tmp_path: Path, text: str, header: tuple[str, ...], lines: list[int]) -> None:
    path = tmp_path / "a.dat"
    path.write_text(text, encoding="utf-8")
    table = read_numbers(path, layout="a table")
    np.testing.assert_array_equal(table.values, VALUES)
    assert (table.header, table.lines.tolist()) == (header, lines)
    fast = read_table(path, layout="a table")
    np.testing.assert_array_equal(fast.values, VALUES)
    assert fast.header == header
    ends = read_ends(path)
    assert ends is not None
    np.testing.assert_array_equal(ends[1], VALUES)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("0,1,2\n1,,2\n", 2, "column 2 is empty"),
        ("0\t1\t2\n1\t\t2\n", 2, "column 2 is empty"),
        ("0 1 2\n1 2\n", 2, "2 columns, those before it 3"),
        ("0 1_0\n1 2\n", 1, "column 2 is not a number: '1_0'"),
        ("0 1\n1 ****\n", 2, "column 2 is not a number"),
        ("x 1 2\n0 1 2\n0 7 2\n", None, ""),
        ("first\nsecond\n", 1, "'first'"),
    ],
)
def test_what_is_no_number_is_named(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "a.dat"
    path.write_text(text)
    if line is None:  # words above numbers of columns are a header
        assert read_table(path, layout="a table").header == ("x", "1", "2")
        return
    for read in (read_numbers, read_table):
        with pytest.raises(DataError) as caught:
            read(path, layout="a table")
        assert says in caught.value.message and caught.value.where == f"{path}:{line}"
