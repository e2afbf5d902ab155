"""Ignores SIGINT and, when told so, SIGTERM: `deaf.py [term]`."""

import signal
import sys
import time

signal.signal(signal.SIGINT, signal.SIG_IGN)
if "term" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
