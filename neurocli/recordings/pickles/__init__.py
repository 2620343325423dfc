"""Pickles that others wrote, read without executing anything in them."""
