"""An electric-vehicle charging network in a box: charge points, CSMS and drivers over Kafka, CAN, MQTT and OCPP."""
