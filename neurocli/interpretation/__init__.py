"""Scores of what a trained model has learned, held against what is known, and the nulls that stand beside them."""
