"""Metrics, baselines, noise ceilings, intervals, and the scoreboard that joins them."""
