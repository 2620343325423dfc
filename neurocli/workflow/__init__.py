"""What every command does, as functions that return values: one file per verb. The Python API is this room."""
