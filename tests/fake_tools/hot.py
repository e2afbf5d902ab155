"""Calls the kernel as fast as it can, until it is ended: a load for tools that trace system calls."""

import os

while True:
    os.getppid()
