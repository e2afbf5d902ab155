"""Stops itself, as a debugger or ^Z would; "the map" when it is interrupted and goes on."""

import os
import signal


def say_map(*_: object) -> None:
    os.write(1, b"the map\n")
    os._exit(0)


signal.signal(signal.SIGINT, say_map)
print("started", flush=True)
while True:
    os.kill(os.getpid(), signal.SIGSTOP)
