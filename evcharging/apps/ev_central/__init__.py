"""Central: takes drivers' requests, orders charge points about, keeps sessions and money, shows the network."""
