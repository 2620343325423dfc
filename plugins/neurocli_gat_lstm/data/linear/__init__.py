"""Linear paths: sums over worms, penalties, coefficients."""
