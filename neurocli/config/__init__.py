"""Configuration: typed sections, layered values, and where each value came from."""

from neurocli.config.resolve import Resolved, resolve
from neurocli.config.sections import EvaluateSection, FamilyConfig, Section, SplitSection, TrainConfig

__all__ = ["EvaluateSection", "FamilyConfig", "Resolved", "Section", "SplitSection", "TrainConfig", "resolve"]
