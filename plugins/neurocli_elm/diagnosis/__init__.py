"""What is wrong with the data or with a trained model, one file per subject."""
