"""Stations that speak OCPP: a version-free core, and one package beside it for each version of the protocol."""
