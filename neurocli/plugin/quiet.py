"""Keep stdout clean while a stranger's code runs: stdout belongs to the result."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def captured_stdout() -> Iterator[Callable[[], str]]:
    """Catch what is printed on stdout, through Python or straight on file descriptor 1.

    Yields a function that gives the text; call it after the block.
    """
    text = io.StringIO()
    raw = bytearray()
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)  # a plugin that prints more than a pipe holds must not hang us
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:  # started with stdout closed: only Python's own stdout can be caught
        saved = None
    else:
        os.dup2(write_end, 1)
    os.close(write_end)
    try:
        with contextlib.redirect_stdout(text):
            yield lambda: (text.getvalue() + raw.decode(errors="replace")).strip()
    finally:
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(read_end, 65536):
                raw += chunk
        os.close(read_end)
