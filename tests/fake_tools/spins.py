"""Uses all of a CPU until it is interrupted; then it says "the map"."""

import os
import signal


def say_map(*_: object) -> None:
    os.write(1, b"the map\n")
    os._exit(0)


signal.signal(signal.SIGINT, say_map)
print("started", flush=True)
while True:
    pass
