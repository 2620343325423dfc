"""Targets, metrics, baselines, the ceiling and exhibits."""
