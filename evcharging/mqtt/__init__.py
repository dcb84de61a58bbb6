"""MQTT 3.1.1 telemetry, behind a small protocol."""
