"""The evaluation of spoken digits."""
