"""Prints a line, waits, and prints what it "counted" when it is interrupted, as tracing tools do."""

import signal
import sys
import time

print("tracing", flush=True)
try:
    time.sleep(600)
except KeyboardInterrupt:
    print("the map", flush=True)
    sys.exit(0)
signal.pause()
