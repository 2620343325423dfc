"""Commands of all families in tiny worlds, which are hit by signals and faults, again and again, and must end in the same bytes."""
