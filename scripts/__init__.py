"""What a checkout runs beside the tests: set-up and benchmarks."""
