"""What it took to fit something that forecasts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """CPU-seconds of the fit, and how many numbers were fitted; None where that is not known."""

    cpu_s: float | None = None
    parameters: int | None = None
