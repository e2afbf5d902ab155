"""What tools print, as data: bytes in, frames out. Pure."""
