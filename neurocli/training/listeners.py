"""Tell plugins of the life of a run; one that fails is noted and never stops the training."""

from __future__ import annotations

import logging
from typing import Any

from neurocli.plugin.quiet import captured_stdout

log = logging.getLogger("neurocli.training")


def tell(hook: Any, event: str, **values: Any) -> None:
    """Call every listener of the hook `neurocli_<event>`, each on its own; `hook` is a pluggy relay or None."""
    caller = getattr(hook, f"neurocli_{event}", None)
    if caller is None:
        return
    for listener in caller.get_hookimpls():
        try:
            with captured_stdout():  # stdout is the result's
                listener.function(*(values[name] for name in listener.argnames))
        except Exception as error:
            log.warning("listener %s failed at %s: %s: %s", listener.plugin_name, event, type(error).__name__, error)
