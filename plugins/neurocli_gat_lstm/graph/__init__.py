"""The connectome as a graph: readers, names, edges, rewiring."""
