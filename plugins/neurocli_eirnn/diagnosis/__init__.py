"""What is wrong with data or a trained model, one file a subject."""
