"""The diagnosis of cases and texts."""
