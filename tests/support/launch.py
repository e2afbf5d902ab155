"""A launcher in a process of its own: `python launch.py DEADLINE GRACE ARGV…`, to be killed by a test.

With HELD in its environment, limits are held by the means of this host, else by watching.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.support.plans import WATCHED, plan_for
from toolkit.host.means import find_enforcement
from toolkit.launch.supervise import Sinks, supervise


def main() -> None:
    deadline, grace, *argv = sys.argv[1:]

    def write(data: bytes) -> str:
        try:
            os.write(1, data)
        except BrokenPipeError:
            return "closed"
        return ""

    result = supervise(
        plan_for(
            *argv,
            deadline=float(deadline),
            grace=float(grace),
            enforcement=find_enforcement() if "HELD" in os.environ else WATCHED,
        ),
        Sinks(stdout=write, stderr=write, cost=lambda _: None),
    )
    print(f"\n{result.outcome} {result.status}", file=sys.stderr)
    sys.exit(result.status)


if __name__ == "__main__":
    main()
