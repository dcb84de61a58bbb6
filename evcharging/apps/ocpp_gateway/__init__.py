"""The OCPP gateway: chargers connect to it by WebSocket, and appear on the bus as engines do."""
