"""Made-up output in the shapes that tools print, of which tests cut and mix pieces."""

from __future__ import annotations

EVENTS = b"""Tracing events... Hit Ctrl-C to end.
TIME     COMM           PID    T OFF_KB   LAT(ms) FILENAME
10:00:01 loader         4101   R 128         1.50 notes.txt
10:00:01 Web Content    4102   W 0           0.25 two words
10:00:02 loader         4101   S 0           7.00
"""
STACK_BELOW = b"""PID    COMM         FUNC             -
4101   loader       do_open          notes.txt
        inner+0x10 [kernel]
        outer+0x20 [kernel]

4102   loader       do_open          other.txt
        inner+0x10 [kernel]

"""
INTERVALS = b"""10:00:01 loadavg: 0.10 0.20 0.30 1/99 4101

PID    COMM             READS  R_Kb
4101   loader           12     48
4102   writer           3      0

10:00:02 loadavg: 0.10 0.20 0.30 1/99 4101

PID    COMM             READS  R_Kb

"""
QUEUES = b"""Thu Sep  3 10:00:01 2026
TX
 Queue    avg_size   [0, 64)   [64, 2K)
   0         80         1          20
 Total       80         1          20

RX
 Queue    avg_size   [0, 64)   [64, 2K)
   0         71         4           5
 Total       71         4           5
--------------------------------------
"""
LOCKS = b"""                 Caller   Avg Wait  Count   Max wait Total wait
         queue_push+0x2       3675      5       5468      18379
          queue_pop+0x1         33      2         40         66

"""
STATES = b"""ADDRESS  C-PID LADDR        OLD         -> NEW         MS
ffff9c01 4101  10.1.1.1     CLOSE       -> SYN_SENT    0.000
ffff9c01 4101  10.1.1.1     SYN_SENT    -> ESTABLISHED 1.373
"""
FLOW = b"""CPU PID    TID    TIME(us) METHOD
3   4101   4101   4.536    -> outer
3   4101   4101   4.540      -> inner
3   4101   4101   4.541      <- inner
"""
PERCENTILES = b"""disk0      p1    p50   p99
read     95us  175us 1.5ms
write     5us    5us   5us
"""
COMMAS = b"""ENDTIME_us,TASK,PID,FILE
12720071,loader,4101,notes.txt
12720072,loader,4101,a,b.txt
"""
TIMED = b"""10:00:01 4101    vim      DELETE notes.swp
10:00:02 4101    vim      RENAME a > b
"""
SUBNETS = b"""[03/05/26 10:00:01]
127.0.0.1/32               8
10.0.0.0/8               120
"""
PAIRS = b"""avg = 12 usecs, total: 48 usecs, count: 4
Total References: 500 Total Misses: 20 Hit Rate: 96.00%
lost = 3
runq, CPU 0    32.32%
"""
OBJECTS = b"""{"read": {"1": 2.5e-05, "50": 1e3}, "write": {"1": 4}}
"""
DICTIONARY = (
    b"{'ts': '2026-01-02 03:04:05', 'val_type': 'msecs', 'data': [{'interval-start': 0, 'interval-end': 1, 'count': 2},"
    b" {'interval-start': 2, 'interval-end': 3, 'count': 0}], 'disk': b'sda'}\n"
)
KEYED = b"""
operation = read
     msecs               : count    distribution
         0 -> 1          : 3        |****************************************|
         2 -> 3          : 1        |*************                           |

cpu = 0
     runqlen       : count     distribution
        0          : 1068     |****************************************|
"""
MAPS = b"""Attaching 2 probes...
@total: 5
@reads[loader, 4101]: 17
@reads[writer, 4102]: 3
@size_us[loader]: count 5, average 3, total 15
@wait_ns[0]:
[1]                    1 |@@@@@@@@@@@@@                                       |
[2, 4)                 4 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
"""
MAP_STACKS = b"""@[
    inner+16
    outer+32
, loader]: 12
@[
    inner+16
, writer]: 3
@us[
    inner+16
]:
[2, 4)                 4 |@@@@|
"""
FOLDED = b"""loader;outer;inner 12
loader;[unknown] 3
"""
COUNTED = b"""    inner
    outer
    -                loader (4101)
        12

    ffffffff81000001 inner
    loader [4101]
        3

"""
LEAKS = b"""[10:00:01] Top 2 stacks with outstanding allocations:
        80 bytes in 5 allocations from stack
                alloc+0x6d [app]
                main+0x10 [app]

        16 bytes in 1 allocation from stack
                alloc+0x6d [app]
"""
MARKED = b"""Lock A (0x7ffc00001000) taken here while holding Lock B:
@ 00007f0000000001 lock(std::mutex&)
@ 00007f0000000002 start

@ 00007f0000000003 other

"""
LOST = b"Possibly lost 12 samples\n"

SHAPES = (
    EVENTS,
    STACK_BELOW,
    INTERVALS,
    QUEUES,
    LOCKS,
    STATES,
    FLOW,
    PERCENTILES,
    COMMAS,
    TIMED,
    SUBNETS,
    PAIRS,
    OBJECTS,
    DICTIONARY,
    KEYED,
    MAPS,
    MAP_STACKS,
    FOLDED,
    COUNTED,
    LEAKS,
    MARKED,
    LOST,
)
