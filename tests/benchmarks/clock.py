"""CPU time of a call, its child processes included: what a busy machine changes least."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable


def cpu_seconds() -> float:
    """CPU seconds of this process and of its finished children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usages)


def median_cpu(call: Callable[[], object], repeats: int = 3) -> float:
    """Median CPU seconds of a call."""
    times = []
    for _ in range(repeats):
        before = cpu_seconds()
        call()
        times.append(cpu_seconds() - before)
    return statistics.median(times)
