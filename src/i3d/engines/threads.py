"""How many threads an engine may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def thread_limit(cgroup: Path = _CGROUP) -> int | None:
    """Find the number of CPUs that this process was given, where it is not all of the machine's.

    The least of the CPUs that it may run on (`taskset`, Slurm), the CPU time that its container
    gets (`docker run --cpus`, Kubernetes' limits; control groups of Linux, both versions), and
    OMP_NUM_THREADS.

    Args:
        cgroup: Where control groups are mounted.

    Returns:
        That number, at least 1; None where nothing limits it.
    """
    limits = [_affinity(), _quota(cgroup), _variable()]
    known = [limit for limit in limits if limit is not None]
    count = os.cpu_count() or 1
    limit = min(known, default=count)
    return limit if limit < count else None


def _affinity() -> int | None:
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return None
    return max(1, len(os.sched_getaffinity(0)))


def _quota(cgroup: Path) -> int | None:
    """CPU time over wall-clock time, rounded up."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        return max(1, math.ceil(int(quota) / int(period))) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # `max`: no limit
        return None


def _variable() -> int | None:
    try:
        # A list is for nested parallel regions: the first number is the outermost's.
        return max(1, int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0]))
    except ValueError:
        return None
