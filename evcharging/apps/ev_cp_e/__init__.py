"""The engine of charge points: carries out Central's commands on chargers over CAN and meters their sessions."""
