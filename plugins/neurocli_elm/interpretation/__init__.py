"""What a trained model has learned, compared with what is known."""
