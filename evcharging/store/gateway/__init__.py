"""The gateways' database: what stations told, what they were told to keep, and what is still to be published."""
