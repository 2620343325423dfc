"""What is scored, by what, and what it is held against."""
