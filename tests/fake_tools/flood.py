"""Prints for ever, as fast as it can or `slowly`, some 100 KiB a second: `flood.py [slowly]`; last words on SIGINT."""

import os
import signal
import sys
import time


def say_last_words(*_: object) -> None:
    os.write(1, b"last words\n")
    sys.exit(0)


signal.signal(signal.SIGINT, say_last_words)
block = b"x" * 1023 + b"\n"
while True:
    os.write(1, block)
    if "slowly" in sys.argv:
        time.sleep(0.01)
