"""What a process and its children have used, as Linux's /proc tells it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of CPU (ended children too), voluntary switches, bytes, and counts."""

    at: float
    cpu: float
    switches: int
    memory: int
    threads: int
    processes: int


def usage(pid: int) -> Usage:
    """Return what a process and all below it have used until now; see proc(5)."""
    family = [pid, *_below(pid)]
    cpu, memory, threads, switches = 0, 0, 0, 0
    for each in family:
        fields = _stat(each)
        cpu += sum(int(fields[place]) for place in (11, 12))
        threads += int(fields[17])
        memory += int(fields[21]) * _PAGE
        switches += _switches(each)
    waited_for = _stat(pid)
    cpu += int(waited_for[13]) + int(waited_for[14])
    return Usage(
        at=time.monotonic(),
        cpu=cpu / _TICK,
        switches=switches,
        memory=memory,
        threads=threads,
        processes=len(family),
    )


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may itself hold blanks; state is the first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _switches(pid: int) -> int:
    """How often the threads of a process went to sleep, and so were woken."""
    count = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                count += int(line.split()[1])
    return count


def _below(pid: int) -> list[int]:
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found += [child, *_below(child)]
    return found
