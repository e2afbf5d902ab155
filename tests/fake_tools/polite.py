"""Prints a line, waits, and prints what it "counted" when it is interrupted, as tracing tools do."""

import sys
import time

try:
    print("tracing", flush=True)  # from here on the interrupt may come
    time.sleep(600)
except KeyboardInterrupt:
    print("the map", flush=True)
    sys.exit(0)
