"""The built catalog: what the sources offer, analysed, hashed and joined with the curated data."""
