"""neurocli: simulate, preprocess, train, diagnose, evaluate and interpret models of neural activity.

>>> import neurocli
>>> run = neurocli.train("gat-lstm", data="worms.h5", preset="quick", options={"max_steps": 2})
>>> result = neurocli.evaluate(run)
>>> print(result.verdict)
S (1 - MSE/MSE of persistence), ... ahead: gat-lstm-v3 ...; best baseline: ...

What stands here is loaded when it is used.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neurocli.workflow.compare import compare
    from neurocli.workflow.data.sources import open_recordings
    from neurocli.workflow.diagnose import diagnose
    from neurocli.workflow.evaluate import evaluate
    from neurocli.workflow.interpret import interpret
    from neurocli.workflow.preprocess import preprocess
    from neurocli.workflow.run import Run, load_run
    from neurocli.workflow.simulate import simulate
    from neurocli.workflow.train import resume, train

_PLACES = {
    "Run": "run",
    "compare": "compare",
    "diagnose": "diagnose",
    "evaluate": "evaluate",
    "interpret": "interpret",
    "load_run": "run",
    "open_recordings": "data.sources",
    "preprocess": "preprocess",
    "resume": "train",
    "simulate": "simulate",
    "train": "train",
}
"""Public name → the file of `neurocli.workflow` that holds it."""

__all__ = [
    "Run",
    "compare",
    "diagnose",
    "evaluate",
    "interpret",
    "load_run",
    "open_recordings",
    "preprocess",
    "resume",
    "simulate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from neurocli.threads import one_thread_by_default

    one_thread_by_default()
    value = getattr(import_module(f"neurocli.workflow.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
