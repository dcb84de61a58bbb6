"""A swarm worker: runs the simulated stations of its partitions against a CSMS, and hands them over when they move."""
