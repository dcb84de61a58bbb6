"""Looking into Kafka: which topics there are and what goes over them, decoded. Reads only."""
