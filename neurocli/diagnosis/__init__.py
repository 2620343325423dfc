"""Findings, and the checks that any model shares."""

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding

__all__ = ["FAIL", "PASS", "WARN", "Finding"]
