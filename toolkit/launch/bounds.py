"""Whether what a run's processes use is within its limits. Pure: the keeper looks and acts."""

from __future__ import annotations

from toolkit.model import Value
from toolkit.runs import Limits

SOFT = 0.9  # share of the memory limit at which a tool is asked to end, while it still can print its maps
AT_CAP = 0.95  # share of the CPU limit that a tool uses which the kernel keeps at it
RUNAWAY = 2  # times the limit of processes, where only we hold it: no more asking


class Usage(Value, frozen=True):
    """What the processes of a run use now, by the kernel's accounts of their cgroup, or summed up."""

    memory: int = 0  # bytes, without files that the kernel can give back
    tasks: int = 0  # processes and threads
    cpu: float = 0.0  # seconds so far
    killed: bool = False  # the kernel killed one of them, for the memory limit
    refused: bool = False  # the kernel refused one of them, for the limit of processes


class Excess(Value, frozen=True):
    """A limit that was reached, as in Limits, and whether there is no time to ask."""

    limit: str
    kill: bool = False


def find_excess(usage: Usage, cpu_rate: float, limits: Limits, held: frozenset[str]) -> Excess | None:
    """The first limit that is reached. `held` are the limits that the kernel holds by itself: it never lets them pass.

    `cpu_rate` is in seconds a second over the whole window, 0 before that is full.
    """
    if usage.killed:
        return Excess("memory")
    if limits.memory_bytes and usage.memory >= limits.memory_bytes * SOFT:
        return Excess("memory", kill="memory" not in held and usage.memory >= limits.memory_bytes)
    if usage.refused:
        return Excess("processes")
    if limits.processes and "pids" not in held and usage.tasks > limits.processes:
        return Excess("processes", kill=usage.tasks > limits.processes * RUNAWAY)
    if limits.cpu and cpu_rate * 100 >= limits.cpu * AT_CAP:
        return Excess("cpu")
    return None


def describe_limit(name: str, limits: Limits) -> str:
    """What the tool did, in words that follow "stopped, "."""
    match name:
        case "memory":
            return f"it needed more than {limits.memory_bytes / (1 << 20):g} MiB of memory"
        case "processes":
            return f"it started more than {limits.processes} processes and threads"
        case "cpu":
            return f"it used all of the {limits.cpu:g} % of a CPU that it may use, for 3 s"
    return ""
