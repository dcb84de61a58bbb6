"""Driver: asks Central for charging, one request after the other, and learns what becomes of each."""
