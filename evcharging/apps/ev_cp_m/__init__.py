"""CP-Monitor: registers charge points with Central, probes their engine and reports how they do."""
