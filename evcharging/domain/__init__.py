"""Pure models of charging: no clock, no input or output, no randomness of their own. Imports nothing of ours."""
