"""How much memory a session uses and may use: from its job's cgroup, else from its processes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NO_LIMIT = 1 << 60
"""cgroup v1 writes a number close to 2**63 where there is no limit."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in use and the limit in bytes; the limit is None where none is known."""

    used: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class CgroupPlace:
    """Where a process's memory cgroup is: the directory, and which of the two layouts it has."""

    directory: Path
    version: int


def cgroup_place(cgroup: str, mountinfo: str) -> CgroupPlace | None:
    """Find the memory cgroup from the texts of /proc/self/cgroup and /proc/self/mountinfo."""
    unified: str | None = None
    legacy: str | None = None
    for line in cgroup.splitlines():
        parts = line.split(":", 2)
        if len(parts) < 3:
            continue
        _, controllers, path = parts
        if "memory" in controllers.split(","):
            legacy = path
        elif controllers == "":
            unified = path
    for version, inside, kind in ((1, legacy, "cgroup"), (2, unified, "cgroup2")):
        directory = _mounted(inside, kind, mountinfo) if inside else None
        if directory is not None:
            return CgroupPlace(directory, version)
    return None


def _mounted(path: str, kind: str, mountinfo: str) -> Path | None:
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if len(before) < 5 or len(after) < 3 or after[0] != kind:
            continue
        if kind == "cgroup" and "memory" not in after[2].split(","):
            continue
        root, mount = before[3].rstrip("/"), before[4]
        if path == root or path.startswith(root + "/"):
            return Path(mount) / path[len(root) :].lstrip("/")
    return None


def job_cgroup(place: CgroupPlace, job_id: int) -> CgroupPlace | None:
    """The cgroup of the whole Slurm job above `place`, or None where it is in none."""
    for directory in (place.directory, *place.directory.parents):
        if directory.name == f"job_{job_id}":
            return CgroupPlace(directory, place.version)
    return None


def read_cgroup(place: CgroupPlace) -> Memory | None:
    """Memory of one cgroup, without the file cache that the kernel may drop at any time."""
    legacy = place.version == 1
    used = _number(place.directory / ("memory.usage_in_bytes" if legacy else "memory.current"))
    if used is None:
        return None
    cache = _stat(place.directory / "memory.stat", "total_inactive_file" if legacy else "inactive_file")
    limit = _number(place.directory / ("memory.limit_in_bytes" if legacy else "memory.max"))
    return Memory(max(0, used - cache), limit if limit and limit < _NO_LIMIT else None)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
        return int(text)
    except (OSError, ValueError):
        return None


def _stat(path: Path, key: str) -> int:
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0


def read_processes(job_id: int, *, proc: Path = Path("/proc"), server: int | None = None) -> Memory | None:
    """Resident memory of this account's processes that belong to the job, added up.

    A process belongs to it when the server started it, at whatever remove, or when it was
    started with the job's SLURM_JOB_ID. Memory shared by several of them counts more than once.
    """
    mine = os.getuid()
    parents: dict[int, int] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == mine:
                    parents[int(entry.name)] = _parent(entry)
            except (OSError, ValueError, IndexError):
                continue
    family = _descendants(parents, server or os.getpid())
    members = [pid for pid in parents if pid in family or _in_job(proc / str(pid), job_id)]
    page = os.sysconf("SC_PAGE_SIZE")
    used = sum(_resident_pages(proc / str(pid)) for pid in members) * page
    return Memory(used, None) if used else None


def _parent(entry: Path) -> int:
    # The second field is the command in brackets and may itself hold spaces and brackets.
    return int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])


def _descendants(parents: Mapping[int, int], ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def _in_job(entry: Path, job_id: int) -> bool:
    try:
        environment = (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return job_id > 0 and f"SLURM_JOB_ID={job_id}".encode() in environment


def _resident_pages(entry: Path) -> int:
    try:
        return int((entry / "statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def read_memory(job_id: int, memory_mb: int | None, *, proc: Path = Path("/proc")) -> Memory | None:
    """Memory of the session: of its job's cgroup where there is one, else of its processes."""
    asked = memory_mb * 1024 * 1024 if memory_mb else None
    try:
        texts = [(proc / "self" / name).read_text(encoding="utf-8") for name in ("cgroup", "mountinfo")]
    except OSError:
        return None
    place = cgroup_place(*texts)
    job = job_cgroup(place, job_id) if place else None
    found = read_cgroup(job) if job else None
    found = found or read_processes(job_id, proc=proc)
    return Memory(found.used, found.limit or asked) if found else None
