"""Tools for the CAN bus: a demonstration, a monitor, and a way to send a frame by hand."""
