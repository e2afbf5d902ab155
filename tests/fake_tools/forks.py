"""Leaves children behind: `forks.py KIND MARK`, each child's command line holds MARK.

child: a child that sleeps on after its parent has ended. daemon: one in a session of its own, deaf to everything but
SIGKILL. daemons: two such, while the parent waits. many: a hundred children, while the parent waits.
"""

import os
import signal
import subprocess
import sys
import time

kind, mark = sys.argv[1:3]
SLEEPER = "import signal, time\n{}\ntime.sleep(600)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)"


def leave(*, deaf: bool, apart: bool) -> None:
    subprocess.Popen(
        [sys.executable, "-c", SLEEPER.format(DEAF if deaf else ""), mark],
        stdout=None if not apart else subprocess.DEVNULL,
        start_new_session=apart,
    )


if kind == "child":
    leave(deaf=False, apart=False)
elif kind == "daemon":
    leave(deaf=True, apart=True)
    time.sleep(0.3)
elif kind == "daemons":
    for _ in range(2):
        leave(deaf=True, apart=True)
elif kind == "many":
    for _ in range(100):
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-S", "-c", SLEEPER.format(""), mark])
print("started", flush=True)
if kind != "child" and kind != "daemon":
    signal.pause()
