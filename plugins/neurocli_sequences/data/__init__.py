"""Files that others published, and what becomes of them."""
