"""Everything on one machine: each service as a process of its own, started, watched, restarted and stopped in order."""
