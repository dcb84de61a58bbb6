"""Load runs: many OCPP stations against any CSMS, in a shape, with thresholds and a report (`evcharging swarm`)."""
