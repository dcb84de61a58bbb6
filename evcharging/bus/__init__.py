"""Kafka behind a small protocol, with an in-memory log of the same behaviour."""
