"""Start one variant within limits: plan (pure) -> guard -> supervise."""
