"""A station's end of OCPP 2.0.1, over the version-free core."""
