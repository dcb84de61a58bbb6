"""What was: station logs, energy snapshots, alerts and OCPP frames, written by Central's recorder alone."""
