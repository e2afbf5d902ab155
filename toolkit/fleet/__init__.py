"""Many hosts: the nightly sync of one, and what monitoring sees of it."""
