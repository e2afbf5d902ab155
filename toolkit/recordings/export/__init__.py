"""A recording in forms that other programs read: each module has `export(recording)`, which gives it piece by piece."""
