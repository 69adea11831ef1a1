"""How many processor cores we may really use: the machine's, less what affinity or a container takes away."""

import os
from pathlib import Path

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores_usable(*, quota_file: Path = CGROUP_QUOTA) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    if quota.isdigit() and period.isdigit() and int(period):
        return max(1, min(cores, int(quota) // int(period)))
    return cores


def llama_threads_default(*, cores: int) -> int:
    """Threads for each of two servers that answer at the same time: together they leave one core to the rest.

    llama.cpp's threads spin while they wait; more of them than cores brings it from 100 tokens a second to 5.
    Models as small as ours gain nothing beyond eight.
    """
    return min(8, max(1, (cores - 1) // 2))
