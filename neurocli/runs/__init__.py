"""Runs on disk: atomic files, the layout of a run folder, its lock and its provenance."""
