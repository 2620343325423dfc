"""Files that others wrote or will read: HDF5, NWB, text; and one budget for what any of them may become in memory."""
