"""Central's database, ``simulator.db``: charge points, requests, sessions, tariffs, inbox and outbox."""
