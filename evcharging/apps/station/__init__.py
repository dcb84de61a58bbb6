"""One OCPP station on the terminal, over the same CAN charger as an engine's."""
