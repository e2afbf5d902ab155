"""What tools exist: the curated catalog, and questions to it."""
