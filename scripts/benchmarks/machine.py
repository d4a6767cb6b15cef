"""Describes the machine that was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from i3d.engines.openvino_model import thread_limit

_PACKAGES = ("numpy", "opencv-python-headless", "openvino", "tensorflow", "tensorflow-hub")

_BUSY_LOAD = 0.3
"""Load average of the last minute from which on the machine counts as busy: on two processors,
others took a seventh of the time."""


def describe_machine(root: Path) -> dict[str, Any]:
    """What numbers depend on: the processor, its share that is ours, memory, versions, load.

    Args:
        root: The checkout of i3d.
    """
    return {
        "processor": _processor(),
        "num_cpus": os.cpu_count() or 1,
        "num_cpus_allowed": num_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "i3d_commit": _commit(root),
        "load_average": os.getloadavg()[0],
    }


def num_threads() -> int:
    """Number of processors that this process may use."""
    return thread_limit() or os.cpu_count() or 1


def warning(machine: dict[str, Any]) -> str | None:
    """A sentence where others were at work on the machine, else None."""
    load = machine["load_average"]
    if load < _BUSY_LOAD:
        return None
    return (
        f"The machine was busy before this began (load average {load:.2f} on "
        f"{machine['num_cpus']} processors): do not trust these numbers."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        name = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
        if name:
            return name
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(root: Path) -> str | None:
    commit = _output(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"])
    if not commit:
        return None
    changes = _output(["git", "-C", str(root), "status", "--porcelain"])
    return f"{commit} with changes" if changes else commit


def _output(command: list[str]) -> str:
    """What a command prints; nothing where it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
