"""1 GiB of output through `toolkit run`, recorded, against the same through `tee FILE`; and whether memory stays flat.

In CPU time also, which hardly depends on what else this machine does.
"""

from __future__ import annotations


from scripts.bench.measure import Options


def measure(options: Options) -> None:
    raise NotImplementedError
