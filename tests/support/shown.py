"""A run as a person sees it: `python shown.py KEEP DEADLINE ARGV…`, on the terminal that it is started on."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.recordings.test_recordings import make_run
from tests.support.plans import plan_for
from toolkit.cli.sinks import Tap, open_outlet
from toolkit.cli.status import open_status
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.supervise import supervise
from toolkit.recordings.write import Recorder
from toolkit.remarks import Remarks
from toolkit.runs import Form
from toolkit.trials import Points


def main() -> None:
    keep, deadline, *argv = sys.argv[1:]
    plan = plan_for(*argv, deadline=float(deadline), asked=True)
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder), make_run()) if keep == "keep" else None
        outgoing = Outgoing()
        status = open_status(outgoing, plan.deadline, lambda _: Points(expected=4, attached=3))
        outlet = open_outlet(Tap(recorder, Form.TEXT, Remarks()), outgoing, status, as_json=False)
        result = supervise(plan, outlet.sinks())
        outlet.finish(result)
        outgoing.drain()
        stderr = (recorder.path / "stderr").read_bytes() if recorder else b""
    print(f"END {result.outcome} folded {outlet.folded} kept {len(stderr)}", file=sys.stderr)


if __name__ == "__main__":
    main()
