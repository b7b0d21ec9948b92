"""A trained network as the base of a new one."""
