"""What a process and those it started have used so far; from /proc, so on Linux alone."""

import os
from pathlib import Path


def family(pid: int) -> list[int]:
    """The process and its children: a server and its worker. Empty where there is no /proc, or no such process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(_fields(stat)[1])
        except OSError:
            continue  # it has just ended
    return [each for each, parent in parents.items() if pid in (each, parent)]


def cpu_seconds(pid: int) -> float:
    """User and system time of the family."""
    used = [_fields(Path(f"/proc/{each}/stat"))[11:13] for each in family(pid)]
    return sum(int(user) + int(system) for user, system in used) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, name: str) -> float:
    """`VmRSS` (now) or `VmHWM` (at most so far) of the family, what its members share counted for each."""
    statuses = [Path(f"/proc/{each}/status").read_text().splitlines() for each in family(pid)]
    return sum(int(line.split()[1]) for lines in statuses for line in lines if line.startswith(name)) / 1024


def _fields(stat: Path) -> list[str]:
    """From the state of the process on, which follows its name."""
    return stat.read_text().rpartition(")")[2].split()
