"""Puts an event into uprobe_events as bcc's tools do on old kernels, and does not remove it: `probes.py`."""

import os
import time

name = f"p__bin_sh_0x1000_bcc_{os.getpid()}"
descriptor = os.open("/sys/kernel/tracing/uprobe_events", os.O_WRONLY | os.O_APPEND)
os.write(descriptor, f"p:uprobes/{name} {os.path.realpath('/bin/sh')}:0x1000\n".encode())
print(name, flush=True)
time.sleep(600)
