"""Prints as fast as it can, for ever; a line of last words when it is interrupted."""

import os
import signal
import sys


def say_last_words(*_: object) -> None:
    os.write(1, b"last words\n")
    sys.exit(0)


signal.signal(signal.SIGINT, say_last_words)
block = b"x" * 1023 + b"\n"
while True:
    os.write(1, block)
