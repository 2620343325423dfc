"""Where recordings come from: files, runs, simulators; and what a run may be asked about."""
