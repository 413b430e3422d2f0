"""The hub's own cgroups, so that what it does in people's names is no way out of their jobs.

A helper runs as its person, who may trace it, where the kernel lets them, and so have it run anything; and
Slurm's fences do not reach here. Here no device of the site can be opened, memory has a bound, and what stays
after its request is ended. On cgroup v2 devices are denied by BPF alone, which this does not write: `skiva
doctor` asks for `kernel.yama.ptrace_scope`, which forbids the tracing itself.
"""

import os
import signal
from pathlib import Path

from skiva_hub.embedded import cgroups
from skiva_hub.embedded.layout import Layout
from skiva_hub.embedded.proc import age, owner

_MEMORY = 4 << 30
"""Bytes for the hub, its services and all helpers together; a hub takes some hundred MiB of it."""
_LONGEST = 120.0
"""Seconds for which something may run in a person's name; a helper has 30."""


def places(layout: Layout) -> tuple[Path, ...]:
    """The cgroups that the hub runs in; none where nothing is fenced."""
    return cgroups.hubs(layout.id) if layout.fenced else ()


def make(layout: Layout) -> None:
    """Make them, closed to the site's devices."""
    for place in places(layout):
        place.mkdir(exist_ok=True)
        for bound in ("memory.limit_in_bytes", "memory.max"):
            if (place / bound).exists():
                (place / bound).write_text(str(_MEMORY))
        if (place / "devices.deny").exists():
            for number in sorted(_numbers(layout)):
                (place / "devices.deny").write_text(f"c {os.major(number)}:{os.minor(number)} rwm")


def _numbers(layout: Layout) -> set[int]:
    files = {path for _, device in layout.devices() for path in device.files} | set(layout.shared_devices)
    return {path.stat().st_rdev for path in files}


def end_lingering(layout: Layout) -> None:
    """Kill what runs here in a person's name for longer than any request takes."""
    for place in places(layout):
        for process in cgroups.members(place):
            if owner(process.pid) not in {layout.owners.hub, "root", ""} and age(process) > _LONGEST:
                process.signal(signal.SIGKILL)
