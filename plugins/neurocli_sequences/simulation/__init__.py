"""Worlds whose answer is known: nested lists of operations, and paths among distractors."""
