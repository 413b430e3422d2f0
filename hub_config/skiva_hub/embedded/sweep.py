"""Takes away whatever a cluster has left behind, by what was written down about it and never by name."""

import os
from pathlib import Path

from skiva_hub.embedded import cgroups, privilege, state, steps
from skiva_hub.embedded.layout import cluster_id
from skiva_hub.embedded.proc import kill


def sweep(directory: Path) -> list[str]:
    """Kill what was recorded, jobs, and what is in the nodes' cgroups; remove those and the sudoers file.

    The caller holds the directory's lock, so nothing of it is being started.

    Returns:
        What could not be removed.
    """
    if running := state.load(directory):
        kill(running.processes())
    kill(steps.running(directory))
    stuck: list[str] = []
    if os.geteuid() == 0:
        stuck = [str(path) for path in cgroups.clear(cluster_id(directory))]
        privilege.withdraw(cluster_id(directory))
    state.forget(directory)
    return stuck
