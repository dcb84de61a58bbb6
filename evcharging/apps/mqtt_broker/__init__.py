"""The embedded MQTT broker as a process: a child of ``up``, or alone for per-service runs."""
