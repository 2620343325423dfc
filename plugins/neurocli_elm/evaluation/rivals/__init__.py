"""The rivals: networks with as many parameters as the model."""
