"""Kafka on this machine: the embedded broker as a service, and Apache Kafka from its jars for tests."""
