"""Frames and costs as parts of an HTML page: markup that needs nothing from elsewhere. Pure."""
