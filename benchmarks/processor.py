"""What processes have used, as Linux counts it: processor seconds and memory."""

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """Processor seconds of the process so far, its threads and its ended children included."""
    # The command's name may hold spaces, so fields count from behind its bracket.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def cpu_seconds_of_family(pid: int) -> float:
    """The same with the children that are still running: PostgreSQL has one per connection."""
    return cpu_seconds(pid) + sum(map(_cpu_seconds_or_none, _children(pid)))


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in use right now."""
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def parent_of(pid: int) -> int:
    """The process that started it."""
    return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def _children(pid: int) -> list[int]:
    threads = (PROC / str(pid) / "task").iterdir()
    return [int(child) for each in threads for child in (each / "children").read_text().split()]


def _cpu_seconds_or_none(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except FileNotFoundError:
        return 0.0
