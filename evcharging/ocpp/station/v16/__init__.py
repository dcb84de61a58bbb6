"""What a station says and answers in OCPP 1.6J; nothing outside this package knows a key or a payload of 1.6."""
