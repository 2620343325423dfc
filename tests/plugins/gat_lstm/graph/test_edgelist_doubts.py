"""Edge lists whose numbers are read and may mean something else: doubted, or refused where they cannot be numbers of synapses."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.graph.readers.edgelist import read_edge_list

ROWS = [("AVAL", "AVAR", 5), ("AVAR", "AVAL", 3), ("AVAL", "AVBL", 7), ("AVBL", "AVBR", 2), ("RIML", "AVAL", 4)]


def table(folder: Path, header: str, line: str, weights: list[object]) -> Path:
    path = folder / "edges.csv"
    rows = [line.format(pre, post, weight) for (pre, post, _), weight in zip(ROWS, weights, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def doubts(path: Path) -> str:
    return "; ".join(read_edge_list(path).doubts)


def test_weights_that_are_not_whole_are_a_doubt(tmp_path):
    path = table(tmp_path, "pre,post,weight", "{},{},{}", [0.5 + weight for *_, weight in ROWS])
    assert "5 of 5 chemical weights are not whole" in doubts(path)


@pytest.mark.parametrize(("weight", "is_doubtful"), [(255, True), (1, False)])
def test_one_weight_for_all_is_a_doubt_unless_it_is_1(weight, is_doubtful, tmp_path):
    assert bool(doubts(table(tmp_path, "pre,post,weight", "{},{},{}", [weight] * 5))) == is_doubtful


def test_several_animals_in_one_table_are_a_doubt(tmp_path):
    path = table(tmp_path, "pre,post,synapses,dataset", "{},{},{},one", [weight for *_, weight in ROWS])
    assert not doubts(path)
    with path.open("a") as file:
        file.writelines(f"{pre},{post},{weight + 1},two\n" for pre, post, weight in ROWS)
    assert "several kinds by the column dataset" in doubts(path)


@pytest.mark.parametrize("text", ["1_5", "5%", "0x5"])
def test_what_only_looks_like_a_number_is_none(text, tmp_path):
    with pytest.raises(DataError, match="not a number"):
        read_edge_list(table(tmp_path, "pre,post,weight", "{},{},{}", [text] * 5))


def test_numbers_that_differ_are_weights_and_those_that_rise_by_one_number_the_lines(tmp_path):
    with pytest.raises(DataError, match="numbers under another name: sections"):
        read_edge_list(table(tmp_path, "pre,post,sections", "{},{},{}", [weight for *_, weight in ROWS]))
    assert read_edge_list(table(tmp_path, "pre,post,row", "{},{},{}", [1, 2, 3, 4, 5])).chemical.max() == 1
