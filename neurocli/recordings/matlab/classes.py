"""MATLAB's classes: which are read, and what to do with the others, in one place for both containers.

Objects (string, table, datetime, ...) lie in a part of the file that MathWorks does not document; what a variable itself
holds are numbers that point there. They are never read as numbers.
"""

from __future__ import annotations

from neurocli.errors import DataError

NUMERIC = frozenset({"double", "single", "logical"} | {f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)})
READ = NUMERIC | {"char", "struct", "cell"}

COMPLEX, FUNCTION, OBJECT = "complex", "function_handle", "object"

_ADVICE = {
    "string": "export it as a cell array of characters (cellstr) or as numbers",
    "categorical": "export it as a cell array of characters (cellstr) or as numbers (double)",
    "datetime": "export it as numbers, such as seconds since the first one (seconds(x - x(1)))",
    "duration": "export it as numbers (seconds(x))",
    "calendarDuration": "export it as numbers (calmonths, caldays)",
    "table": "export it as a struct (table2struct with 'ToScalar', true)",
    "timetable": "export its times as numbers (seconds), and the rest as a struct (table2struct with 'ToScalar', true)",
    "dictionary": "export its keys and its values as two cell arrays",
    "containers.Map": "export its keys and its values as two cell arrays (keys(x), values(x))",
    FUNCTION: "leave it out of the file",
    COMPLEX: "export its real and its imaginary part as two arrays (real(x), imag(x))",
}
_OTHERWISE = "export what is in it as a plain array, struct or cell array"
_ARRAYS = ("string", "categorical", "datetime", "duration", "calendarDuration")


def of_object(stated: str) -> str:
    """The class of an object, as its file names it; `object` where it has no name, or borrows that of numbers or texts."""
    return stated if stated.isprintable() and stated and stated not in READ | {COMPLEX} else OBJECT


def refusal(kind: str, where: str) -> DataError:
    """The error for a value of a class that is never read. where: file and path of the value, as `file.mat:WT.names{2}`."""
    name = where.rpartition(":")[2]
    if kind == COMPLEX:
        message = f"the variable {name} holds complex numbers, which are never read"
    elif kind == FUNCTION:
        message = f"the variable {name} is a MATLAB function handle, which is code and never read"
    elif kind == OBJECT:
        message = f"the variable {name} is a MATLAB object, which only MATLAB can read"
    else:
        what = f"{kind} array" if kind in _ARRAYS else kind if kind in _ADVICE else f"object of the class {kind}"
        message = f"the variable {name} is a MATLAB {what}, which only MATLAB can read"
    return DataError(message, where=where, hint=_ADVICE.get(kind, _OTHERWISE))
