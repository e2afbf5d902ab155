"""Starts 1,000 children, as fast as it can, each told by the mark in its name: `spawns.py MARK [stubborn]`.

Those that the kernel refuses it tries again for ever; "the map" when it is interrupted. stubborn: deaf to SIGINT.
"""

import os
import signal
import sys
import time


def say_map(*_: object) -> None:
    os.write(1, b"the map\n")
    os._exit(0)


signal.signal(signal.SIGINT, signal.SIG_IGN if "stubborn" in sys.argv else say_map)
print("started", flush=True)
started = 0
while started < 1000:
    try:
        if os.fork() == 0:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            time.sleep(600)
            os._exit(0)
        started += 1
    except BlockingIOError:
        time.sleep(0.01)
signal.pause()
