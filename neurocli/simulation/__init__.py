"""Simulation: a plan of groups, run by processes or Dask into shards with a journal, joined into one file."""
