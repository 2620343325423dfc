"""What is scored, and what it is held against."""
