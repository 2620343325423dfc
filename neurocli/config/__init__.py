"""Configuration: typed sections, layered values, and where each value came from."""

from neurocli.config.resolve import Resolved, resolve
from neurocli.config.sections import EvaluateSection, FamilyConfig, Section, TrainConfig

__all__ = ["EvaluateSection", "FamilyConfig", "Resolved", "Section", "TrainConfig", "resolve"]
