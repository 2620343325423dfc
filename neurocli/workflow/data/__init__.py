"""Where recordings come from: files, runs, simulators; and which data a run may be scored on."""
