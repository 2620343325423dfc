"""What a trained model has learned, held against what is known."""
