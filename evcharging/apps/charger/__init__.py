"""The charger: CAN nodes with a meter each, and the hub by which engines in other processes reach them."""
