"""What is kept of runs: one folder each, raw bytes first."""
