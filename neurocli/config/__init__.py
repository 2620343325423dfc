"""Configuration: typed sections, layered values, and where each value came from."""

from neurocli.config.resolve import Resolved, resolve
from neurocli.config.sections import FamilyConfig, Section, TrainConfig

__all__ = ["FamilyConfig", "Resolved", "Section", "TrainConfig", "resolve"]
