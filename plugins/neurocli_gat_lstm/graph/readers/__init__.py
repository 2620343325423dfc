"""One file a format of connectomes."""
