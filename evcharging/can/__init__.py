"""The CAN bus between an engine and its charger."""
