"""OCPP-J on both sides of a socket: frames, schemas, calls and the simulated stations. Knows no Kafka and no CAN."""
