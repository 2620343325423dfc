"""neurocli: simulate, preprocess, train, diagnose, evaluate and interpret models of neural activity."""

__version__ = "0.1.0"
