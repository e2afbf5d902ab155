"""Takes memory and keeps it: `greedy.py KIND`, up to 4 GB. slowly: 32 MiB, then 1 MiB at a time; at-once: in
one piece; apart: a child in a session of its own takes it slowly. Says "the map" when it is interrupted.
"""

import os
import signal
import sys
import time

WHOLE = 4 << 30
FIRST = 32 << 20
PIECE = 1 << 20


def say_map(*_: object) -> None:
    os.write(1, b"the map\n")
    os._exit(0)


signal.signal(signal.SIGINT, say_map)
print("started", flush=True)
kept = []
if sys.argv[1] == "at-once":
    kept.append(b"\xff" * WHOLE)
elif sys.argv[1] == "apart" and os.fork():
    signal.pause()
if sys.argv[1] == "apart":
    os.setsid()
kept.append(b"\xff" * FIRST)
while sum(map(len, kept)) < WHOLE:
    kept.append(b"\xff" * PIECE)
    time.sleep(0.04)
signal.pause()
