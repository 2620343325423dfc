"""The steps of the contract, by subject."""
