"""MATLAB files of version 5 and 7.3: numbers, texts, structs and cells, with every size checked before it is believed."""

from neurocli.recordings.matlab.classes import NUMERIC
from neurocli.recordings.matlab.value import MatValue
from neurocli.recordings.matlab.variables import MatVariables, holds, names_in, open_mat

__all__ = ["NUMERIC", "MatValue", "MatVariables", "holds", "names_in", "open_mat"]
