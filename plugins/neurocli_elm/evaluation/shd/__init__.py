"""What is scored of spoken digits."""
